"""Indexes of the log that no record was read for, held against the prunings that the log itself declares."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from finslm.audit.records import Record
from finslm.compliance.happenings import number


@dataclass(slots=True)
class Gaps:
    """Gaps between the records that were read, and RETENTION_PRUNED events of the whole log."""

    begins_at: int | None = None
    """Index of the first record that was read."""
    _next: int = 0
    _missing: array[int] = field(default_factory=lambda: array("Q"))
    """Begin and end of each gap, one after the other: 16 bytes a gap, whatever their number."""
    _pruned: list[tuple[int, int]] = field(default_factory=list)

    def take(self, index: int) -> None:
        """Note the index of the next record that was read."""
        if self.begins_at is None:
            self.begins_at = index
        if index != self._next:
            self._missing.extend((self._next, index))
        self._next = index + 1

    def declare(self, record: Record) -> None:
        """Note a RETENTION_PRUNED event, of whatever time: ``end`` is excluded."""
        first, end = number(record.details, "first"), number(record.details, "end")
        if first is not None and end is not None and 0 <= first < end:
            self._pruned.append((first, end))

    def within(self, start: int, end: int) -> int:
        """Missing indexes in [start, end)."""
        return sum(b - a for a, b in self._cut(start, end))

    def declared(self, start: int, end: int) -> int:
        """Missing indexes in [start, end) that a pruning accounts for."""
        ranges = _merged(self._pruned)
        return sum(max(0, min(b, y) - max(a, x)) for a, b in self._cut(start, end) for x, y in ranges)

    def _cut(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        for i in range(0, len(self._missing), 2):
            a, b = max(start, self._missing[i]), min(end, self._missing[i + 1])
            if a < b:
                yield a, b


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges that do not overlap, over the same indexes."""
    out: list[tuple[int, int]] = []
    for first, end in sorted(ranges):
        if out and first <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((first, end))
    return out
