"""Amounts of a document: in one currency and one way of writing, and such that they add up and multiply."""

from __future__ import annotations

import random
from typing import Final, NamedTuple, final

from finslm.tasks.fields import CURRENCY_WORDS
from finslm.train.documents.words import WORDS
from finslm.train.names.grammar import Piece, Scene, once

_CODES: Final[list[str]] = WORDS["codes"]
_RATES: Final[list[str]] = WORDS["patterns"]["rate"]
_SYMBOLS: Final = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
ITEM_NUMBERS: Final = ("item_quantity", "item_unit_price", "item_amount")
"""Of each row: the first two make the third."""
_ROWS: Final = "rows!"
"""How many rows a text has, where that is known before they are written."""
_HALF: Final = 0.2
"""Share of quantities that are not whole."""


@final
class _Row(NamedTuple):
    """A row of an invoice: how many, in halves; the price of one, in hundredths; whether hundredths are written."""

    halves: int
    price: int
    has_cents: bool

    @property
    def product(self) -> int:
        """In hundredths; people check invoices by it."""
        return (self.halves * self.price + 1) // 2


def money(scene: Scene, amount: str, currency: str, value: str = "") -> list[Piece]:
    """An amount with its currency, before, behind or as a symbol.

    Args:
        amount, currency: labels; empty for none.
        value: the amount; empty for any.
    """
    rng = scene.rng
    code = document_currency(scene)
    value = value or formatted(_units(rng), _cents(scene), number_form(scene))
    labelled: list[Piece] = [(value, amount or None)]
    written = rng.choice(([code] * 5) + [_SYMBOLS.get(code, code)] * 4 + [_word(code, rng)] * 2)
    mark: Piece = (written if rng.random() < 0.93 else written.lower(), currency or None)
    if written.isupper() and len(written) == 3:
        gap: list[Piece] = [(rng.choice((" ", " ", " ", "", "\u00a0")), None)]
        return [mark, *gap, *labelled] if rng.random() < 0.6 else [*labelled, *gap, mark]
    if written in _SYMBOLS.values() and rng.random() < 0.7:
        return [mark, (rng.choice(("", "", " ")), None), *labelled]
    return [*labelled, (" ", None), mark]


def document_currency(scene: Scene) -> str:
    """One for the whole document."""
    return once(scene, "currency!", lambda: scene.rng.choice(_CODES))


def number_form(scene: Scene) -> tuple[str, str]:
    """How a document writes numbers: what parts thousands, and cents."""
    form = once(scene, "form!", lambda: "_".join(scene.rng.choice(_FORMATS)))
    thousands, _, cents = form.partition("_")
    return thousands, cents


def amount(scene: Scene) -> str:
    """The amount of a payment."""
    return once(scene, "amount!", lambda: formatted(_units(scene.rng), _cents(scene), number_form(scene)))


