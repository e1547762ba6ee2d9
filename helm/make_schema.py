# ruff: noqa: INP001 - a script beside the chart, no package
"""Write ``finslm/values.schema.json``: closed, and its settings taken from the program's own schema.

Run ``python helm/make_schema.py`` after a change of ``finslm/config.py`` or of the values; a test
fails while the file is not what this prints.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from finslm.config import Settings

SCHEMA_FILE = Path(__file__).resolve().parent / "finslm" / "values.schema.json"
Schema = dict[str, Any]

DECIDED_BY_THE_CHART = {
    "server": {"host", "port", "port_file", "tls_cert_file", "tls_key_file", "tls_client_ca_file"},
    "redaction": {"policy_file", "policies", "tenant_policies"},
    "engine": set[str](),
    "models": {"dir"},
    "audit": {"dir", "origin"},
    "vault": {"file", "dsn_file"},
    "feedback": {"dir"},
    "log": set[str](),
}
"""Settings that are not among the values: the templates write them."""

DNS_LABEL = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
OBJECT_NAME = "^$|^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"
POLICY_NAME = {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$"}
QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|Ki|Mi|Gi|Ti|k|M|G|T)?$"


def text(pattern: str | None = None, **more: Any) -> Schema:
    """A string."""
    return {"type": "string", **({"pattern": pattern} if pattern else {}), **more}


def number(minimum: int, maximum: int | None = None) -> Schema:
    """A whole number."""
    return {"type": "integer", "minimum": minimum, **({"maximum": maximum} if maximum else {})}


def closed(*required: str, **properties: Schema) -> Schema:
    """An object without other names."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        **({"required": list(required)} if required else {}),
    }


def items(of: Schema, **more: Any) -> Schema:
    """A list."""
    return {"type": "array", "items": of, **more}


def names_to_text(names: Schema | None = None) -> Schema:
    """Labels, annotations and the like: free names, text only."""
    return {"type": "object", "additionalProperties": text(), **({"propertyNames": names} if names else {})}


def settings() -> Schema:
    """The sections of the program's settings, less what the chart decides itself."""
    whole = Settings.model_json_schema()
    sections = {}
    for section, hidden in DECIDED_BY_THE_CHART.items():
        definition = whole["$defs"][whole["properties"][section]["$ref"].rsplit("/", 1)[-1]]
        fields = {name: _plain(f, whole["$defs"]) for name, f in definition["properties"].items() if name not in hidden}
        sections[section] = closed(**fields)
    return closed(**sections)


def _plain(field: Schema, definitions: Schema) -> Schema:
    if "$ref" in field:  # a section within a section
        inner = definitions[field["$ref"].rsplit("/", 1)[-1]]["properties"]
        return closed(**{name: _plain(value, definitions) for name, value in inner.items()})
    plain = {key: value for key, value in field.items() if key not in ("title", "default")}
    return plain | ({"additionalProperties": False} if "patternProperties" in plain else {})


def schema() -> Schema:
    """The whole schema (JSON Schema, draft 7, as Helm reads it)."""
    boolean: Schema = {"type": "boolean"}
    labels = names_to_text()
    peer = closed("namespace", namespace=text(DNS_LABEL), podLabels=labels)
    port = number(1, 65535)
    cidr = text(r"^[0-9a-fA-F.:]+/[0-9]{1,3}$", **{"not": {"pattern": "/0$"}})  # /0 would be everywhere
    egress = {
        "oneOf": [
            closed("cidr", "port", cidr=cidr, port=port),
            closed("namespace", "port", namespace=text(DNS_LABEL), podLabels=labels, port=port),
        ]
    }
    amounts = closed("cpu", "memory", cpu=text(QUANTITY), memory=text(QUANTITY))
    resources = closed("requests", "limits", requests=amounts, limits=amounts)
    probe = closed(periodSeconds=number(1), timeoutSeconds=number(1), failureThreshold=number(1))
    secret_key = text("^[-._a-zA-Z0-9]+$")
    name = text(OBJECT_NAME)
    persistence = {"size": text(QUANTITY), "storageClass": name}
    root = closed(
        image=closed(
            repository=text(r"^[a-z0-9]([-a-z0-9._/:]*[a-z0-9])?$"),
            tag=text(r"^$|^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$"),
            digest=text("^$|^sha256:[0-9a-f]{64}$"),
            pullPolicy=text(enum=["Always", "IfNotPresent", "Never"]),
            pullSecrets=items(text(OBJECT_NAME)),
        ),
        nameOverride=text("^$|" + DNS_LABEL),
        fullnameOverride=text("^$|" + DNS_LABEL),
        replicaCount=number(0, 100),
        access=closed(tokensSecret=closed(name=name, key=secret_key)),
        tls=closed(secretName=name, clientCaSecretName=name, probeSecretName=name, serverName=text("^[a-z0-9.-]*$")),
        settings=settings(),
        redactionPolicy=closed(
            configMapName=name,
            key=secret_key,
            named={"type": "object", "additionalProperties": secret_key, "propertyNames": POLICY_NAME},
            tenants={"type": "object", "additionalProperties": items(POLICY_NAME, minItems=1)},
        ),
        vault=closed(keysSecretName=name),
        feedback=closed(enabled=boolean),
        audit=closed(origin=text(r"^[A-Za-z0-9._~/-]{1,60}$"), persistence=closed(**persistence)),
        models=closed(
            persistence=closed(
                existingClaim=name,
                accessModes=items(text(enum=["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"]), minItems=1),
                **persistence,
            )
        ),
        modelPull=closed(
            enabled=boolean,
            **{"from": text(minLength=1)},
            names=items(text("^[a-z0-9][a-z0-9._-]{0,63}$")),
            env=names_to_text({"pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "not": {"pattern": "^FINSLM_"}}),
            caBundle=closed(configMapName=name, key=secret_key),
            egress=items(egress),
            dns=boolean,
            ttlSecondsAfterFinished=number(0),
            resources=resources,
        ),
        service=closed(port=port, annotations=labels),
        metrics=closed(
            port=number(1024, 65535),
            serviceMonitor=closed(enabled=boolean, interval=text("^[0-9]+(ms|s|m)$"), labels=labels),
            rules=closed(enabled=boolean, labels=labels),
        ),
        networkPolicy=closed(enabled=boolean, callers=items(peer), prometheus=items(peer), dns=peer),
        serviceAccount=closed(create=boolean, name=name, annotations=labels),
        resources=resources,
        podDisruptionBudget=closed(enabled=boolean, maxUnavailable=number(0)),
        topologySpread=closed(
            enabled=boolean,
            topologyKey=text(minLength=1),
            maxSkew=number(1),
            whenUnsatisfiable=text(enum=["ScheduleAnyway", "DoNotSchedule"]),
        ),
        probes=closed(startup=probe, readiness=probe, liveness=probe),
        nodeSelector=labels,
        tolerations=items(
            closed(
                key=text(),
                operator=text(enum=["Exists", "Equal"]),
                value=text(),
                effect=text(enum=["NoSchedule", "PreferNoSchedule", "NoExecute"]),
                tolerationSeconds=number(0),
            )
        ),
        priorityClassName=name,
        podAnnotations=labels,
        podLabels=labels,
        tests=closed(enabled=boolean),
        **{"global": {"type": "object", "maxProperties": 0}},
    )
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of the finslm chart", **root}


def rendered() -> str:
    """The file's text."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(rendered(), "utf-8")
