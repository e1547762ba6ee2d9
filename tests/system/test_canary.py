"""Planted personal data is in no sink: log lines at DEBUG, metrics, audit records, error messages."""

from __future__ import annotations

import contextlib
import threading
import time
import urllib.request

import pytest

from finslm.client import ClientError, Consent, Sampling

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

CANARIES = (
    "Zebedee Quillfeather",
    "4111 1111 1111 1111",
    "zebedee.quillfeather@canary.example",
    "GB29 NWBK 6016 1331 9268 19",
)
TEXT = (
    "I am Zebedee Quillfeather, card 4111 1111 1111 1111, account GB29 NWBK 6016 1331 9268 19, "
    "mail zebedee.quillfeather@canary.example, and I want my money back."
)
NEEDLES = ("Zebedee", "Quillfeather", "4111 1111", "4111111111111111", "canary.example", "NWBK", "want my money back")


def test_no_sink_holds_a_canary(service):
    """Success, refusal, failure, deadline and cancellation of every text-carrying method."""
    errors: list[str] = []
    with service.client() as client:
        session = client.redact(TEXT).session_id
        client.analyze(TEXT)
        client.classify(TEXT, task="banking_intent")
        client.generate(TEXT, task="assist", sampling=Sampling(max_tokens=12))
        list(client.generate_stream(TEXT, task="complaint_summary", sampling=Sampling(max_tokens=12)))
        consent = Consent(basis="CONSENT", given_by="SUBJECT")
        said = {"verdict": "WRONG", "consent": consent, "subject": CANARIES[0]}
        client.submit_feedback(TEXT, task="banking_intent", label="card_arrival", **said)
        client.submit_feedback(TEXT, task="assist", answer=TEXT, **said)
        failing = (
            lambda: client.extract(TEXT, task="payment_instruction"),  # may answer or refuse: both are looked at
            lambda: client.generate(TEXT, task=CANARIES[0]),
            lambda: client.generate(TEXT, task="banking_intent"),
            lambda: client.classify(TEXT, task="choose_label", labels=[TEXT[:64].strip(), CANARIES[0][:64]]),
            lambda: client.generate(TEXT * 400, task="assist"),
            lambda: client.generate(TEXT * 100, task="assist"),
            lambda: client.generate(TEXT, task="assist", sampling=Sampling(temperature=99.0)),
            lambda: client.generate(TEXT, task="assist", timeout_s=0.001),
            lambda: client.generate(TEXT, task="assist", sampling=Sampling(max_tokens=400), timeout_s=1.5),
            lambda: client.restore(f"Dear <PERSON_9999> {CANARIES[0]}", session_id=session),
            lambda: client.restore(TEXT, session_id=CANARIES[2]),
            lambda: client.submit_feedback(TEXT, task="banking_intent", label=CANARIES[0], **said),
            lambda: client.submit_feedback(TEXT, task="payment_instruction", answer=TEXT, **said),
            lambda: client.submit_feedback(TEXT, task="assist", verdict="WRONG", consent=None),
            lambda: client.get_model(CANARIES[0]),
            lambda: client.get_record(record_request_id=CANARIES[1]),
            lambda: client.list_models(page_token=CANARIES[0]),
        )
        for call in failing:
            with contextlib.suppress(ClientError):
                try:
                    call()
                except ClientError as error:
                    errors.append(f"{error} {error.field_violations} {error.reason}")
                    raise
        stream = client.generate_stream(TEXT, task="assist", sampling=Sampling(max_tokens=300))
        canceller = threading.Timer(0.7, stream.cancel)
        canceller.start()
        with contextlib.suppress(ClientError):
            list(stream)
        canceller.join()
        time.sleep(1)
        assert len(errors) >= 10
        with urllib.request.urlopen(f"http://127.0.0.1:{service.admin_port}/metrics", timeout=5) as response:
            metrics = response.read().decode()
    sinks = {"errors": "\n".join(errors), "metrics": metrics, "log": service.log.read_text()}
    kept = [path for folder in (service.audit_dir, service.feedback_dir) for path in folder.rglob("*")]
    sinks |= {path.name: path.read_bytes().decode("latin-1") for path in kept if path.is_file()}
    for name, content in sinks.items():
        for needle in NEEDLES:
            assert needle.lower() not in content.lower(), f"{needle!r} is in {name}"
    # Positive control: the sinks were written to, and at DEBUG.
    assert "rpc_done" in sinks["log"]
    assert any("INTENT" in content for content in sinks.values())
    assert any("card_arrival" in content for content in sinks.values())
