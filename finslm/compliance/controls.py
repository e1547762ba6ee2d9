"""The controls tables: what a rule asks, and how far this report evidences it.

``controls.yaml`` says what is asked and which signals bear on it; the status is computed, never written down.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from finslm.compliance.model import Control, Standard, Status
from finslm.compliance.request import refusal
from finslm.compliance.signals import SIGNALS, Basis, Found

_FILE: Final = Path(__file__).parent / "controls.yaml"


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ControlRow(_Row):
    """One rule. ``whole`` is false where the signals, all together, still show only a part of what is asked."""

    id: str
    asks: str
    signals: list[str]
    whole: bool
    bank: str


class StandardRow(_Row):
    """One standard."""

    id: str
    name: str
    note: str
    controls: list[ControlRow]


@cache
def standards() -> tuple[StandardRow, ...]:
    """All standards that there are tables for, in the order of the file."""
    return tuple(TypeAdapter(list[StandardRow]).validate_python(yaml.safe_load(_FILE.read_text("utf-8"))))


def chosen(ids: tuple[str, ...] | None) -> tuple[StandardRow, ...]:
    """The standards of these ids, in the order of the file; all when None.

    Raises:
        InvalidRequest: there is no table for one of them.
    """
    known = {row.id: row for row in standards()}
    if unknown := sorted(set(ids or ()) - known.keys()):
        raise refusal("standard", f"no controls table for {unknown[0]!r}; there are {', '.join(known)}")
    return tuple(row for row in standards() if ids is None or row.id in ids)


def judge(standard: StandardRow, basis: Basis) -> Standard:
    """The table of a standard, each status from the figures of this report."""
    rows = tuple(_control(row, basis) for row in standard.controls)
    return Standard(id=standard.id, name=standard.name, note=standard.note, controls=rows)


def _control(row: ControlRow, basis: Basis) -> Control:
    found = [SIGNALS[name][1](basis) for name in row.signals]
    return Control(
        id=row.id,
        asks=row.asks,
        status=_status(found, whole=row.whole),
        found="; ".join(signal.figure for signal in found),
        section=SIGNALS[row.signals[0]][0] if found else "",
        bank=row.bank,
    )


def _status(found: list[Found], *, whole: bool) -> Status:
    """Evidenced when all signals hold and together are all that is asked; not evidenced when none holds."""
    if not found:
        return "the bank's own"
    holds = {signal.holds for signal in found}
    if holds == {"yes"} and whole:
        return "evidenced"
    return "not evidenced" if holds == {"no"} else "partly"
