"""What changes when one policy takes the place of another: what gets weaker, what stronger, what only differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, final

from redaction.policy.answer import FINDINGS, AnswerAction
from redaction.policy.entries import AllowEntry, Case, DenyEntry
from redaction.policy.model import KEEP, Policy
from redaction.policy.resolve import Resolved, known_types

OTHERS: Final = "(all other types)"
"""Stands for every type that neither policy names."""

_OFF: Final = "off"


class Kind(StrEnum):
    """Which way a change goes. What may let more text through is weaker."""

    WEAKER = "weaker"
    STRONGER = "stronger"
    CHANGED = "changed"


@final
@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Args:
        subject: a type, or the part of the policy.
        before: in A; never a value of a list.
        after: in B.
        where: ``FILE:LINE`` of what B says of it; of a list entry that B lacks, of what A says; or empty.
    """

    kind: Kind
    subject: str
    before: str
    after: str
    where: str = ""


def diff(a: Resolved, b: Resolved) -> list[Change]:
    """Return the differences from ``a`` to ``b``: the weaker first, then the stronger, then the rest."""
    changes = [*_types(a, b), *_recognizers(a.policy, b.policy), *_allow(a, b), *_deny(a, b)]
    changes += [*_answer(a.policy, b.policy), *_limits(a.policy, b.policy), *_reach(a.policy, b.policy)]
    order = list(Kind)
    return sorted(changes, key=lambda change: order.index(change.kind))


def _types(a: Resolved, b: Resolved) -> Iterator[Change]:
    """Per type; those that differ as all others do are said once."""
    others = list(_type_changes(OTHERS, a.policy, b.policy))
    yield from others
    same = {(change.kind, change.before, change.after) for change in others}
    for type_ in sorted({*known_types(a.policy, b.policy), *a.origins, *b.origins}):
        for change in _type_changes(type_, a.policy, b.policy):
            if (change.kind, change.before, change.after) not in same:
                yield replace(change, where=b.origins.get(type_, ""))


def _type_changes(type_: str, a: Policy, b: Policy) -> Iterator[Change]:
    before, after = _said(a, type_), _said(b, type_)
    if before != after:
        exposed = (_exposed(before), _exposed(after))
        kind = Kind.CHANGED if exposed[0] == exposed[1] else Kind.WEAKER if exposed[1] else Kind.STRONGER
        yield Change(kind, type_, before, after)
    if _exposed(before) or _exposed(after):
        return
    low, high = a.threshold(type_), b.threshold(type_)
    if low != high:
        kind = Kind.WEAKER if high > low else Kind.STRONGER
        yield Change(kind, type_, f"from score {low:g}", f"from score {high:g}")


def _said(policy: Policy, type_: str) -> str:
    if type_ in policy.switched_off.types:
        return _OFF
    options = ", ".join(f"{name} {value}" for name, value in sorted(policy.options(type_).items()))
    return f"{policy.action(type_)} ({options})" if options else policy.action(type_)


def _exposed(said: str) -> bool:
    """Whether the text of such findings is left as it is."""
    return said in (KEEP, _OFF)


def _recognizers(a: Policy, b: Policy) -> Iterator[Change]:
    before, after = {*a.switched_off.recognizers}, {*b.switched_off.recognizers}
    yield from (Change(Kind.WEAKER, f"recognizer {name}", "on", _OFF) for name in sorted(after - before))
    yield from (Change(Kind.STRONGER, f"recognizer {name}", _OFF, "on") for name in sorted(before - after))


def _allow(a: Resolved, b: Resolved) -> Iterator[Change]:
    before, after = _items(a.policy.allow, a.allow_origins), _items(b.policy.allow, b.allow_origins)
    yield from _lists("allow", before, after, Kind.WEAKER, Kind.STRONGER)


def _deny(a: Resolved, b: Resolved) -> Iterator[Change]:
    before, after = _items(a.policy.deny, a.deny_origins), _items(b.policy.deny, b.deny_origins)
    yield from _lists("deny", before, after, Kind.STRONGER, Kind.WEAKER)


