"""Drawing a report: select the period, count it, and prove that nothing of it is missing."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from finslm.audit import VerifyReport, merkle, verify_dir
from finslm.audit.records import utc_stamp
from finslm.audit.scan import HASHES_FILE
from finslm.audit.verify import open_verifier
from finslm.compliance.gather import Gathered
from finslm.compliance.model import Calls, Check, Entities, Evidence, Query, Report, Source, Tally, Tree
from finslm.errors import AuditUnavailable, FieldViolation, InvalidRequest

MAX_NAME_CHARS: Final = 64


def draw(
    log_dir: Path, from_: datetime, to: datetime, *, generated_at: datetime, generated_by: str, vkey: str | None = None
) -> Report:
    """Read and verify the whole log in ``log_dir`` and report on the records with from_ <= time < to.

    The same log and the same arguments give the same report, byte for byte.

    Args:
        from_, to: aware times.
        generated_at: when it is drawn (now); ``to`` must not be after it.
        generated_by: who draws it, at most 64 printable characters.
        vkey: public key to verify with; the folder's own when None.

    Raises:
        InvalidRequest: the period is empty, reversed or not over yet, or ``generated_by`` is no name.
        AuditCorrupt: the log does not match its hashes; no figure of it can be reported.
        AuditUnavailable, ConfigError: the log or its public key cannot be read.
    """
    _check_arguments(from_, to, generated_at, generated_by)
    verifier = open_verifier(log_dir, vkey)
    gathered = Gathered(utc_stamp(from_), utc_stamp(to))
    verified = verify_dir(log_dir, vkey=verifier.vkey(), visit=gathered.take)
    return Report(
        source=Source(
            origin=verifier.name, public_key=verifier.vkey(), tool="finslm compliance", tool_version=version("finslm")
        ),
        period_from=gathered.start,
        period_to=gathered.end,
        generated_at=utc_stamp(generated_at),
        generated_by=generated_by,
        query=_query(gathered),
        evidence=_evidence(log_dir, gathered, verified),
        calls=_calls(gathered),
        entities=Entities(
            total=gathered.entity_types.total(),
            calls_with_any=gathered.sums["calls_with_any"],
            by_type=_ranked(gathered.entity_types),
            by_action=_ranked(gathered.actions),
        ),
        in_force=tuple(sorted(gathered.versions.values(), key=lambda v: (v.kind, v.first_index, v.name, v.digest))),
        refusals=gathered.refusals(),
        events=tuple(gathered.events),
        deviations=gathered.deviations(),
    )


def _check_arguments(from_: datetime, to: datetime, generated_at: datetime, generated_by: str) -> None:
    if any(moment.tzinfo is None for moment in (from_, to, generated_at)):
        raise ValueError("times must be aware: give them a time zone")
    if from_ >= to:
        raise _refusal(
            "to", f"the period ends ({_day(to)}) before it begins ({_day(from_)}): give the earlier time first"
        )
    if to > generated_at:
        raise _refusal("to", f"the period ends at {_day(to)} and is not over: a report of it could not be complete")
    if not generated_by.isprintable() or not 1 <= len(generated_by) <= MAX_NAME_CHARS:
        raise _refusal("generated_by", f"a name of 1 to {MAX_NAME_CHARS} printable characters is wanted")


def _refusal(field: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"compliance report: {what}", FieldViolation(field, what))


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _query(gathered: Gathered) -> Query:
    text = (
        f'records of the log with "{gathered.start}" <= time < "{gathered.end}" (compared as strings), '
        "in the order of their index; a call is an OUTCOME record; nothing else is left out"
    )
    return Query(text=text, sha256=hashlib.sha256(text.encode()).hexdigest())


def _calls(gathered: Gathered) -> Calls:
    statuses: Counter[str] = Counter()
    for (status, _), calls in gathered.statuses.items():
        statuses[status] += calls
    return Calls(
        total=next(iter(gathered.tallies("all")), Tally(name="all")),
        blocked_answers=gathered.sums["blocked"],
        prompt_tokens=gathered.sums["prompt_tokens"],
        completion_tokens=gathered.sums["completion_tokens"],
        input_chars=gathered.sums["input_chars"],
        output_chars=gathered.sums["output_chars"],
        duration_ms_p50=gathered.duration_ms(0.5),
        duration_ms_p95=gathered.duration_ms(0.95),
        duration_ms_max=gathered.duration_ms(1.0),
        over_time=gathered.over_time(),
        by_principal=gathered.tallies("principal"),
        by_method=gathered.tallies("method"),
        by_task=gathered.tallies("task"),
        by_status=_ranked(statuses),
    )


def _ranked(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _evidence(log_dir: Path, gathered: Gathered, verified: VerifyReport) -> Evidence:
    size = verified.tree_size
    end = 0 if gathered.last_index is None else gathered.last_index + 1
    start = min(end, size if gathered.first_index is None else gathered.first_index)
    nodes = _Nodes(log_dir, size)
    trees = [Tree(size=n, root_hash=merkle.root(n, nodes.read).hex()) for n in (start, end, size)]
    proofs = [merkle.consistency_proof(old, new, nodes.read) for old, new in ((start, end), (end, size))]
    counted = gathered.kinds.total()
    return Evidence(
        tree_at_start=trees[0],
        tree_at_end=trees[1],
        tree_now=trees[2],
        consistency_start_to_end=tuple(h.hex() for h in proofs[0]),
        consistency_end_to_now=tuple(h.hex() for h in proofs[1]),
        checkpoint_size=verified.checkpoint.size,
        checkpoint_root_hash=verified.checkpoint.root_hash.hex(),
        first_index=start if end > start else None,
        last_index=end - 1 if end > start else None,
        records_expected=end - start,
        records_counted=counted,
        records_by_kind=dict(sorted(gathered.kinds.items())),
        checks=_checks(trees, proofs, counted, verified, gathered),
    )


def _checks(
    trees: list[Tree], proofs: list[list[bytes]], counted: int, verified: VerifyReport, gathered: Gathered
) -> tuple[Check, ...]:
    start, end, now = trees
    missing = end.size - start.size - counted
    unanswered = sum(row.kind == "NO_OUTCOME" for row in gathered.deviations())
    strays = len(gathered.strays)
    return (
        Check(
            name="Every record matches its hash",
            passed=verified.ok and now.root_hash == verified.root_hash,
            detail=f"{verified.records} records read and hashed, {now.size} in the tree",
        ),
        Check(
            name="No record of the period is missing",
            passed=missing == 0,
            detail=f"{end.size} \u2212 {start.size} = {end.size - start.size} by tree size, {counted} counted",
        ),
        Check(
            name="The log only grew during the period",
            passed=_extends(start, end, proofs[0]),
            detail=f"consistency proof, {start.size} to {end.size}",
        ),
        Check(
            name="The log only grew since",
            passed=_extends(end, now, proofs[1]),
            detail=f"consistency proof, {end.size} to {now.size}",
        ),
        Check(
            name="The signed checkpoint covers the period",
            passed=verified.checkpoint.size >= end.size,
            detail=f"the first {verified.checkpoint.size} records are signed, the period ends at {end.size}",
        ),
        Check(name="Every call has an outcome", passed=unanswered == 0, detail=f"{unanswered} without"),
        Check(name="Every outcome belongs to a call", passed=strays == 0, detail=f"{strays} without"),
        Check(
            name="The clock never went back",
            passed=not gathered.odd_times,
            detail=f"{len(gathered.odd_times)} records out of order",
        ),
    )


def _extends(old: Tree, new: Tree, proof: list[bytes]) -> bool:
    roots = bytes.fromhex(old.root_hash), bytes.fromhex(new.root_hash)
    return merkle.verify_consistency(old.size, new.size, *roots, proof)


class _Nodes:
    """The Merkle nodes of the first ``size`` records, read as they are needed."""

    def __init__(self, log_dir: Path, size: int) -> None:
        self._path = log_dir / HASHES_FILE
        self._end = merkle.node_count(size)

    def read(self, position: int) -> bytes:
        """Return one node.

        Raises:
            AuditUnavailable: the file cannot be read any more.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(min(position, self._end) * merkle.HASH_BYTES)
                return file.read(merkle.HASH_BYTES)
        except OSError as error:
            raise AuditUnavailable(f"the audit log's hashes cannot be read: {error.strerror}") from error
