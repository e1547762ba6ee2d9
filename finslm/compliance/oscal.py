"""The report as OSCAL assessment results 1.2.1, for tools of governance, risk and compliance.

An objective here is about evidence, never about a rule as a whole: *satisfied* says that what is asked for stands in
the log of the period. All ids are UUIDs of version 5 under the digest of the query and the report's id.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Final

from finslm.compliance.model import Check, Control, Report, Standard, Status

OSCAL_VERSION: Final = "1.2.1"
_SPACE: Final = uuid.UUID("8f1f6f3c-55d1-5c1e-9b0e-3b1f0c7a5d10")
"""Name space of our ids (RFC 9562, version 5)."""
_NS: Final = "https://finslm.example/ns/oscal"
_STATES: Final[dict[Status, tuple[str, str]]] = {
    "evidenced": ("satisfied", "pass"),
    "partly": ("not-satisfied", "other"),
    "not evidenced": ("not-satisfied", "fail"),
    "the bank's own": ("not-satisfied", "other"),
}
Json = dict[str, object]


def to_oscal(report: Report) -> str:
    """Render ``report`` as JSON, two spaces indented, with a final newline."""
    ids = _Ids(report)
    source, query = report.source, report.query
    plan = ids.of("plan")
    tree: Json = {
        "assessment-results": {
            "uuid": ids.of("assessment-results"),
            "metadata": {
                "title": f"Compliance report {report.report_id}, {source.system or source.origin}",
                "last-modified": report.generated_at,
                "version": report.report_id,
                "oscal-version": OSCAL_VERSION,
                "props": [
                    _prop("environment", source.environment or "not named"),
                    _prop("tenant", query.tenant or "all tenants"),
                    _prop("drawn-by", report.generated_by),
                    _prop("tool", f"{source.tool} {source.tool_version}"),
                    _prop("query-sha256", query.sha256),
                ],
            },
            "import-ap": {"href": f"#{plan}", "remarks": "The query takes the place of an assessment plan."},
            "local-definitions": {
                "objectives-and-methods": [_objective(s, c) for s in report.standards for c in s.controls]
            },
            "results": [_result(report, ids)],
            "back-matter": {
                "resources": [{"uuid": plan, "title": "Query of the compliance report", "description": query.text}]
            },
        }
    }
    if not report.standards:  # an empty list is not allowed
        del tree["assessment-results"]["local-definitions"]  # type: ignore[attr-defined]
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


class _Ids:
    """UUIDs that are the same for the same report."""

    def __init__(self, report: Report) -> None:
        self._space = uuid.uuid5(_SPACE, f"{report.query.sha256} {report.report_id}")

    def of(self, name: str) -> str:
        """The id of the part of this name."""
        return str(uuid.uuid5(self._space, name))


def _result(report: Report, ids: _Ids) -> Json:
    e = report.evidence
    controls = [{"control-id": control_id(s, c)} for s in report.standards for c in s.controls]
    selection: Json = {"include-controls": controls} if controls else {"include-all": {}}
    result: Json = {
        "uuid": ids.of("result"),
        "title": "What the audit log of the period evidences",
        "description": "Computed from the verified audit log; no status claims compliance with a rule.",
        "start": report.period_from,
        "end": report.period_to,
        "props": [
            _prop("tree-size-at-start", str(e.tree_at_start.size)),
            _prop("tree-root-at-start", e.tree_at_start.root_hash),
            _prop("tree-size-at-end", str(e.tree_at_end.size)),
            _prop("tree-root-at-end", e.tree_at_end.root_hash),
            _prop("records-expected", str(e.records_expected)),
            _prop("records-counted", str(e.records_counted)),
            _prop("log-public-key", report.source.public_key),
        ],
        "reviewed-controls": {"control-selections": [selection]},
        "observations": [*_checks(report, ids), *_observations(report, ids)],
    }
    findings = [_finding(s, c, ids) for s in report.standards for c in s.controls]
    return result | ({"findings": findings} if findings else {})


def _checks(report: Report, ids: _Ids) -> Iterator[Json]:
    for check in report.evidence.checks:
        yield _observation(report, ids.of(f"check {check.name}"), check.name, _passed(check))


def _passed(check: Check) -> str:
    return f"{'Passed' if check.passed else 'Not passed'}: {check.detail}"


def _observations(report: Report, ids: _Ids) -> Iterator[Json]:
    for standard in report.standards:
        for control in standard.controls:
            words = control.found or "No log of this service can show it."
            identity = ids.of(f"observation {control_id(standard, control)}")
            yield _observation(report, identity, f"{standard.name}: {control.id}", words)


def _observation(report: Report, identity: str, title: str, words: str) -> Json:
    return {
        "uuid": identity,
        "title": title,
        "description": words,
        "methods": ["EXAMINE"],
        "types": ["control-objective"],
        "collected": report.generated_at,
    }


def control_id(standard: Standard, control: Control) -> str:
    """``pci-dss_10.2.1``: a token of OSCAL."""
    return f"{standard.id}_{re.sub(r'[^A-Za-z0-9.-]+', '-', control.id).strip('-')}"


def _objective(standard: Standard, control: Control) -> Json:
    identity = control_id(standard, control)
    return {
        "control-id": identity,
        "description": f"{standard.name}, {control.id}",
        "parts": [{"id": f"{identity}_evidence", "name": "assessment-objective", "prose": control.asks}],
    }


def _finding(standard: Standard, control: Control, ids: _Ids) -> Json:
    identity = control_id(standard, control)
    state, reason = _STATES[control.status]
    return {
        "uuid": ids.of(f"finding {identity}"),
        "title": f"{standard.name}: {control.id}",
        "description": control.asks,
        "props": [_prop("evidence-status", control.status)],
        "target": {
            "type": "objective-id",
            "target-id": f"{identity}_evidence",
            "status": {"state": state, "reason": reason, "remarks": f"Evidence in the log: {control.status}."},
        },
        "related-observations": [{"observation-uuid": ids.of(f"observation {identity}")}],
        "remarks": f"The bank must: {control.bank}",
    }


def _prop(name: str, value: str) -> Json:
    return {"name": name, "ns": _NS, "value": value}
