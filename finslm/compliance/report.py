"""Drawing a report: select the period, count it, and prove that nothing of it is missing."""

from __future__ import annotations

import hashlib
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from finslm.audit import verify_dir
from finslm.audit.records import utc_stamp
from finslm.compliance import tallies
from finslm.compliance.controls import chosen, judge
from finslm.compliance.evidence import evidence
from finslm.compliance.gather import Gathered
from finslm.compliance.model import Calls, Entities, Evidence, Query, Report, Source, Witnesses
from finslm.compliance.request import Request, refusal
from finslm.compliance.signals import Basis
from finslm.compliance.witnesses import Seen


def draw(log_dir: Path, request: Request, *, vkey: str | None = None, witness_policy: Path | None = None) -> Report:
    """Read and verify the whole log in ``log_dir`` and report on the records with from_ <= time < to.

    The same log and the same arguments give the same report, byte for byte.

    Args:
        request: period, names, tenant and standards.
        vkey: public key to verify with; the folder's own when None.
        witness_policy: file that says whose cosignatures count; without it none is read.

    Raises:
        InvalidRequest: no such standard, or no record of the log names the tenant.
        AuditCorrupt: the log does not match its hashes, or is not the one that was cosigned; no figure of it can be
            reported.
        AuditUnavailable, ConfigError: the log or its public key cannot be read.
    """
    standards = chosen(request.standards)
    seen = Seen.read(log_dir, vkey, witness_policy)
    verifier = seen.verifier
    gathered = Gathered(utc_stamp(request.from_), utc_stamp(request.to), request.tenant)
    verified = verify_dir(log_dir, vkey=verifier.vkey(), visit=gathered.take)
    gathered.close()
    _check_tenant(gathered)
    witnesses = seen.against(log_dir, verified)
    proven = evidence(log_dir, gathered, verified, witnesses)
    source = Source(
        origin=verifier.name,
        public_key=verifier.vkey(),
        tool="finslm compliance",
        tool_version=version("finslm"),
        system=request.system,
        environment=request.environment,
        log_begins=gathered.log_begins,
    )
    query = request.query(tuple(standard.id for standard in standards))
    basis = Basis(gathered, proven, _calls(gathered), _entities(gathered), witnesses)
    return Report(
        report_id=_report_id(request, source, query, proven, witnesses),
        source=source,
        period_from=gathered.start,
        period_to=gathered.end,
        generated_at=utc_stamp(request.drawn_at),
        generated_by=request.drawn_by,
        query=query,
        evidence=proven,
        witnesses=basis.witnesses,
        calls=basis.calls,
        entities=basis.entities,
        in_force=basis.in_force,
        refusals=tallies.refusals(gathered.ended),
        denials=tallies.denials(gathered.ended),
        incidents=gathered.incidents.rows(),
        clock=gathered.happenings.clock,
        egress=gathered.happenings.egress,
        retention=gathered.happenings.retention(),
        events_by_name=dict(sorted(gathered.happenings.by_name.items())),
        events=tuple(gathered.happenings.listed),
        deviations=tuple(gathered.shown),
        deviations_by_kind=dict(sorted((+gathered.odd).items())),
        standards=tuple(judge(standard, basis) for standard in standards),
    )


def _check_tenant(gathered: Gathered) -> None:
    if gathered.tenant and gathered.tenant not in gathered.tenants:
        known = sorted(gathered.tenants - {""})
        names = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
        raise refusal(
            "tenant", f"no record of the log names the tenant {gathered.tenant!r}; it names {names or 'none'}"
        )


def _report_id(request: Request, source: Source, query: Query, proven: Evidence, witnesses: Witnesses) -> str:
    """16 hex digits over the query, the trees, the cosignatures and the arguments."""
    trees = (proven.tree_at_start, proven.tree_at_end, proven.tree_now)
    parts = (
        *(query.sha256, source.origin, source.public_key, source.tool_version, source.system, source.environment),
        *(utc_stamp(request.drawn_at), request.drawn_by, *(tree.root_hash for tree in trees)),
        witnesses.model_dump_json(),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _calls(gathered: Gathered) -> Calls:
    ended, sums, durations = gathered.ended, gathered.sums, gathered.durations_ms
    statuses: Counter[str] = Counter()
    for key, calls in ended.items():
        statuses[key.status] += calls
    return Calls(
        total=tallies.tally("all", statuses.items()),
        blocked_answers=sum(calls for key, calls in ended.items() if key.blocked),
        prompt_tokens=sums["prompt_tokens"],
        completion_tokens=sums["completion_tokens"],
        input_chars=sums["input_chars"],
        output_chars=sums["output_chars"],
        duration_ms_p50=tallies.quantile_ms(durations, 0.5),
        duration_ms_p95=tallies.quantile_ms(durations, 0.95),
        duration_ms_max=tallies.quantile_ms(durations, 1.0),
        over_time=tallies.tallies_over_time(gathered),
        by_principal=tallies.tallies(ended, "principal"),
        by_tenant=tallies.tallies(ended, "tenant"),
        by_method=tallies.tallies(ended, "method"),
        by_task=tallies.tallies(ended, "task"),
        by_status=_ranked(statuses),
        with_principal=sum(calls for key, calls in ended.items() if key.principal),
        with_redactor=sum(calls for key, calls in ended.items() if key.status == "OK" and key.versioned),
    )


def _entities(gathered: Gathered) -> Entities:
    return Entities(
        total=gathered.entity_types.total(),
        calls_with_any=gathered.sums["calls_with_any"],
        by_type=_ranked(gathered.entity_types),
        by_action=_ranked(gathered.actions),
        in_answers=_ranked(gathered.answers),
    )


def _ranked(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
