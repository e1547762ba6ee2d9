"""deploy/: alerts that fire when they should, panels over metrics that exist, an image without model or root."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from finslm.config import load
from finslm.engine.local import EngineStatistics
from finslm.telemetry.metrics import Metrics

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text())


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
class TestPromtool:
    @pytest.mark.parametrize("arguments", [("check", "rules", "rules.yaml"), ("check", "config", "prometheus.yaml")])
    def test_the_files_are_valid(self, arguments: tuple[str, ...]) -> None:
        done = subprocess.run(["promtool", *arguments], cwd=DEPLOY / "prometheus", capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_the_alerts_fire_when_they_should_and_only_then(self) -> None:
        command = ["promtool", "test", "rules", "rules_test.yaml"]
        done = subprocess.run(command, cwd=DEPLOY / "prometheus", capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


MOMENT = EngineStatistics(**{field.name: 1 for field in fields(EngineStatistics)})


@pytest.fixture(scope="module")
def exported() -> set[str]:
    """Names of the series that the program really exports, from one scrape of its own metrics."""
    metrics = Metrics(CollectorRegistry())
    metrics.observe_rpc("InferenceService/Generate", "ABORTED", 0.1, "INVALID_OUTPUT")
    metrics.count_answer("leaks", "PERSON", "refuse", 1)
    metrics.observe_stage("audit", 0.1)
    metrics.observe_first_token("m", 0.1)
    metrics.count_entities({"PERSON": 1}, {"replace": 1})
    metrics.watch_audit(lambda: True, lambda: 1)
    metrics.watch_witnessing(lambda: 1, lambda: 0.0)
    metrics.watch_engine("m", lambda: MOMENT)
    lines = generate_latest(metrics.registry).decode().splitlines()
    return {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")}


def used(expression: str) -> set[str]:
    """Metric names in an expression."""
    return set(re.findall(r"\b(?:finslm_[a-z_]+|vllm:[a-z_]+)\b", expression))


def test_rules_use_metrics_that_exist(exported: set[str]) -> None:
    names = {name for group in RULES["groups"] for rule in group["rules"] for name in used(rule["expr"])}
    assert len(names) > 4
    assert names <= exported


def test_panels_use_metrics_that_exist(exported: set[str]) -> None:
    board = json.loads((DEPLOY / "grafana" / "finslm.json").read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(expressions) > 10
    assert {name for expression in expressions for name in used(expression)} <= exported
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_every_alert_says_what_it_is_and_what_to_do() -> None:
    alerts = [rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule]
    for alert in alerts:
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert len(alert["annotations"]["description"]) > 20


class TestDockerfile:
    text = (DEPLOY / "Dockerfile").read_text()
    final = text.rpartition("\nFROM ")[2]

    def test_it_runs_as_nobody_special_and_checks_its_health(self) -> None:
        assert "\nUSER 65532:65532" in self.final
        assert re.search(r'HEALTHCHECK[^\n]*\\\n\s+CMD \["finslm", "health"', self.final)
        assert "ADD " not in self.text

    def test_no_model_is_inside_and_the_context_is_an_allow_list(self) -> None:
        assert "models pull" not in "\n".join(line for line in self.text.splitlines() if not line.startswith("#"))
        ignore = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
        assert "*" in ignore
        assert not any("var" in line or "shared" in line for line in ignore)

    def test_its_variables_are_settings(self) -> None:
        found = dict(re.findall(r"\b(FINSLM_[A-Z_]+)=([^\s\\]+)", self.final))
        assert load(environ=found).models.dir == Path("/var/lib/finslm/models")


def services() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


class TestCompose:
    @pytest.mark.parametrize("name", ["finslm", "models", "door", "prometheus"])
    def test_every_container_is_read_only_without_capabilities_and_of_a_named_version(self, name: str) -> None:
        service = services()[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service["image"].endswith("latest")
        assert ":" in service["image"]

    def test_the_service_has_no_way_out(self) -> None:
        tree = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
        assert tree["services"]["finslm"]["networks"] == ["inside"]
        assert tree["networks"]["inside"] == {"internal": True}
        assert "ports" not in tree["services"]["finslm"]

    def test_its_variables_are_settings(self) -> None:
        environment = services()["finslm"]["environment"]
        settings = load(environ={k: v for k, v in environment.items() if k.startswith("FINSLM_")})
        assert settings.server.host == "0.0.0.0"
        assert settings.access.tokens_file is not None
