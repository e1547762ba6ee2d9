"""A log held against what its witnesses have cosigned: offline, from files, with public keys alone.

This finds what a log cannot show of itself: a tail that was cut from all its files, and a whole history written anew
and signed with the log's own key.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from finslm.audit.checkpoint import Checkpoint, Note, Verifier
from finslm.audit.nodes import root_at
from finslm.audit.policy import Standing, WitnessPolicy
from finslm.audit.scan import corrupt
from finslm.audit.verify import VerifyReport, open_verifier, verify_dir
from finslm.errors import AuditCorrupt, AuditUnavailable, ConfigError

COSIGNED_FILE: Final = "checkpoint.cosigned"
"""In the log's folder: a note with the signatures of the log and of the quorum."""

MAX_NOTE_BYTES: Final = 1 << 20


@final
@dataclass(frozen=True, slots=True)
class WitnessedReport:
    """A log that holds and extends a checkpoint under which the quorum stands."""

    log: VerifyReport
    standing: Standing


def verify_witnessed(
    folder: Path, policy: WitnessPolicy, *, vkey: str | None = None, checkpoint: Path | None = None
) -> WitnessedReport:
    """Read the whole log in ``folder`` and hold it against a cosigned checkpoint.

    Args:
        folder: of the log.
        policy: whose quorum must have cosigned.
        vkey: the log's public key; when None the policy's, or where it names none, the folder's.
        checkpoint: a note from elsewhere; the folder's own ``checkpoint.cosigned`` when None.

    Raises:
        AuditCorrupt: the log is damaged, cut, or not the one that was cosigned.
        AuditUnavailable: there is no such checkpoint, it or its quorum is not valid, or the files cannot be read.
        ConfigError, InvalidRequest: as for :func:`finslm.audit.verify.open_verifier`.
    """
    verifier = trusted_key(folder, policy, vkey)
    # Before the log: one that grows meanwhile still has all that was cosigned when we looked.
    standing = _read_standing(checkpoint or folder / COSIGNED_FILE, policy, verifier)
    report = verify_dir(folder, vkey=verifier.vkey())
    check_extends(folder, report, standing.checkpoint)
    if standing.met_at is None:
        raise AuditUnavailable(_unmet(policy, standing))
    return WitnessedReport(report, standing)


def check_extends(folder: Path, report: VerifyReport, cosigned: Checkpoint) -> None:
    """Check that a log that was just verified has all that is under ``cosigned``.

    Raises:
        AuditCorrupt: it is shorter, or another history.
        AuditUnavailable: its hashes cannot be read.
    """
    if report.tree_size < cosigned.size:
        raise cut(report.tree_size, cosigned)
    try:
        root_hash = root_at(folder, cosigned.size, report.tree_size)
    except OSError as error:
        raise AuditUnavailable(f"the audit log in {folder} cannot be read: {error.strerror}") from error
    if root_hash != cosigned.root_hash:
        raise rewritten(cosigned)


def read_cosigned(path: Path, policy: WitnessPolicy, keys: Collection[Verifier]) -> Standing:
    """Read a cosigned checkpoint and check all known signatures on it; an unmet quorum is no error here.

    Raises:
        AuditUnavailable: not a checkpoint of the log with these keys, or a known witness's line does not verify.
        OSError: as the system says.
    """
    with path.open("rb") as file:
        data = file.read(MAX_NOTE_BYTES)
    try:
        return policy.check(Note.parse(data.decode()), keys)
    except ValueError as error:
        what = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise AuditUnavailable(
            f"the cosigned checkpoint {path} is not valid ({what}) and proves nothing: if the log's key has changed, "
            "name the old one in the policy too (a line 'log'); else take a copy kept elsewhere, and ask the witnesses "
            "what they hold with: finslm witness check"
        ) from None


def log_keys(policy: WitnessPolicy, own: Verifier) -> list[Verifier]:
    """The keys with which the log may have signed: the policy's for its origin, or its own where the policy has none.

    Raises:
        ConfigError: the policy is for other logs.
    """
    if not policy.logs:
        return [own]
    if own.vkey() not in [log.vkey() for log in policy.logs]:
        raise ConfigError(f"witness policy: no line 'log {own.vkey()}': it is for other logs, or the key has changed")
    return [log for log in policy.logs if log.name == own.name]


def trusted_key(folder: Path, policy: WitnessPolicy, vkey: str | None) -> Verifier:
    """The key to verify the log with: ``vkey``, else the folder's own, which counts only where the policy knows it.

    Raises:
        InvalidRequest, ConfigError: as for :func:`finslm.audit.verify.open_verifier`.
    """
    own = open_verifier(folder, vkey)
    if vkey is not None or not policy.logs or own.vkey() in [log.vkey() for log in policy.logs]:
        return own
    return policy.logs[0]  # with which this log will not verify


def cut(size: int, cosigned: Checkpoint) -> AuditCorrupt:
    """The error for a log that lacks records which were cosigned."""
    return corrupt(
        size,
        f"missing: the tail was cut: the log has {size} records, and its witnesses have cosigned {cosigned.size}",
    )


def rewritten(cosigned: Checkpoint) -> AuditCorrupt:
    """The error for a log whose history is not the one that was cosigned."""
    return corrupt(
        0,
        f"the log was written anew and signed with its key: its first {cosigned.size} records are not those that "
        "its witnesses have cosigned",
    )


def _read_standing(path: Path, policy: WitnessPolicy, verifier: Verifier) -> Standing:
    try:
        return read_cosigned(path, policy, log_keys(policy, verifier))
    except OSError as error:
        raise AuditUnavailable(
            f"no cosigned checkpoint {path} ({error.strerror}): give one with --checkpoint, or ask the witnesses "
            "with: finslm witness check"
        ) from None


def _unmet(policy: WitnessPolicy, standing: Standing) -> str:
    absent = [name for name in policy.witnesses if name not in standing.times]
    return (
        f"the quorum {policy.quorum} is not met on the checkpoint of {standing.checkpoint.size} records: cosigned by "
        f"{', '.join(standing.times) or 'nobody'}, not by {', '.join(absent)}"
    )
