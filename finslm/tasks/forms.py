"""From tagged spans to the JSON document of a task: written by code, so it always matches its schema.

Values are pieces of the text, so nothing in a document is invented. What code can make of a value for certain (the
amount as a decimal, a day as ISO 8601) stands beside it under a name of its own, and is null where it cannot.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, final

from finslm.tasks.fields import THREE_DECIMALS, currency, decimal, iso_date
from finslm.types import TaggedSpan

LONGEST: Final = 500
"""Characters of a value; what is longer was no value, and becomes null."""

NUMBER: Final = re.compile(r"\d(?:[\d.,'’ \u00a0\u202f]*\d)?")
_TIGHT: Final = re.compile(r"\d(?:[\d.,'’]*\d)?")
"""A number without the spaces that may part its groups."""
_SPACES: Final = " \u00a0\u202f"
_LABELS: Final = re.compile(
    r"(?:(?:iban|account|acct|acc|a/c|number|no|nr|num|bank|code|bic|swift|sort|aba|routing|transit|rtn)\b[\s.:#-]*)+",
    re.IGNORECASE,
)
"""Words that stand before an account or the code of a bank."""
_NOT_A_CURRENCY: Final = re.compile(r"[\d.,'’\s\u00a0]+")

_THOUSANDTHS: Final = re.compile(r"[.,]\d{3}$")

_TEXT: Final = {"type": ["string", "null"], "maxLength": LONGEST}
_MADE: Final[Mapping[str, tuple[Callable[[str], str | None], Mapping[str, Any]]]] = {
    "value": (decimal, {"type": ["string", "null"], "pattern": r"^[0-9]+(\.[0-9]+)?$"}),
    "iso": (iso_date, {"type": ["string", "null"], "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}),
}
"""Ending of the name of a made value, what makes it, and its schema."""


@final
@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a document.

    Args:
        task: the task; an adapter's labels are ``task.field``.
        fields: those with one value.
        amounts: fields that are amounts; ``total_value`` stands beside ``total``. Words that redaction took along
            with one are cut off.
        dates: fields that are days; ``due_date_iso`` stands beside ``due_date``.
        items: fields of each row of the list ``items``, whose labels begin with ``item_``.
        numbers: fields that are accounts or codes; of words that redaction took along those that name such are cut off.
        codes: other fields that are one word of letters and digits, such as the number of an invoice.
        required: fields that such a document always has.
        several: fields that may stand there in several ways of writing, such as a currency.
        sums: three of the fields; the first two add up to the third.
        counts: fields of each row that are numbers.
        product: three of these; the first two multiplied make the third.
        least_score: a value of a lower score is left out.
    """

    task: str
    fields: tuple[str, ...]
    amounts: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    several: tuple[str, ...] = ("currency",)
    sums: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    product: tuple[str, ...] = ()
    least_score: float = 0.0

    @property
    def labels(self) -> tuple[str, ...]:
        """What an adapter calls the fields."""
        return tuple(f"{self.task}.{name}" for name in (*self.fields, *(f"item_{name}" for name in self.items)))

    @property
    def single(self) -> tuple[str, ...]:
        """Fields whose value stands there once, or again in the same words."""
        return tuple(name for name in self.fields if name not in self.several)

    @property
    def made(self) -> tuple[tuple[str, str], ...]:
        """Fields from which code makes another value, and the ending of its name."""
        return (*((name, "value") for name in self.amounts), *((name, "iso") for name in self.dates))

    def schema(self) -> dict[str, Any]:
        """The document's JSON Schema, closed; every member is there, null where the text has no such value."""
        members: dict[str, Any] = {name: dict(_TEXT) for name in self.fields}
        if "currency" in members:
            members["currency"] = {"type": ["string", "null"], "pattern": "^[A-Z]{3}$"}
        members |= {f"{name}_{end}": dict(_MADE[end][1]) for name, end in self.made}
        if self.items:
            members["items"] = {"type": "array", "items": _closed({name: dict(_TEXT) for name in self.items})}
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_closed(members)}

    def fill(self, text: str, spans: Iterable[TaggedSpan]) -> dict[str, Any]:
        """The values as they stand in a text.

        Args:
            text: the redacted text.
            spans: of its fields, in the order of the text. Of several for one field the surest counts.
        """
        own = [span for span in spans if span.score >= self.least_score and span.end - span.start <= LONGEST]
        best: dict[str, TaggedSpan] = {}
        for span in own:
            name = span.field.removeprefix(f"{self.task}.")
            if name in self.fields and (name not in best or span.score > best[name].score):
                best[name] = span
        whole = {name: _whole(text, span) if name in self.amounts else span for name, span in best.items()}
        document: dict[str, Any] = {name: _written(text, whole[name]) if name in best else None for name in self.fields}
        if self.items:
            document["items"] = self._rows(text, own)
        return document

    def doubtful(self, text: str, filled: Mapping[str, Any]) -> frozenset[str]:
        """Amounts of which code makes no decimal: where one stands, a sign, a bracket or a group may belong to it."""
        return frozenset(name for name in self.amounts if filled[name] and _in_doubt(text, filled[name]))

    def scores(self, spans: Iterable[TaggedSpan]) -> dict[str, float]:
        """How sure each field with one value is, by name; those that have none are left out."""
        found: dict[str, float] = {}
        for span in spans:
            name = span.field.removeprefix(f"{self.task}.")
            if name in self.fields and span.score >= self.least_score:
                found[name] = max(span.score, found.get(name, 0.0))
        return found

    def _rows(self, text: str, spans: Sequence[TaggedSpan]) -> list[dict[str, str | None]]:
        """Items by the order of their fields: a new one begins where a field comes again, or the first's first does."""
        start = f"{self.task}.item_"
        rows: list[dict[str, str | None]] = []
        lead = ""
        for span in spans:
            if span.field.startswith(start):
                name = span.field.removeprefix(start)
                lead = lead or name
                if not rows or name == lead or rows[-1].get(name) is not None:
                    rows.append(dict.fromkeys(self.items))
                rows[-1][name] = _written(text, span)
        return rows

    def complete(
        self, filled: Mapping[str, Any], restored: Mapping[str, Any], doubtful: Collection[str] = ()
    ) -> dict[str, Any]:
        """The document for the caller: with the values in place of placeholders, and with what code makes of them.

        Args:
            filled: see :meth:`fill`.
            restored: the same with values restored.
            doubtful: see :meth:`doubtful`.
        """
        document = _short_enough(restored)
        for name in (*self.amounts, *self.numbers):
            if document[name] is not None and document[name] != filled[name]:
                document[name] = _without_words(document[name], amount=name in self.amounts)
        if "currency" in self.fields:
            document["currency"] = self._currency(document, restored)
        made = {f"{name}_{end}": self._make(end, document, name, doubtful) for name, end in self.made}
        rows = {"items": [_short_enough(row) for row in document.pop("items")]} if self.items else {}
        return document | made | rows

    def _make(self, end: str, document: Mapping[str, Any], name: str, doubtful: Collection[str]) -> str | None:
        written = document[name]
        if written is None or name in doubtful:
            return None
        if end == "value" and document.get("currency") in THREE_DECIMALS and _THOUSANDTHS.search(written):
            return None
        return _MADE[end][0](written)

    def _currency(self, document: dict[str, Any], restored: Mapping[str, Any]) -> str | None:
        """Its code, from its own words or from those that redaction took along with an amount."""
        for name in ("currency", *self.amounts):
            words = _NOT_A_CURRENCY.sub(" ", restored[name] or "").strip()
            if words and (code := currency(words)):
                if name == "currency" and len(self.amounts) == 1 and document[self.amounts[0]] is None:
                    numbers = NUMBER.findall(restored[name])
                    document[self.amounts[0]] = numbers[0] if len(numbers) == 1 else None
                return code
        return None


