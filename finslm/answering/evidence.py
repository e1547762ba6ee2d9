"""The ranked units of a question, and how rows, columns and scales fit its words."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final, final

from finslm.answering.asked import Asked, years_in
from finslm.answering.document import Cell, Document, Unit
from finslm.answering.words import content_words

_ROWS: Final = 10
"""Ranked units among which rows are sought that a question names."""
_CURRENCIES: Final = "dollars|usd|eur|gbp|chf|jpy|cad|aud|rmb"
_IN_SCALE: Final = re.compile(
    rf"\b(?:in|of|and|dollar|amounts?|shares?|u\.s\.|us|{_CURRENCIES})\s+(?:[$€£]\s?)?\(?(thousand|million|billion)s?\b|"
    r"[($€£](?:in )?(thousand|million|billion)s?\b|[$€£]\s?(m|bn)\b|"
    r"(?<![\d.,])[$€£]?[\u2018\u2019']?(000)[\u2018\u2019']?s?\b|"
    r"^(thousand|million|billion)s?\b",
    re.IGNORECASE,
)
"""How a table's head, or the text about it, says the scale of its figures."""
_SAID: Final = re.compile(
    rf"\bin (?:u\.s\. |us )?(?:[$€£]|(?:{_CURRENCIES}) )?\(?(thousand|million|billion)s?\b",
    re.IGNORECASE,
)
_BESIDE: Final = re.compile(r"change|variance|increase|growth|\bvs\b|versus|%", re.IGNORECASE)
_SCALES: Final = {"m": "million", "bn": "billion", "000": "thousand"}
_UNSCALED: Final = re.compile(
    r"per share|per cent|percent|%|\brates?\b|\bratio|\(years?\)|in years|\bterm\b|employees|volatility|yield|price",
    re.IGNORECASE,
)


@final
class Evidence:
    """The ranked units of a question, and how they fit its words."""

    def __init__(self, asked: Asked, document: Document, units: Sequence[Unit], ranked: Sequence[int]) -> None:
        self.asked, self.document = asked, document
        self.ranked = [units[number - 1] for number in ranked]
        self.headers = [unit for unit in units if unit.is_header]
        self.all_rows = [unit for unit in units if unit.cells]
        self.rows = [unit for unit in self.ranked[:_ROWS] if unit.cells]
        self.words = content_words(asked.text) - {str(year) for year in asked.years}

    def beside(self, row: Unit, rows: Sequence[Unit]) -> list[Unit]:
        """Those of some rows that are in the same table."""
        table = self.document.table_of(row.row or 0)
        return [other for other in rows if other.row in table]

    @property
    def best(self) -> Unit | None:
        """The best ranked unit."""
        return self.ranked[0] if self.ranked else None

    def columns(self, row: Unit) -> list[Cell]:
        """The cells of a row under the headers that the question means, in the question's order."""
        named = self._by_year(row)
        pool = named or self.figures(row)
        rest = self.words - content_words(row.label)
        fit = {cell: len(rest & content_words(cell.header)) for cell in pool}
        most = max(fit.values(), default=0)
        if not most or (named and len(named) <= len(self.asked.years)):
            return pool
        return [cell for cell in pool if fit[cell] == most]

    def two_rows(self) -> tuple[Unit, Unit] | None:
        """The two rows whose labels the question names, in its order."""
        found = self.named_rows(2)
        return (found[0], found[1]) if len(found) == 2 else None

    def named_rows(self, most: int) -> list[Unit]:
        """Rows that together name the most words of the question, in the order in which it says them."""
        left, chosen = set(self.words), []
        for _ in range(most):
            scored = [(self._named(row, left), -place) for place, row in enumerate(self.rows) if row not in chosen]
            if not scored or (best := max(scored))[0] <= 0:
                break
            chosen.append(self.rows[-best[1]])
            left -= content_words(chosen[-1].label)
        return sorted(chosen, key=lambda row: self._said(row, [other for other in chosen if other is not row]))

    def _named(self, row: Unit, left: set[str]) -> float:
        label = content_words(row.label.rpartition(": ")[2] or row.label)
        return len(label & left) / math.sqrt(len(label) + 1) if label else 0.0

    def _said(self, row: Unit, others: Sequence[Unit]) -> int:
        """Where the question first says a word that is this row's and none of the others'."""
        text, own = self.asked.text.lower(), content_words(row.label)
        apart = own.difference(*(content_words(other.label) for other in others))
        return min((text.find(word) for word in (apart or own) if word in text), default=len(text))

    def figures(self, row: Unit) -> list[Cell]:
        """The cells that hold amounts: columns of changes and shares stand beside them in many tables."""
        kept = [c for c in row.cells if not _BESIDE.search(c.header)]
        amounts = [c for c in kept if "%" not in c.text]
        return amounts or kept or list(row.cells)

    def _by_year(self, row: Unit) -> list[Cell]:
        found: list[Cell] = []
        pool = self.figures(row) if len(self.asked.years) > 1 else row.cells
        for year in self.asked.years:
            found += [cell for cell in pool if year in years_in(cell.header) and cell not in found]
        return found if len(found) >= len(self.asked.years) or len(pool) != len(self.asked.years) else list(pool)

    def scale(self, *cells: Cell | None) -> str:
        """The scale of figures: that of their row or column, or else of the table, or else of the text about it."""
        if any(cell is not None and "%" in cell.text for cell in cells):
            return "percent"
        for cell in cells:
            if cell is None:
                continue
            label = next((u.label for u in self.all_rows if u.row == cell.row), "")
            if "%" in cell.header + label:
                return "percent"
            if _UNSCALED.search(label) or _UNSCALED.search(cell.header):
                return ""
        return self._table_scale(next((c for c in cells if c is not None), None))

    def _table_scale(self, cell: Cell | None) -> str:
        near = [cell.header] if cell else []
        own = self.document.table_of(cell.row) if cell else range(len(self.document.table))
        heads = [unit.text for unit in self.headers if unit.row in own]
        heads += [row[0] for row in self.document.table[own.start : own.stop] if row]
        for text, form in (*((t, _IN_SCALE) for t in (*near, *heads)), *((t, _SAID) for t in self.document.paragraphs)):
            if (match := form.search(text)) is not None:
                word: str = next(filter(None, match.groups())).lower()
                return _SCALES.get(word, word)
        return ""
