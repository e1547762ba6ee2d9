"""Rows of invoices in layouts that nobody wrote down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from finslm.train.names.grammar import Maker, Piece, Scene, digits

_DESCRIPTION, _QUANTITY, _PRICE, _AMOUNT = "item_description", "item_quantity", "item_unit_price", "item_amount"
_ORDERS: Final = (
    *((_DESCRIPTION, _QUANTITY, _PRICE, _AMOUNT),) * 5, *((_QUANTITY, _DESCRIPTION, _PRICE, _AMOUNT),) * 3,
    (_DESCRIPTION, _PRICE, _QUANTITY, _AMOUNT), (_DESCRIPTION, _PRICE, _QUANTITY, _AMOUNT),
    (_QUANTITY, _PRICE, _DESCRIPTION, _AMOUNT), (_AMOUNT, _DESCRIPTION, _QUANTITY, _PRICE),
    (_DESCRIPTION, _AMOUNT), (_DESCRIPTION, _AMOUNT), (_DESCRIPTION, _QUANTITY, _AMOUNT),
    (_QUANTITY, _DESCRIPTION, _AMOUNT), (_DESCRIPTION, _PRICE, _AMOUNT),
)  # fmt: skip
_COLUMNS: Final = ("\t", "\t", " | ", " | ", ";", "  ", "   ", "     ", ", ", " / ", " - ", " .. ", "; ")
_BEFORE: Final = {
    _DESCRIPTION: ("", "", "", "item ", "for ", "goods: "),
    _QUANTITY: ("", "", "qty ", "quantity ", "Qty: ", "units: ", "(", "no. of units ", "x", "x ", "× "),
    _PRICE: ("", "@ ", "at ", "à ", "unit price ", "price ", "rate ", "each ", "per unit ", "x ", "× ", "per piece "),
    _AMOUNT: ("", "= ", "total ", "amount ", "sum ", "-> ", ": ", "makes ", "=> ", "line total "),
}
_AFTER: Final = {
    _DESCRIPTION: ("", "", "", ",", ":"),
    _QUANTITY: ("", "", " pcs", " units", " h", " hours", "x", " x", " days", " pieces", "×", " off", " kg", " of"),
    _PRICE: ("", "", " each", " per unit", "/unit", " apiece", "/h", " a piece", " per item"),
    _AMOUNT: ("", "", "", ".", " in total"),
}
_EXTRA: Final = 0.15
"""Share of tables with a column that is no field, for each such column."""
_PARTED: Final = 0.12
"""Share of documents whose rows take a line a column."""


def block(scene: Scene, makers: Mapping[str, Maker], head: Callable[[str], str]) -> list[Piece]:
    """Some rows: a table, or lines in words.

    Args:
        makers: what fills the slots.
        head: from a field to what stands above its column.
    """
    rng = scene.rng
    order = rng.choice(_ORDERS)
    count = rng.choice((1, 1, 2, 2, 3, 3, 4, 5))
    if rng.random() < _PARTED:
        return _parted(scene, makers, head, order, count)
    return (_table if rng.random() < 0.6 else _lines)(scene, makers, head, order, count)


def _table(
    scene: Scene, makers: Mapping[str, Maker], head: Callable[[str], str], order: Sequence[str], count: int
) -> list[Piece]:
    rng = scene.rng
    mark = rng.choice(_COLUMNS)
    edge = mark.strip() if mark == " | " and rng.random() < 0.6 else ""
    first, last, with_rate = (rng.random() < _EXTRA for _ in range(3))
    pieces: list[Piece] = []
    if rng.random() < 0.75:
        heads = [*(["#"] if first else []), *map(head, order), *(["VAT %"] if with_rate else [])]
        pieces.append((f"{edge}{mark.join([*heads, *(['Unit'] if last else [])])}{edge}\n", None))
        if edge and rng.random() < 0.5:
            pieces.append((f"|{'---|' * len(heads)}\n", None))
    for number in range(1, count + 1):
        cells: list[list[Piece]] = [[(str(number), None)]] if first else []
        cells += [makers[name](scene) for name in order]
        cells += [makers["rate"](scene)] if with_rate else []
        cells += [[(rng.choice(("pcs", "h", "kg", "unit")), None)]] if last else []
        pieces += [(edge, None), *_joined(cells, mark), (f"{edge}\n", None)]
    return pieces


def _lines(
    scene: Scene, makers: Mapping[str, Maker], _head: Callable[[str], str], order: Sequence[str], count: int
) -> list[Piece]:
    """Each row a sentence in the same words."""
    rng = scene.rng
    around = {name: (rng.choice(_BEFORE[name]), rng.choice(_AFTER[name])) for name in order}
    around = {name: (before, ")" if before == "(" else after) for name, (before, after) in around.items()}
    mark = rng.choice((" ", " ", ", ", ", ", " - ", "; ", ": ", " / "))
    bullet = rng.choice(("", "", "- ", "* ", "{n}. ", "{n}) ", "Item {n}: ", "Pos. {n} ", digits("??-### ", rng)))
    end = rng.choice(("\n", "\n", "\n", "\n\n", "; ", "\n", ". "))
    pieces: list[Piece] = []
    for number in range(1, count + 1):
        cells = [[(around[name][0], None), *makers[name](scene), (around[name][1], None)] for name in order]
        pieces += [(bullet.format(n=number), None), *_joined(cells, mark), (end, None)]
    return pieces


def _parted(
    scene: Scene, makers: Mapping[str, Maker], head: Callable[[str], str], order: Sequence[str], count: int
) -> list[Piece]:
    """Each value on a line of its own, under or behind its name."""
    mark = scene.rng.choice((": ", ": ", "\n", " - ", "\t"))
    gap = scene.rng.choice(("", "\n", "---\n"))
    pieces: list[Piece] = []
    for _ in range(count):
        for name in order:
            pieces += [(f"{head(name)}{mark}", None), *makers[name](scene), ("\n", None)]
        pieces.append((gap, None))
    return pieces


def _joined(cells: Sequence[list[Piece]], mark: str) -> list[Piece]:
    pieces: list[Piece] = []
    for number, cell in enumerate(cells):
        pieces += [*([(mark, None)] if number else []), *cell]
    return pieces
