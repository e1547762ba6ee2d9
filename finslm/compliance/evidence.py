"""What makes the figures of a report believable: trees, proofs, and the checks of completeness."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from finslm.audit import VerifyReport, merkle
from finslm.audit.nodes import nodes_of
from finslm.compliance.gather import Gathered
from finslm.compliance.model import Check, Evidence, Tree, Witnesses
from finslm.compliance.witnesses import check_of_quorum
from finslm.errors import AuditUnavailable


def evidence(log_dir: Path, gathered: Gathered, verified: VerifyReport, witnesses: Witnesses) -> Evidence:
    """Trees at both ends of the period, proofs between them, and what was counted.

    Raises:
        AuditUnavailable: the hashes cannot be read any more.
    """
    start, end = _bounds(gathered, verified.tree_size)
    nodes = _nodes(log_dir, verified.tree_size)
    trees = [Tree(size=n, root_hash=merkle.root(n, nodes).hex()) for n in (start, end, verified.tree_size)]
    proofs = [merkle.consistency_proof(old.size, new.size, nodes) for old, new in pairwise(trees)]
    return Evidence(
        **dict(zip(("tree_at_start", "tree_at_end", "tree_now"), trees, strict=True)),
        consistency_start_to_end=tuple(h.hex() for h in proofs[0]),
        consistency_end_to_now=tuple(h.hex() for h in proofs[1]),
        checkpoint_size=verified.checkpoint.size,
        checkpoint_root_hash=verified.checkpoint.root_hash.hex(),
        first_index=start if end > start else None,
        last_index=end - 1 if end > start else None,
        records_expected=end - start,
        records_counted=gathered.kinds.total(),
        records_pruned=gathered.gaps.declared(start, end),
        records_of_tenant=gathered.of_tenant if gathered.tenant else None,
        records_of_service=gathered.of_service if gathered.tenant else None,
        records_by_kind=dict(sorted(gathered.kinds.items())),
        checks=(
            *_checks_of_trees(trees, proofs, verified, gathered),
            *_checks_of_records(gathered),
            *check_of_quorum(witnesses, end),
        ),
    )


def _bounds(gathered: Gathered, size: int) -> tuple[int, int]:
    """Tree sizes at the start and the end of the period."""
    end = 0 if gathered.last_index is None else gathered.last_index + 1
    return min(end, size if gathered.first_index is None else gathered.first_index), end


def _checks_of_trees(
    trees: list[Tree], proofs: list[list[bytes]], verified: VerifyReport, gathered: Gathered
) -> tuple[Check, ...]:
    start, end, now = trees
    return (
        Check(
            name="Every record matches its hash",
            passed=verified.ok and now.root_hash == verified.root_hash,
            detail=_hashed(verified, now.size),
        ),
        _check_of_count(start.size, end.size, gathered),
        Check(
            name="The log only grew during the period",
            passed=_extends(start, end, proofs[0]),
            detail=f"consistency proof, {start.size:,} to {end.size:,}",
        ),
        Check(
            name="The log only grew since",
            passed=_extends(end, now, proofs[1]),
            detail=f"consistency proof, {end.size:,} to {now.size:,}",
        ),
        Check(
            name="The signed checkpoint covers the period",
            passed=verified.checkpoint.size >= end.size,
            detail=f"the first {verified.checkpoint.size:,} records are signed, the period ends at {end.size:,}",
        ),
    )


def _hashed(verified: VerifyReport, size: int) -> str:
    """Records that are still there are hashed again; of those that retention took away, the hashes stand."""
    pruned = f", {verified.first_kept:,} pruned, of which the hashes stand" if verified.first_kept else ""
    return f"{verified.records - verified.first_kept:,} records read and hashed{pruned}, {size:,} in the tree"


def _check_of_count(start: int, end: int, gathered: Gathered) -> Check:
    """Records counted and records pruned under a declared retention are the difference of the tree sizes."""
    expected, counted, gaps = end - start, gathered.kinds.total(), gathered.gaps
    pruned, begins = gaps.declared(start, end), gaps.begins_at or 0
    missing = expected - counted - pruned
    unknown = begins > 0 and (gathered.log_begins or "") >= gathered.start
    detail = f"{end:,} \u2212 {start:,} = {expected:,} by tree size, {counted:,} counted"
    detail += f", {pruned:,} pruned by declared retention" if pruned else ""
    detail += f", gaps {missing:,}"
    detail += f"; the records before {begins:,} are gone, and some may be of this period" if unknown else ""
    return Check(name="No record of the period is missing", passed=missing == 0 and not unknown, detail=detail)


def _checks_of_records(gathered: Gathered) -> tuple[Check, ...]:
    found = (
        ("Every call has an outcome", "NO_OUTCOME", "{:,} without"),
        ("Every outcome belongs to a call", "OUTCOME_WITHOUT_INTENT", "{:,} without"),
        ("The clock never went back", "TIME_OUT_OF_ORDER", "{:,} records out of order"),
    )
    return tuple(
        Check(name=name, passed=not gathered.odd[kind], detail=detail.format(gathered.odd[kind]))
        for name, kind, detail in found
    )


def _extends(old: Tree, new: Tree, proof: list[bytes]) -> bool:
    roots = bytes.fromhex(old.root_hash), bytes.fromhex(new.root_hash)
    return merkle.verify_consistency(old.size, new.size, *roots, proof)


def _nodes(log_dir: Path, size: int) -> merkle.ReadNode:
    """The Merkle nodes of the first ``size`` records, read as they are needed."""
    read = nodes_of(log_dir, size)

    def reading(position: int) -> bytes:
        try:
            return read(position)
        except OSError as error:
            raise AuditUnavailable(f"the audit log's hashes cannot be read: {error.strerror}") from error

    return reading