@final
@dataclass(frozen=True, slots=True)
class _Item:
    """One value or pattern of a list with all that bears on it."""

    text: str
    pattern: bool
    case: Case
    types: tuple[str, ...]
    even_if_validated: bool


def _items(entries: Sequence[AllowEntry | DenyEntry], origins: Sequence[str]) -> dict[_Item, str]:
    items: dict[_Item, str] = {}
    for entry, origin in zip(entries, origins, strict=True):
        types = (entry.type,) if isinstance(entry, DenyEntry) else entry.types
        proven = isinstance(entry, AllowEntry) and entry.even_if_validated
        for text in (*entry.values, *([entry.pattern] if entry.pattern is not None else [])):
            items.setdefault(_Item(text, entry.pattern is not None, entry.case, types, proven), origin)
    return items


def _lists(
    subject: str, before: dict[_Item, str], after: dict[_Item, str], added: Kind, removed: Kind
) -> Iterator[Change]:
    for where, items in _by_place((item, after[item]) for item in after if item not in before):
        yield Change(added, subject, "", f"+ {_counted(items)}", where)
    for where, items in _by_place((item, before[item]) for item in before if item not in after):
        yield Change(removed, subject, f"- {_counted(items)}", "", where)


def _by_place(items: Iterable[tuple[_Item, str]]) -> Iterable[tuple[str, list[_Item]]]:
    places: dict[str, list[_Item]] = {}
    for item, where in items:
        places.setdefault(where, []).append(item)
    return places.items()


def _counted(items: Sequence[_Item]) -> str:
    """How many, for which types; not which: lists name clients."""
    patterns = sum(item.pattern for item in items)
    parts = [_number(len(items) - patterns, "value"), _number(patterns, "pattern")]
    types = sorted({type_ for item in items for type_ in item.types})
    proven = ", even if validated" if any(item.even_if_validated for item in items) else ""
    return f"{' and '.join(filter(None, parts))} for {', '.join(types) or 'any type'}{proven}"


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}" if count else ""


def _answer(a: Policy, b: Policy) -> Iterator[Change]:
    """Of two actions the one that lets more of a finding through is weaker."""
    order = list(AnswerAction)
    for kind in FINDINGS:
        before, after = getattr(a.answer, kind), getattr(b.answer, kind)
        if before is not after:
            way = Kind.WEAKER if order.index(after) > order.index(before) else Kind.STRONGER
            yield Change(way, f"answer {kind}", before, after)
    lost, new = {*a.answer.forbid} - {*b.answer.forbid}, {*b.answer.forbid} - {*a.answer.forbid}
    yield from (Change(Kind.WEAKER, type_, "forbidden in answers", "") for type_ in sorted(lost))
    yield from (Change(Kind.STRONGER, type_, "", "forbidden in answers") for type_ in sorted(new))


def _limits(a: Policy, b: Policy) -> Iterator[Change]:
    """These refuse a text or not; none lets one through unseen."""
    for subject in ("languages", "budget_ms", "max_chars"):
        before, after = getattr(a, subject), getattr(b, subject)
        if before != after:
            yield Change(Kind.CHANGED, subject, _shown(before), _shown(after))


def _reach(a: Policy, b: Policy) -> Iterator[Change]:
    """Who links and restores more is less protected."""
    if a.placeholders != b.placeholders:
        kind = Kind.WEAKER if b.placeholders == "tenant" else Kind.STRONGER
        yield Change(kind, "placeholders", a.placeholders, b.placeholders)
    for place in sorted({*a.restore_in} ^ {*b.restore_in}):
        if place in b.restore_in:
            yield Change(Kind.WEAKER, f"values in {place}", "left out", "put back")
        else:
            yield Change(Kind.STRONGER, f"values in {place}", "put back", "left out")


def _shown(value: object) -> str:
    if value is None:
        return "not set"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
