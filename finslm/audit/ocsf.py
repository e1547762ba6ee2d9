"""Records as events of the Open Cybersecurity Schema Framework (OCSF 1.9), for a bank's SIEM.

Calls are of class API Activity (6003), what the operator did of class Application Lifecycle (6002), both with the
profiles ``ai_operation`` and ``record_integrity``. The attestation's fingerprint is the Merkle leaf hash (RFC 9162)
of ``raw_data``, the record as it is stored, and not of the event made from it; so it can be proven in the log.
"""

from __future__ import annotations

import json
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final

from finslm.audit import merkle
from finslm.audit.records import Kind, Record

OCSF_VERSION: Final = "1.9.0-dev"
PROFILES: Final = ("ai_operation", "record_integrity")

_CATEGORY: Final = 6
_API_ACTIVITY: Final = 6003
_LIFECYCLE: Final = 6002
_LIFECYCLES: Final = {"SERVER_STARTED": (3, "Start"), "SERVER_STOPPED": (4, "Stop")}
_ACTIVITIES: Final = {"Generate": (1, "Create"), "GetRecord": (2, "Read"), "ListRecords": (2, "Read")}
_OTHER: Final = (99, "Other")
_SHA256: Final = 3
_DENIED: Final = frozenset({"PERMISSION_DENIED", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED"})


def ocsf_line(origin: str, index: int, record: Record) -> str:
    """One event as one line of JSON.

    Args:
        origin: the log's name; the chain that the event belongs to.
    """
    return json.dumps(to_ocsf(origin, index, record), separators=(",", ":"))


def to_ocsf(origin: str, index: int, record: Record) -> dict[str, Any]:
    """One event."""
    made = _lifecycle(record) if record.kind is Kind.EVENT else _api_activity(record)
    entry = record.canonical()
    leaf = merkle.leaf_hash(entry).hex()
    return made | {
        "category_uid": _CATEGORY,
        "type_uid": made["class_uid"] * 100 + made["activity_id"],
        "time": round(datetime.fromisoformat(record.time).timestamp() * 1000),
        "metadata": _metadata(origin, index, record),
        "attestation_list": [
            {"uid": f"{origin}/{index}", "chain_uid": origin, "fingerprint": _fingerprint(leaf)},
        ],
        "raw_data": entry.decode(),
    }


def _metadata(origin: str, index: int, record: Record) -> dict[str, Any]:
    product = {"name": "finslm", "vendor_name": "finslm", "version": version("finslm")}
    made: dict[str, Any] = {"version": OCSF_VERSION, "product": product, "log_name": origin, "profiles": list(PROFILES)}
    made |= {"uid": f"{origin}/{index}", "sequence": index, "original_time": record.time}
    return made | _present({"tenant_uid": record.tenant, "correlation_uid": record.request_id})


def _fingerprint(value: str) -> dict[str, Any]:
    return {"algorithm_id": _SHA256, "algorithm": "SHA-256", "value": value}


def _lifecycle(record: Record) -> dict[str, Any]:
    activity_id, name = _LIFECYCLES.get(record.event, _OTHER)
    return {
        "class_uid": _LIFECYCLE,
        "activity_id": activity_id,
        "activity_name": record.event if name == "Other" else name,
        "severity_id": 1,
        "status_id": 1,
        "app": {"name": "finslm", "vendor_name": "finslm"},
        "unmapped": {"event": record.event, "details": dict(record.details)},
    }


def _api_activity(record: Record) -> dict[str, Any]:
    service, _, operation = record.method.partition("/")
    activity_id, name = _ACTIVITIES.get(operation, _OTHER)
    made: dict[str, Any] = {
        "class_uid": _API_ACTIVITY,
        "activity_id": activity_id,
        "activity_name": operation if name == "Other" else name,
        "actor": {"user": {"name": record.principal or "unknown", "type_id": 3, "type": "System"}},
        "api": {"operation": operation, "service": {"name": service}, "request": {"uid": record.request_id}},
        "src_endpoint": {"name": record.principal or "unknown"},
        "unmapped": {"kind": str(record.kind)} | _counts(record),
        **_status(record),
    }
    if record.status:
        made["api"]["response"] = _present({"code_string": record.status, "error": record.reason})
        made["duration"] = record.duration_ms or 0
    if record.model_name:
        made["ai_model"] = _present(
            {"name": record.model_name, "ai_provider": "Internal", "version": record.model_digest}
        )
    if record.prompt_tokens is not None:
        made["message_context"] = {"ai_role_id": 2, **_tokens(record)}
    return made


def _status(record: Record) -> dict[str, Any]:
    if record.kind is Kind.INTENT:
        return {"status_id": 0, "severity_id": 1}
    if record.status == "OK":
        return {"status_id": 1, "severity_id": 1}
    return {
        "status_id": 2,
        "severity_id": 3 if record.status in _DENIED else 2,
        "status_code": record.status,
        "status_detail": record.reason,
    }


def _tokens(record: Record) -> dict[str, int]:
    prompt, completion = record.prompt_tokens or 0, record.completion_tokens or 0
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _counts(record: Record) -> dict[str, Any]:
    names = ("task", "adapter_name", "adapter_digest", "policy_digest", "redactor_digest", "finish_reason")
    tables = ("entity_counts", "action_counts", "answer_counts")
    return _present({name: getattr(record, name) for name in names} | {n: dict(getattr(record, n)) for n in tables})


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
