"""For texts that are kept without a map to their values: nothing in them may be undone, by a key either."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from redaction.operators import PLACEHOLDER
from redaction.policy import KEEP, LITERAL, EntityRule, Policy
from redaction.policy.known import all_finders
from redaction.redactor import Redacted, Redactor

ONE_WAY: Final = frozenset({"placeholder", "mask", "drop", "generalise", KEEP})
"""Actions that no key undoes. Encryption, surrogates and shifted dates can be taken back with the tenant's key, and a
keyed hash can be tried with it against all there is of short numbers."""

_OURS: Final = re.compile(r"<(?P<type>[A-Z][A-Z0-9_]*?)_(?P<number>[0-9]{1,3})(?:_[0-9A-HJKMNP-TV-Z]{8})?>")
"""A placeholder, with or without the nonce of a session; a number of more digits could be data."""


@lru_cache(maxsize=64)
def for_good(redactor: Redactor) -> Redactor:
    """Return the redactor with placeholders for what its policy would replace by something that a key undoes."""
    policy = one_way(redactor.policy)
    return redactor if policy == redactor.policy else redactor.with_policy(policy)


def one_way(policy: Policy) -> Policy:
    """Return the policy with ``placeholder`` for every action that is not one way."""
    rules = {
        type_: rule
        if rule.action is None or rule.action in ONE_WAY
        else EntityRule(action="placeholder", score_threshold=rule.score_threshold)
        for type_, rule in policy.entities.items()
    }
    default = policy.default_action if policy.default_action in ONE_WAY else "placeholder"
    return policy.model_copy(update={"entities": rules, "default_action": default})


def known_placeholders_kept(redacted: Redacted) -> str:
    """Return the text with the placeholders that it had before it was redacted: a second time changes nothing.

    A redactor replaces what looks like a placeholder, so that none can be forged. Where nothing is ever restored,
    that protects nobody. Only ``<TYPE_N>`` of a type there is, with a short number, comes back, and without the nonce
    of a session; anything else of that shape could be data in disguise.
    """
    return PLACEHOLDER.sub(lambda match: _as_it_was(match[0], redacted), redacted.text)


def _as_it_was(placeholder: str, redacted: Redacted) -> str:
    found = _OURS.fullmatch(redacted.placeholders.get(placeholder, ""))
    if not placeholder.startswith(f"<{LITERAL}_") or found is None or found["type"] not in _types():
        return placeholder
    return f"<{found['type']}_{found['number']}>"


@lru_cache(maxsize=1)
def _types() -> frozenset[str]:
    return frozenset({LITERAL, *all_finders()})