def sums(scene: Scene) -> dict[str, str]:
    """Net, tax and total of an invoice; they add up, and if the scene knows its rows, so do these."""
    rng, form = _apart(scene, "sums"), number_form(scene)
    rows = [_row(scene, number) for number in range(1, len(scene.memo.get(_ROWS, ())) + 1)]
    net = sum(row.product for row in rows) or _units(rng) * 100 + rng.choice((0, 0, rng.randint(0, 99)))
    tax = round(net * float(document_rate(scene).rstrip(" %")) / 100)
    return {
        name: formatted(value // 100, f"{value % 100:02d}", form)
        for name, value in (("net", net), ("tax", tax), ("total", net + tax))
    }


def document_rate(scene: Scene) -> str:
    """The rate of tax, the same for the whole document."""
    return once(scene, "tax_rate!", lambda: rate(scene.rng))


def rate(rng: random.Random) -> str:
    """A share of value added tax."""
    return rng.choice(_RATES)


def one_sum(name: str, scene: Scene) -> list[Piece]:
    """``net``, ``tax`` or ``total``."""
    return [(sums(scene)[name], name)]


def one_sum_with_currency(name: str, scene: Scene) -> list[Piece]:
    """``net``, ``tax`` or ``total``, and the currency beside it."""
    return money(scene, name, "currency", sums(scene)[name])


def _cents(scene: Scene) -> str:
    rng = scene.rng
    return "" if _is_whole(scene) else f"{rng.choice((0, 0, 50, rng.randint(1, 99))):02d}"


def _is_whole(scene: Scene) -> bool:
    whole = once(scene, "whole!", lambda: scene.rng.choice(("", "", "", "yes")))
    return bool(whole) or document_currency(scene) in ("JPY", "HUF")


def _word(code: str, rng: random.Random) -> str:
    words = [word for word in CURRENCY_WORDS.get(code, ()) if word.replace(" ", "").isalpha() and word.endswith("s")]
    return rng.choice(words) if words else code


def _units(rng: random.Random) -> int:
    spans = ((5, 999), (1000, 9999), (1000, 99_999), (100_000, 4_000_000))
    units = rng.randint(*rng.choice(spans))
    return units if rng.random() < 0.75 else max(10, units // 50 * 50)


_FORMATS: Final = (
    (",", "."), (",", "."), (",", "."), (".", ","), (" ", "."), (" ", ","), ("'", "."), ("", "."), ("", "."), ("", ","),
)  # fmt: skip
"""What stands between thousands and before cents."""


def formatted(units: int, cents: str, form: tuple[str, str]) -> str:
    """A number in one of the formats."""
    whole = f"{units:,}".replace(",", form[0])
    return f"{whole}{form[1]}{cents}" if cents else whole


def line(name: str, scene: Scene) -> list[Piece]:
    """A number of the next row that has none of its kind yet.

    Args:
        name: one of :data:`ITEM_NUMBERS`.
    """
    said = scene.memo.setdefault(f"{name}#", [])
    row = _row(scene, len(said) + 1)
    value, has_cents = {
        "item_quantity": (row.halves * 50, row.halves % 2 == 1),
        "item_unit_price": (row.price, row.has_cents),
        "item_amount": (row.product, row.has_cents),
    }[name]
    cents = f"{value % 100:02d}" if has_cents else ""
    written = formatted(value // 100, cents.removesuffix("0") if name == "item_quantity" else cents, number_form(scene))
    said.append((written if name == "item_quantity" else f"{_mark(scene)}{written}", name))
    return [said[-1]]


def known_rows(scene: Scene) -> dict[str, list[Piece]]:
    """What the memory of a scene begins with when its text is written again, for its sums to be those of its rows."""
    rows = scene.memo.get("item_amount#", [])
    return {_ROWS: rows} if rows else {}


def _row(scene: Scene, number: int) -> _Row:
    """One of the rows of a text, counted from 1; the same each time."""
    rng = _apart(scene, f"row {number}")
    halves = 2 * rng.choice((rng.randint(1, 12), rng.randint(1, 400))) + (rng.random() < _HALF)
    units = rng.choice((rng.randint(1, 99), rng.randint(100, 999), rng.randint(1000, 9999)))
    if _is_whole(scene):
        return _Row(halves, (units + units % 2) * 100, has_cents=False)
    return _Row(halves, units * 100 + rng.choice((0, 0, 50, rng.randint(1, 99))), has_cents=True)


def _mark(scene: Scene) -> str:
    """The sign of the currency, in some documents."""
    mark = _SYMBOLS.get(document_currency(scene), "")
    return mark if mark and once(scene, "marked!", lambda: scene.rng.choice(("", "", "yes"))) else ""


def _apart(scene: Scene, name: str) -> random.Random:
    """A source of its own: what is drawn from it changes nothing else in the text."""
    seed = once(scene, "numbers!", lambda: str(scene.rng.random()))
    return random.Random(f"{seed} {name}")  # noqa: S311 - text for training, no secret
