"""From ranked evidence to an answer: words and figures as they stand, or a program over figures with their places."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, DecimalException
from typing import Final, final

from finslm.answering.asked import Asked, Operation, years_in
from finslm.answering.document import Cell, Document, Unit
from finslm.answering.evidence import Evidence
from finslm.answering.figures import sole_figure
from finslm.answering.program import MAX_NODES, Call, Constant, InvalidProgram, Operand, Program, execute
from finslm.answering.spans import said


@final
@dataclass(frozen=True, slots=True)
class Citation:
    """A place in the document: the unit, and in it the words or the cell."""

    unit: int
    text: str = field(repr=False)
    column: int | None = None


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, with everything that a person needs to check it.

    Args:
        values: the parts of the answer; a number is written plainly.
        scale: ``thousand``, ``million``, ``billion``, ``percent`` or nothing.
        citations: the places it rests on; those of a program are its figures in their order.
        program: how it was calculated; empty where it stands in the document.
    """

    values: tuple[str, ...] = field(repr=False)
    scale: str
    citations: tuple[Citation, ...]
    program: str = ""


_REASONS: Final = 3
"""Ranked units among which a sentence is sought that gives a reason: a row of figures gives none."""


def answer(asked: Asked, document: Document, units: Sequence[Unit], ranked: Sequence[int]) -> Answer | None:
    """Answer from ranked evidence; None where the evidence has not what the question asks for.

    Args:
        units: of the document.
        ranked: numbers of its units, the best first.
    """
    evidence = Evidence(asked, document, units, ranked)
    try:
        found = _WAYS[asked.operation](evidence)
    except _TooManyFigures:  # a part of them would be another answer
        return None
    return found if found is not None else _span(evidence)


@final
@dataclass(frozen=True, slots=True)
class _Figure:
    unit: Unit
    cell: Cell
    value: Decimal


def _figure(unit: Unit, cell: Cell) -> _Figure | None:
    if cell.text.strip() in {"-", "—", "–", "$—", "$-"}:
        return _Figure(unit, cell, Decimal(0))
    found = sole_figure(cell.text)
    return _Figure(unit, cell, found.value) if found else None


def _numbers(unit: Unit, cells: Sequence[Cell]) -> list[_Figure]:
    return [found for cell in cells if (found := _figure(unit, cell)) is not None]


def _calculated(
    evidence: Evidence, program: Program, used: Sequence[_Figure], scale: str | None = None
) -> Answer | None:
    try:
        value = round(execute(program, [figure.value for figure in used]), 4)
    except (InvalidProgram, DecimalException):  # nothing to divide by, or more digits than count: no such answer
        return None
    found = scale if scale is not None else evidence.scale(*(figure.cell for figure in used))
    places = tuple(Citation(figure.unit.number, figure.cell.text, figure.cell.column) for figure in used)
    return Answer((f"{value.normalize():f}",), found, places, str(program))


class _TooManyFigures(Exception):
    """More than a program may have."""


def _all(used: Sequence[_Figure]) -> tuple[Operand, ...]:
    if len(used) >= MAX_NODES:
        raise _TooManyFigures
    return tuple(Operand(number) for number in range(1, len(used) + 1))


def _later_first(evidence: Evidence) -> list[_Figure]:
    """The two figures that are compared over time, the later first; or those of two rows as the question says them."""
    row = evidence.rows[0] if evidence.rows else None
    if row is None:
        return []
    cells = evidence.columns(row)
    if len(evidence.asked.years) >= 2 or (len(row.cells) == 2 and not evidence.asked.years):
        by_year = {max(years_in(cell.header), default=0): cell for cell in reversed(cells)}
        used = _numbers(row, [by_year[year] for year in sorted(by_year, reverse=True)][:2])
        if len(used) == 2:
            return used
        return _rows_by_year(evidence)
    if (two := evidence.two_rows()) is None:
        return _numbers(row, cells[:2])
    return [figure for unit in two for figure in _numbers(unit, evidence.columns(unit)[:1])]


def _rows_by_year(evidence: Evidence) -> list[_Figure]:
    """Where the years name rows, not columns."""
    years = sorted(evidence.asked.years, reverse=True)
    found = []
    for year in years[:2]:
        for row in evidence.rows:
            if year in years_in(row.label) and (used := _numbers(row, evidence.columns(row)[:1])):
                found += used
                break
    return found


def _change(evidence: Evidence) -> Answer | None:
    used = _later_first(evidence)
    return _calculated(evidence, Call("subtract", _all(used)), used) if len(used) == 2 else None


def _percentage_change(evidence: Evidence) -> Answer | None:
    used = _later_first(evidence)
    if len(used) != 2:
        return None
    # Signed as the annotators do it: by the earlier figure itself, not by its size.
    ratio = Call("divide", (Call("subtract", (Operand(1), Operand(2))), Operand(2)))
    return _calculated(evidence, Call("multiply", (ratio, Constant(Decimal(100)))), used, "percent")


def _many(evidence: Evidence) -> list[_Figure]:
    """Figures that are added up or averaged: of one row over its years, or of one column over the rows named."""
    if not evidence.rows:
        return []
    row = evidence.rows[0]
    if len(evidence.asked.years) != 1:
        used = _numbers(row, evidence.columns(row))
        if len(used) > 1:
            return used
    elif evidence.asked.operation is Operation.AVERAGE:
        year = evidence.asked.years[0]  # the average of a year is that of its end and of the one before
        used = _numbers(row, [c for c in evidence.figures(row) if {year, year - 1} & set(years_in(c.header))])
        if len(used) == 2:
            return used
    two = evidence.two_rows()
    return [f for unit in two for f in _numbers(unit, evidence.columns(unit)[:1])] if two else []


