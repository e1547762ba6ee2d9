"""What is looked for and what is done with it: policies, read from YAML, with a digest for every record."""

from __future__ import annotations

from redaction.policy.entries import AllowEntry, Case, DenyEntry
from redaction.policy.model import DEFAULT_ACTION, KEEP, LITERAL, EntityRule, Off, Policy
from redaction.policy.resolve import Resolved, builtin_names, resolve

__all__ = [
    "DEFAULT_ACTION",
    "KEEP",
    "LITERAL",
    "AllowEntry",
    "Case",
    "DenyEntry",
    "EntityRule",
    "Off",
    "Policy",
    "Resolved",
    "builtin_names",
    "resolve",
]