def _closed(members: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


def _written(text: str, span: TaggedSpan) -> str:
    """As it stands there, on one line."""
    return " ".join(text[span.start : span.end].split())


def _whole(text: str, span: TaggedSpan) -> TaggedSpan:
    """The span up to where the number ends of which it is a piece: a tag may miss a digit."""
    for found in _TIGHT.finditer(text):
        if found.start() < span.start < found.end():
            span = replace(span, start=found.start())
        if found.start() < span.end < found.end():
            span = replace(span, end=found.end())
    return span


def _in_doubt(text: str, value: str) -> bool:
    """Whether a sign, a bracket, or another group of digits stands beside the value, at any place that has it."""
    for found in re.finditer(re.escape(value), text):
        before, after = text[: found.start()], text[found.end() :]
        if before.endswith(("-", "−", "–", "(")) or re.match(rf"[{_SPACES}]\d{{3}}(?!\d)", after):
            return True
        if re.search(rf"\d[{_SPACES}]$", before) and re.match(r"\d{3}(?!\d)", value):
            return True
    return False


def _without_words(whole: str, *, amount: bool) -> str:
    """Words cut off that redaction took along with a value, where it is certain that they are words; else all of it."""
    if amount:
        numbers = NUMBER.findall(whole)
        return numbers[0] if len(numbers) == 1 and not re.search(r"[-−–(]\s*\d", whole) else whole
    labels = _LABELS.match(whole)
    rest = whole[labels.end() :] if labels else ""
    return rest if re.search(r"\d", rest) else whole


def _short_enough(values: Mapping[str, Any]) -> dict[str, Any]:
    """A value that its placeholder stood for may be longer than any field's is."""
    return {name: None if isinstance(value, str) and len(value) > LONGEST else value for name, value in values.items()}


def labels_of(forms: Collection[Form]) -> tuple[str, ...]:
    """What an adapter for several forms calls their fields."""
    return tuple(label for form in forms for label in form.labels)
