"""Two hundred planted words, each in a call of its own, and none of them in anything that the audit side writes."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pypdf import PdfReader
from service import Service

from finslm.client import Client, ClientError, Consent, Sampling

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

COUNT = 216


def finslm(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "finslm", *args], capture_output=True, text=True, check=False)


def words(count: int) -> list[str]:
    """Words of eleven letters that stand in no program."""
    pick = random.Random(23)
    return [
        "".join(pick.choice("bcdfghjklmnpqrstvwxz") + pick.choice("aeiou") for _ in range(6))[:11] for _ in range(count)
    ]


def text_of(word: str) -> str:
    return (
        f"I am {word.title()} {word[::-1].title()}, write to {word}@example.com, my reference is "
        f"{word.upper()}-{len(word)}; the card in the name of {word} was charged twice."
    )


def ways(client: Client) -> Iterator[Callable[[str], object]]:
    """Every method that takes text or words, answered and refused."""
    consent = Consent(basis="CONSENT", given_by="SUBJECT")
    short = Sampling(max_tokens=6)
    yield lambda w: client.redact(text_of(w))
    yield lambda w: client.analyze(text_of(w))
    yield lambda w: client.classify(text_of(w), task="banking_intent")
    yield lambda w: client.generate(text_of(w), task="assist", sampling=short)
    yield lambda w: list(client.generate_stream(text_of(w), task="call_summary", sampling=short))
    yield lambda w: client.extract(text_of(w), task="payment_instruction")
    yield lambda w: client.answer(f"Who is {w}?", document=text_of(w))
    yield lambda w: client.submit_feedback(
        text_of(w), task="assist", answer=w, verdict="WRONG", consent=consent, subject=w
    )
    yield lambda w: client.generate(text_of(w), task=w)
    yield lambda w: client.generate(text_of(w), task="assist", sampling=Sampling(temperature=99.0))
    yield lambda w: client.generate(text_of(w), task="assist", timeout_s=0.002)
    yield lambda w: client.classify(text_of(w), task="choose_label", labels=[w, f"{w} {w}"])
    yield lambda w: client.analyze(text_of(w) * 4000)
    yield lambda w: client.restore(f"Dear {w} <PERSON_9_x>", session_id=w)
    yield lambda w: client.get_model(w)
    yield lambda w: client.list_models(page_token=w)
    yield lambda w: client.get_record(record_request_id=w)
    yield lambda w: client.list_records(tenant=w, principal=w, task=w)
    yield lambda w: client.list_records(method=w, reason=w.upper(), page_token=w)
    yield lambda w: client.redact(text_of(w), policy=w)
    yield lambda w: client.redact(text_of(w), request_id=w)


def reports(service: Service, folder: Path) -> dict[str, str]:
    """The report in all its forms and the exports, as text."""
    found: dict[str, str] = {}
    for form in ("html", "json", "oscal", "csv", "pdf"):
        out = folder / f"report.{form}"
        at = ("--dir", str(service.audit_dir), "--format", form, "--out", str(out), "--by", "auditor")
        done = finslm("compliance", "report", "--from", "2020-01-01", *at)
        assert done.returncode in (0, 1), done.stderr
        found[form] = out.read_bytes().decode("latin-1") + done.stdout + done.stderr
    with zipfile.ZipFile(folder / "report.csv") as tables:
        found["csv"] = "".join(tables.read(name).decode() for name in tables.namelist())
    found["pdf"] += "".join(page.extract_text() for page in PdfReader(folder / "report.pdf").pages)
    for form in ("jsonl", "ocsf", "tiles"):
        out = folder / form
        done = finslm("audit", "export", "--dir", str(service.audit_dir), "--out", str(out), "--format", form)
        assert done.returncode == 0, done.stderr
        found[form] = "".join(p.read_bytes().decode("latin-1") for p in [out, *out.rglob("*")] if p.is_file())
    return found


def test_no_word_of_any_call_comes_out(tmp_path: Path) -> None:
    service = Service(
        tmp_path,
        level="DEBUG",
        extra={
            "FINSLM_AUDIT__SUBJECTS_FILE": str(tmp_path / "subjects" / "subjects.sqlite"),
            "FINSLM_AUDIT__TILES_DIR": str(tmp_path / "tiles"),
        },
    ).start()
    planted, refused, answered = words(COUNT), list[str](), 0
    assert len(set(planted)) == COUNT
    with service.client() as client:
        chosen = list(ways(client))
        for number, word in enumerate(planted):
            try:
                chosen[number % len(chosen)](word)
                answered += 1
            except (ClientError, ValueError) as error:
                refused.append(f"{error} {getattr(error, 'field_violations', '')}")
        with urllib.request.urlopen(f"http://127.0.0.1:{service.admin_port}/metrics", timeout=5) as response:
            metrics = response.read().decode()
    assert answered > COUNT // 4
    assert len(refused) > COUNT // 4
    (tmp_path / "drawn").mkdir()
    sinks = reports(service, tmp_path / "drawn")
    assert service.stop() == 0
    sinks |= {"errors": "\n".join(refused), "metrics": metrics, "log": service.log.read_text()}
    kept = [path for name in ("audit", "subjects", "tiles") for path in (tmp_path / name).rglob("*")]
    kept += service.audit_dir.rglob("*")
    sinks |= {str(path): path.read_bytes().decode("latin-1") for path in kept if path.is_file()}
    for name, content in sinks.items():
        lowered = content.lower()
        found = [word for word in planted if word in lowered or word[::-1] in lowered]
        lines = [line for line in content.splitlines() if any(word in line.lower() for word in found)]
        assert not found, f"{len(found)} words are in {name}: {lines[:2]}"
    assert "rpc_done" in sinks["log"]
    assert "SERVER_STARTED" in sinks["json"]
    assert any("subjects.sqlite" in name and len(content) > 4096 for name, content in sinks.items())
    with contextlib.suppress(FileNotFoundError):
        assert "subjects" in (tmp_path / "drawn" / "jsonl").read_text()
