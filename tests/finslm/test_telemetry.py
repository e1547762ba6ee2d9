"""Logs by allow-list, metrics owned by an object."""

from __future__ import annotations

import json
import subprocess
import sys

from prometheus_client import CollectorRegistry, generate_latest

from finslm.telemetry.logs import only_known_fields
from finslm.telemetry.metrics import Metrics

SCRIPT = """
import logging, warnings, structlog
from finslm.telemetry import logs
logs.configure("DEBUG")
structlog.get_logger("ours").info("rpc_done", request_id="r", prompt="CANARY", text="CANARY")
logging.getLogger("theirs").debug("saw %s", "CANARY")
try:
    raise ValueError("CANARY")
except ValueError:
    logging.getLogger("theirs").exception("failed on CANARY")
warnings.warn("CANARY")
"""


class TestLogs:
    def test_a_field_that_is_not_allowed_is_dropped_and_named(self):
        """The name is kept, the value is gone."""
        event = only_known_fields(None, "info", {"event": "x", "request_id": "r", "prompt": "secret", "text": "s"})
        assert event == {"event": "x", "request_id": "r", "dropped_fields": ["prompt", "text"]}

    def test_no_text_comes_through_at_debug(self):
        """Neither ours, nor other libraries' messages, exceptions or warnings; all lines are JSON."""
        run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
        assert "CANARY" not in run.stdout + run.stderr
        lines = [json.loads(line) for line in run.stdout.splitlines()]
        assert lines[0]["dropped_fields"] == ["prompt", "text"]
        assert [line["logger"] for line in lines[1:]] == ["theirs", "theirs", "py.warnings"]
        assert lines[2]["error"] == "ValueError"


class TestMetrics:
    def test_two_services_in_a_process_do_not_share(self):
        """No module globals."""
        one, two = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
        one.observe_rpc("InferenceService/Generate", "OK", 0.01)
        one.observe_rpc("InferenceService/Generate", "ABORTED", 0.01, "INVALID_OUTPUT")
        one.count_answer("leaks", "IBAN_CODE", "mask", 3)
        one.count_entities({"PERSON": 2}, {"placeholder": 2})
        with one.stage("redact"):
            pass
        text = generate_latest(one.registry).decode()
        assert 'finslm_requests_total{code="OK",method="InferenceService/Generate"} 1.0' in text
        assert 'finslm_entities_total{type="PERSON"} 2.0' in text
        assert 'finslm_stage_seconds_count{stage="redact"} 1.0' in text
        assert 'finslm_refusals_total{method="InferenceService/Generate",reason="INVALID_OUTPUT"} 1.0' in text
        assert 'finslm_answer_findings_total{action="mask",kind="leaks",type="IBAN_CODE"} 3.0' in text
        assert "PERSON" not in generate_latest(two.registry).decode()
