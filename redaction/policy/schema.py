"""The JSON Schema of policy files, for editors and reviews: ``python -m redaction.policy.schema`` writes it.

It knows the format and the operators. Types are not listed: which there are, ``finslm policy check`` knows.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from redaction.operators import OPERATORS
from redaction.policy.entries import LITERAL, MAX_VALUE_CHARS, TYPE
from redaction.policy.known import LANGUAGES
from redaction.policy.layer import EXTENDS
from redaction.policy.model import KEEP, Policy
from redaction.policy.patterns import MAX_PATTERN_CHARS

SCHEMA_FILE: Final = Path(__file__).resolve().parents[1] / "policies" / "policy.schema.json"

Schema = dict[str, Any]


def schema() -> Schema:
    """Return the schema (JSON Schema, draft 2020-12)."""
    tree = Policy.model_json_schema()
    kinds, fields = tree.pop("$defs"), tree["properties"]
    operators = OPERATORS.names()
    kinds["EntityRule"] = _action_alone(kinds["EntityRule"], [KEEP, *operators])
    kinds["Off"]["properties"]["types"]["items"] = _type()
    kinds["Answer"]["properties"]["forbid"]["items"] = _type()
    for name in ("AllowEntry", "DenyEntry"):
        kinds[name] = _entry(kinds[name])
    kinds["AllowEntry"]["properties"]["types"]["items"] = _type()
    kinds["DenyEntry"]["properties"]["type"] |= _type()
    fields["default_action"]["enum"] = operators
    fields["languages"] |= {"items": {"enum": sorted(LANGUAGES)}, "minItems": 1}
    fields["entities"]["propertyNames"] = _type()
    fields["allow"]["items"] = {"anyOf": [_value(), fields["allow"]["items"]]}
    fields[EXTENDS] = {
        "type": "string",
        "minLength": 1,
        "description": "The policy that this one is based on: a built-in one by its name, or a .yaml file, "
        "from this file's folder.",
    }
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "finslm redaction policy"}
    plain: Schema = _plain({**tree, **head, "$defs": kinds})
    return plain


def rendered() -> str:
    """Return the file's text."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _type() -> Schema:
    return {"type": "string", "pattern": f"^{TYPE.pattern}$", "not": {"const": LITERAL}}


def _value() -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": MAX_VALUE_CHARS}


def _action_alone(rule: Schema, actions: list[str]) -> Schema:
    """A rule, or its action alone."""
    name = {"type": "string", "enum": actions}
    rule["properties"]["action"] = {"description": rule["properties"]["action"]["description"], **name}
    return {"anyOf": [name, rule]}


def _entry(entry: Schema) -> Schema:
    """An entry has values, one or several, or a pattern."""
    fields = entry["properties"]
    fields["values"] |= {"anyOf": [_value(), {"type": "array", "items": _value(), "minItems": 1}]}
    for key in ("type", "items"):
        fields["values"].pop(key)
    fields["pattern"] = {
        "description": fields["pattern"]["description"],
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_PATTERN_CHARS,
    }
    return {**entry, "oneOf": [{"required": ["values"]}, {"required": ["pattern"]}]}


def _plain(tree: Any) -> Any:
    """Without pydantic's titles, and without null for what may be left out."""
    if isinstance(tree, list):
        return [_plain(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    choices = tree.get("anyOf", ())
    if {"type": "null"} in choices:
        (choice,) = (c for c in choices if c != {"type": "null"})
        tree = {**{k: v for k, v in tree.items() if k not in ("anyOf", "default")}, **choice}
    return {k: _plain(v) for k, v in tree.items() if not (k == "title" and v != "finslm redaction policy")}


if __name__ == "__main__":
    SCHEMA_FILE.write_text(rendered(), "utf-8")