def _average(evidence: Evidence) -> Answer | None:
    used = _many(evidence)
    best = evidence.rows[0] if evidence.rows else None
    if best is not None and "average" in best.label.lower() and len(evidence.asked.years) < 2:
        return None
    return _calculated(evidence, Call("average", _all(used)), used) if len(used) > 1 else None


def _sum(evidence: Evidence) -> Answer | None:
    used = _many(evidence)
    return _calculated(evidence, Call("sum", _all(used)), used) if len(used) > 1 else None


def _ratio(evidence: Evidence) -> Answer | None:
    if (two := evidence.two_rows()) is None:
        return None
    used = [figure for unit in two for figure in _numbers(unit, evidence.columns(unit)[:1])]
    if len(used) != 2:
        return None
    text = evidence.asked.text.lower()
    if (
        re.search(r"(?:percentage|percent|proportion) of (?:the )?total\b", text)
        and "total" in used[0].unit.label.lower()
    ):
        used.reverse()
    ratio: Program = Call("divide", (Operand(1), Operand(2)))
    if not evidence.asked.percent or text.startswith(("what is the proportion", "what was the proportion")):
        return _calculated(evidence, ratio, used, "")
    return _calculated(evidence, Call("multiply", (ratio, Constant(Decimal(100)))), used, "percent")


def _compare(evidence: Evidence) -> Answer | None:
    row = evidence.rows[0] if evidence.rows else None
    if row is None:
        return None
    asked = evidence.asked
    if not re.search(r"\b(?:year|period|quarter)s?\b", asked.text.lower()):
        return _compare_rows(evidence, row)
    used = _numbers(row, evidence.columns(row) if len(asked.years) > 1 else row.cells)
    if asked.limit is not None:
        held = _beyond(asked, asked.limit, used)
        return _named([_year_name(f.cell) for f in held], held)
    if not used:
        return None
    chosen = (min if asked.least else max)(used, key=lambda f: f.value)
    return _named([_year_name(chosen.cell)], used)


def _beyond(asked: Asked, limit: Decimal, used: Sequence[_Figure]) -> list[_Figure]:
    """The figures above the question's limit, or below it where it asks for less."""
    return [figure for figure in used if figure.value != limit and (figure.value < limit) is asked.least]


def _compare_rows(evidence: Evidence, best: Unit) -> Answer | None:
    used = [
        figure
        for row in evidence.beside(best, evidence.rows)
        if not row.label.lower().startswith("total")
        for figure in _numbers(row, evidence.columns(row)[:1])
    ]
    if not used:
        return None
    chosen = (min if evidence.asked.least else max)(used, key=lambda f: f.value)
    return _named([chosen.unit.label.rpartition(": ")[2]], [chosen])


def _year_name(cell: Cell) -> str:
    years = years_in(cell.header)
    return str(years[0]) if years else cell.header


def _named(values: Sequence[str], used: Sequence[_Figure]) -> Answer | None:
    places = tuple(Citation(f.unit.number, f.cell.text, f.cell.column) for f in used)
    return Answer(tuple(values), "", places) if values else None


def _count(evidence: Evidence) -> Answer | None:
    row, asked = (evidence.rows[0] if evidence.rows else None), evidence.asked
    if row is None or asked.limit is None:
        return None
    by_row = not re.search(r"how many (?:\w+ )?(?:years|periods|quarters)|of the years", asked.text.lower())
    if by_row:
        rows = [r for r in evidence.beside(row, evidence.all_rows) if not r.label.lower().startswith("total")]
        used = [f for r in rows for f in _numbers(r, evidence.columns(r)[:1])]
    else:
        used = _numbers(row, evidence.columns(row) if asked.years else row.cells)
    held = _beyond(asked, asked.limit, used)
    if not held:
        return None
    return _calculated(evidence, Call("count", _all(held)), held, "")


def _list(evidence: Evidence) -> Answer | None:
    row = evidence.rows[0] if evidence.rows else None
    if row is None:
        return None
    names = list(dict.fromkeys(_year_name(cell) for cell in row.cells))
    return Answer(tuple(names), "", (Citation(row.number, row.text),))


def _span(evidence: Evidence) -> Answer | None:
    """The cells or the words of the best unit; of the best sentence, where a reason is asked for."""
    if (best := evidence.best) is None:
        return None
    if re.match(r"\s*why\b", evidence.asked.text, re.IGNORECASE):
        best = next((unit for unit in evidence.ranked[:_REASONS] if not unit.cells), best)
    if best.cells:
        return _cells(evidence, best)
    text = said(evidence, best.text)
    return Answer((text,), "", (Citation(best.number, text),))


def _cells(evidence: Evidence, row: Unit) -> Answer:
    cells = evidence.columns(row)
    if "respective" not in evidence.asked.text.lower() and len(evidence.asked.years) < 2:
        cells = cells[:1]
    scale = evidence.scale(*cells) if all(sole_figure(cell.text) for cell in cells) else ""
    if scale == "percent" and all("%" in cell.text for cell in cells):
        scale = ""
    places = tuple(Citation(row.number, cell.text, cell.column) for cell in cells)
    return Answer(tuple(cell.text for cell in cells), scale, places)


_WAYS: Final[Mapping[Operation, Callable[[Evidence], Answer | None]]] = {
    Operation.SPAN: _span,
    Operation.CHANGE: _change,
    Operation.PERCENTAGE_CHANGE: _percentage_change,
    Operation.AVERAGE: _average,
    Operation.SUM: _sum,
    Operation.RATIO: _ratio,
    Operation.COMPARE: _compare,
    Operation.COUNT: _count,
    Operation.LIST: _list,
}
