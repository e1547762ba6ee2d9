"""What a policy does, and why: to each type, and to each finding in a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, final

from redaction.detection import Detection
from redaction.lists import DENY, AllowList
from redaction.policy.known import all_finders
from redaction.policy.model import KEEP, EntityRule, Off, Policy
from redaction.policy.resolve import Resolved, known_types


@final
@dataclass(frozen=True, slots=True)
class TypeFacts:
    """What happens to one type.

    Args:
        type: its name.
        action: the operator, ``keep``, or ``off``.
        threshold: findings with a lower score are dropped; None for a type that is off.
        said_by: ``FILE:LINE`` of its rule; the default action holds when empty.
        found_by: recognizers and classifiers that come with the package and may find it.
        allow: numbers of the entries of ``policy.allow`` that are for it.
        deny: numbers of the entries of ``policy.deny`` that give it.
        in_answers: what is done with its values in a model's answer, where they are forbidden; else empty.
    """

    type: str
    action: str
    threshold: float | None
    said_by: str
    found_by: tuple[str, ...]
    allow: tuple[int, ...]
    deny: tuple[int, ...]
    in_answers: str = ""


class Outcome(StrEnum):
    """What becomes of a finding."""

    REPLACED = "replaced"
    KEPT = "kept"
    DROPPED = "dropped"


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """A finding in a text, and what the policy does with it. It does not carry the text.

    Args:
        detection: what was found.
        threshold: of its type; None when the type is off.
        action: of its type.
        outcome: what becomes of it.
        why: the reason.
    """

    detection: Detection
    threshold: float | None
    action: str
    outcome: Outcome
    why: str


class Finder(Protocol):
    """The part of the redactor that this needs."""

    def analyze(self, text: str) -> list[Detection]:
        """See :meth:`redaction.Redactor.analyze`."""
        ...

    def with_policy(self, policy: Policy) -> Finder:
        """See :meth:`redaction.Redactor.with_policy`."""
        ...


def explain_types(resolved: Resolved) -> list[TypeFacts]:
    """Say what happens to every known type, sorted by name."""
    found_by = all_finders()
    types = {*known_types(resolved.policy), *resolved.policy.entities}
    return [_facts(resolved, type_, found_by) for type_ in sorted(types)]


def explain_text(resolved: Resolved, finder: Finder, text: str) -> list[Finding]:
    """Say what is found in a text, what becomes of each finding, and why.

    Args:
        resolved: the policy.
        finder: a redactor, with any policy.
        text: the text.

    Returns:
        What holds under the policy, and what would be found beside it if the policy dropped nothing.

    Raises:
        RedactionError: see :meth:`redaction.Redactor.analyze`.
    """
    policy = resolved.policy
    holds = finder.with_policy(policy).analyze(text)
    every = finder.with_policy(_open(policy)).analyze(text)
    dropped = [d for d in every if not any(h.start < d.end and d.start < h.end for h in holds)]
    explained = [*_held(resolved, holds, text), *_dropped(resolved, dropped, text)]
    return sorted(explained, key=lambda finding: finding.detection.start)


def _facts(resolved: Resolved, type_: str, found_by: Mapping[str, tuple[str, ...]]) -> TypeFacts:
    policy = resolved.policy
    off = type_ in policy.switched_off.types
    return TypeFacts(
        type=type_,
        action="off" if off else policy.action(type_),
        threshold=None if off else policy.threshold(type_),
        said_by=resolved.origins.get(type_, ""),
        found_by=tuple(n for n in found_by.get(type_, ()) if n not in policy.switched_off.recognizers),
        allow=tuple(n for n, entry in enumerate(policy.allow) if not entry.types or type_ in entry.types),
        deny=tuple(n for n, entry in enumerate(policy.deny) if entry.type == type_),
        in_answers=policy.answer.forbidden if type_ in policy.answer.forbid else "",
    )


def _open(policy: Policy) -> Policy:
    """The policy as it would be if it dropped nothing."""
    entities = {type_: EntityRule(action=rule.action) for type_, rule in policy.entities.items()}
    nothing = {"score_threshold": 0.0, "switched_off": Off(), "allow": (), "entities": entities}
    return policy.model_copy(update=nothing)


def _held(resolved: Resolved, held: Sequence[Detection], text: str) -> Iterator[Finding]:
    policy = resolved.policy
    allowed = AllowList(policy)
    for detection in held:
        action = policy.action(detection.type)
        outcome = Outcome.KEPT if action == KEEP else Outcome.REPLACED
        rule = resolved.origins.get(detection.type)
        why = [_proof(detection), f"{action} by {rule}" if rule else f"{action} by default_action"]
        if (entry := next(allowed.matching(detection, text[detection.start : detection.end]), None)) is not None:
            why.append(f"allow {entry} fits, but not what is proven: even_if_validated would")
        yield Finding(detection, policy.threshold(detection.type), action, outcome, "; ".join(why))


def _proof(detection: Detection) -> str:
    if detection.source == DENY:
        return "on the deny list"
    return "proven" if detection.validated else "likely enough"


def _dropped(resolved: Resolved, dropped: Sequence[Detection], text: str) -> Iterator[Finding]:
    policy = resolved.policy
    allowed = AllowList(policy)
    for detection in dropped:
        off = detection.type in policy.switched_off.types
        threshold = None if off else policy.threshold(detection.type)
        why = _why_dropped(resolved, detection, allowed, text[detection.start : detection.end])
        yield Finding(detection, threshold, policy.action(detection.type), Outcome.DROPPED, why)


def _why_dropped(resolved: Resolved, detection: Detection, allowed: AllowList, value: str) -> str:
    policy = resolved.policy
    if detection.type in policy.switched_off.types:
        return f"type {detection.type} is switched off"
    if detection.source in policy.switched_off.recognizers:
        return f"recognizer {detection.source} is switched off"
    if (entry := allowed.entry(detection, value)) is not None:
        return f"allow {entry} ({resolved.allow_origins[entry]})"
    if detection.score < (threshold := policy.threshold(detection.type)):
        return f"score {detection.score:.2f} below {threshold:g}"
    return "only a part of what other findings covered, and those are dropped"
