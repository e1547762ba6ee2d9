"""What a valid policy may still get wrong: for its reviewers, before it is put in force."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, final

from redaction.detection import Detection
from redaction.lists import AllowList, DenyList
from redaction.policy.entries import Case, DenyEntry
from redaction.policy.known import all_finders, nearest, recognizer_types
from redaction.policy.model import Policy
from redaction.policy.patterns import NUMBERS, WORDS
from redaction.policy.resolve import Resolved, known_types

HIGH_THRESHOLD: Final = 0.75
"""A type with a threshold above it loses findings that rest on a word beside them and not on a check digit."""

_TYPO: Final = 0.8
"""How like a known type a new one must be to look like a slip."""

_SHORT: Final = 2
"""A denied value of so few characters is found in ordinary text, when capitals do not count."""


@final
@dataclass(frozen=True, slots=True)
class Remark:
    """Something that a reviewer should look at.

    Args:
        code: short name of the kind, stable.
        where: ``FILE:LINE``.
        message: what it is; never a value of a list.
    """

    code: str
    where: str
    message: str


def check(resolved: Resolved) -> list[Remark]:
    """Return what a reviewer should look at, the weightiest kind first. Errors were raised when it was read."""
    return [
        *_let_through(resolved),
        *_thresholds(resolved),
        *_allowed_widely(resolved),
        *_overlaps(resolved),
        *_denied(resolved),
    ]


def examples_of() -> Iterator[tuple[str, str]]:
    """Yield type and value of every example of every recognizer."""
    from redaction.recognizers import RECOGNIZERS

    for name in recognizer_types():
        recognizer = RECOGNIZERS.get(name)()
        for example in recognizer.examples:
            text = example.replace("⟦", "").replace("⟧", "")
            for found in recognizer.detect(text):
                yield found.type, text[found.start : found.end]


def _let_through(resolved: Resolved) -> Iterator[Remark]:
    policy, usual = resolved.policy, Policy.builtin().kept
    for type_ in sorted(policy.kept - usual):
        word = "switched off" if type_ in policy.switched_off.types else "kept"
        yield Remark("confidential-kept", resolved.origins[type_], f"{type_} is {word}, and is usually confidential")
    for name in policy.switched_off.recognizers:
        types = ", ".join(type_ for type_, names in all_finders().items() if name in names)
        said = f"recognizer {name} is switched off; it finds {types}"
        yield Remark("recognizer-off", resolved.origins[name], said)


def _thresholds(resolved: Resolved) -> Iterator[Remark]:
    policy = resolved.policy
    if policy.score_threshold > HIGH_THRESHOLD:
        said = f"score_threshold {policy.score_threshold} drops findings that only a word beside them proves"
        yield Remark("high-threshold", resolved.layers[-1], said)
    for type_, rule in policy.entities.items():
        if rule.score_threshold is not None and rule.score_threshold > HIGH_THRESHOLD:
            said = f"{type_}: score_threshold {rule.score_threshold} drops findings that only a word beside them proves"
            yield Remark("high-threshold", resolved.origins[type_], said)


def _allowed_widely(resolved: Resolved) -> Iterator[Remark]:
    examples = sorted(set(examples_of()))
    for number, entry in enumerate(resolved.policy.allow):
        where = resolved.allow_origins[number]
        if entry.even_if_validated:
            yield Remark("allows-proven", where, f"allow {number} lets also go what a check digit has proven")
        if entry.pattern is None:
            continue
        compiled = entry.compiled()
        wide = [word for word, probes in (("word", WORDS), ("number", NUMBERS)) if any(map(compiled.fullmatch, probes))]
        if wide:
            yield Remark("allows-widely", where, f"allow {number} matches any {wide[0]}")
        types = {type_ for type_, value in examples if compiled.fullmatch(value)}
        if hit := sorted(types & {*entry.types} if entry.types else types):
            yield Remark("allows-identifiers", where, f"allow {number} matches examples of {', '.join(hit[:5])}")


def _overlaps(resolved: Resolved) -> Iterator[Remark]:
    """Values on both lists: the deny list wins, and somebody expects otherwise."""
    policy = resolved.policy
    if not (policy.allow and policy.deny):
        return
    allowed, denied = AllowList(policy), DenyList(policy)
    for number, deny in enumerate(policy.deny):
        hits = {n for value in deny.values for n in allowed.matching(_as_found(deny, value), value)}
        for hit in sorted(hits):
            said = f"deny {number} and allow {hit} have a value in common; what is denied is found"
            yield Remark("lists-overlap", resolved.deny_origins[number], said)
    for number, allow in enumerate(policy.allow):
        if any(denied.detect(value) for value in allow.values):
            said = f"allow {number} has a value in which the deny list finds something; what is denied is found"
            yield Remark("lists-overlap", resolved.allow_origins[number], said)


def _as_found(entry: DenyEntry, value: str) -> Detection:
    return Detection(0, len(value), entry.type, 0.5, "")


def _denied(resolved: Resolved) -> Iterator[Remark]:
    known = known_types()
    for number, entry in enumerate(resolved.policy.deny):
        where = resolved.deny_origins[number]
        if entry.type not in known and (near := nearest(entry.type, known, cutoff=_TYPO)):
            yield Remark("new-type", where, f"deny {number} makes a new type {entry.type};{near}")
        if entry.case is Case.IGNORE and any(len(value) <= _SHORT for value in entry.values):
            yield Remark("short-value", where, f"deny {number} has a value of at most {_SHORT} characters in any case")
        if entry.pattern is not None and _matches_any(entry.compiled()):
            yield Remark("denies-widely", where, f"deny {number} matches any word or any number")


def _matches_any(compiled: Any) -> bool:
    return any(map(compiled.fullmatch, (*WORDS, *NUMBERS)))
