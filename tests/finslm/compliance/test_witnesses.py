"""Cosignatures in the report: checked with the policy, held against the log, and no report of a log that was cut."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from finslm.audit.checkpoint import Note
from finslm.audit.cosignature import Cosigner
from finslm.audit.scan import CHECKPOINT_FILE, HASHES_FILE
from finslm.audit.witnessed import COSIGNED_FILE
from finslm.compliance import Report, Request, draw
from finslm.compliance.html import to_html
from finslm.errors import AuditCorrupt, AuditUnavailable, ConfigError

COSIGNERS = {
    name: Cosigner(f"witness.example/{name}", Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)))
    for n, name in enumerate(("audit", "risk"), 1)
}
MARCH = 1_772_323_200
"""1 March 2026, Unix seconds."""


@pytest.fixture
def log(month: Path, tmp_path: Path) -> Path:
    """A copy of the month's log."""
    return Path(shutil.copytree(month, tmp_path / "log"))


@pytest.fixture
def policy(log: Path, tmp_path: Path) -> Path:
    """Both must have cosigned."""
    lines = [f"log {(log / 'log.vkey').read_text().strip()}"]
    lines += [f"witness {name} {cosigner.verifier.vkey()}" for name, cosigner in COSIGNERS.items()]
    file = tmp_path / "policy"
    file.write_text("\n".join([*lines, "group both all audit risk", "quorum both", ""]))
    return file


def cosign(log: Path, *names: str) -> None:
    """Put the log's checkpoint, cosigned by these, into its folder."""
    note = (log / CHECKPOINT_FILE).read_text()
    text = Note.parse(note).text
    lines = "".join(COSIGNERS[name].cosign(text, MARCH).line() for name in names)
    (log / COSIGNED_FILE).write_text(note + lines)


def failed(report: Report) -> list[str]:
    """Checks that did not pass, with what was found."""
    return [f"{check.name}: {check.detail}" for check in report.evidence.checks if not check.passed]


def test_the_quorum_stands_behind_the_period(log: Path, policy: Path, request_of: Callable[..., Request]) -> None:
    """Names and times are shown, one check more passes, and the controls that ask for it are evidenced."""
    cosign(log, "audit", "risk")
    report = draw(log, request_of(), witness_policy=policy)
    assert [(c.name, c.time) for c in report.witnesses.cosignatures] == [
        ("audit", "2026-03-01T00:00:00.000000Z"),
        ("risk", "2026-03-01T00:00:00.000000Z"),
    ]
    assert len(report.evidence.checks) == 9
    assert not any("witnesses" in line for line in failed(report))
    rows = {(s.id, c.id): c for s in report.standards for c in s.controls}
    assert rows["pci-dss", "10.3.4"].status == "evidenced"
    assert "Quorum met" in to_html(report)
    assert report.report_id != draw(log, request_of()).report_id
    assert report == draw(log, request_of(), witness_policy=policy)


@pytest.mark.parametrize(("names", "words"), [(("risk",), "no quorum has cosigned"), ((), "there is no")])
def test_without_a_quorum_a_check_fails(
    names: tuple[str, ...], words: str, log: Path, policy: Path, request_of: Callable[..., Request]
) -> None:
    """One of two, or no cosigned checkpoint at all: the report is drawn and says so."""
    if names:
        cosign(log, *names)
    report = draw(log, request_of(), witness_policy=policy)
    assert any(words in line for line in failed(report))
    assert "Quorum not met" in to_html(report)


def test_no_report_of_a_log_that_was_cut_or_made_anew(
    log: Path, policy: Path, tmp_path: Path, sample: object, request_of: Callable[..., Request]
) -> None:
    """What the log's own key cannot show: fewer records than were cosigned, or others."""
    cosign(log, "audit", "risk")
    cosigned = (log / COSIGNED_FILE).read_bytes()
    steps = sample.month()  # type: ignore[attr-defined]
    for name, kept in (("cut", steps[:-5]), ("anew", [*steps[:10], *steps[11:], steps[-1]])):
        folder = tmp_path / name
        folder.mkdir(mode=0o700)
        shutil.copy(log / "signing-key.pem", folder / "signing-key.pem")
        sample.write(folder, kept)  # type: ignore[attr-defined]
        (folder / COSIGNED_FILE).write_bytes(cosigned)
        assert draw(folder, request_of()).evidence.records_counted > 0  # by itself it verifies
        with pytest.raises(AuditCorrupt):
            draw(folder, request_of(), witness_policy=policy)


def test_what_cannot_be_used_is_refused(log: Path, policy: Path, request_of: Callable[..., Request]) -> None:
    """A cosigned checkpoint that is none, and a policy of another log."""
    (log / COSIGNED_FILE).write_bytes((log / HASHES_FILE).read_bytes()[:100])
    with pytest.raises(AuditUnavailable):
        draw(log, request_of(), witness_policy=policy)
    with pytest.raises(ConfigError):
        draw(log, request_of(), witness_policy=log / "nothing")
