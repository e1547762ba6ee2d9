"""Selecting records: a filter over their canonical bytes, and an index that passes over blocks of another time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from threading import Lock
from typing import Final, Protocol, final

BLOCK: Final = 256
"""Records read at a time; of each such block the index knows the earliest and the latest time."""

_TIME = re.compile(rb'"time":"([^"]*)"')


class Readable(Protocol):
    """The part of a store that this needs."""

    def read_range(self, start: int, end: int) -> Sequence[bytes]:
        """Return the records from ``start`` up to ``end``, at most :data:`BLOCK`."""
        ...


@final
@dataclass(frozen=True, slots=True)
class RecordFilter:
    """What a record must have; an empty field does not choose."""

    time_from: str = ""
    """First moment, in the form of :func:`finslm.audit.records.utc_stamp`."""
    time_to: str = ""
    """End, exclusive; the same form."""
    kind: str = ""
    tenant: str = ""
    principal: str = ""
    method: str = ""
    task: str = ""
    status: str = ""
    reason: str = ""
    event: str = ""
    tenants: tuple[str, ...] | None = None
    """Of one of these; None: of any, and events of none."""

    def digest(self) -> str:
        """Names the filter in a page token."""
        return hashlib.sha256(repr(astuple(self)).encode()).hexdigest()[:16]

    def needles(self) -> list[bytes]:
        """What :func:`own_fields` of a record that fits contain. Values have no quotes, so no key occurs inside one."""
        names = ("kind", "tenant", "principal", "method", "task", "status", "reason", "event")
        return [f'"{name}":"{value}"'.encode() for name in names if (value := getattr(self, name))]

    def overlaps(self, earliest: str, latest: str) -> bool:
        """Whether a record between these times could fit."""
        return latest >= self.time_from and (not self.time_to or earliest < self.time_to)

    def select(self, entries: Sequence[bytes], start: int) -> Iterator[tuple[int, bytes]]:
        """The entries that fit, with their indexes; ``start`` is that of the first."""
        needles = self.needles()
        own = None if self.tenants is None else [f'"tenant":"{tenant}"'.encode() for tenant in self.tenants]
        for index, entry in enumerate(entries, start):
            fields = own_fields(entry)
            if all(needle in fields for needle in needles) and (own is None or any(needle in fields for needle in own)):
                time = time_of(entry)
                if self.overlaps(time, time):
                    yield index, entry


@final
class TimeIndex:
    """Earliest and latest time of each whole block that was read so far; asked and filled by many threads."""

    def __init__(self) -> None:
        self._spans: dict[int, tuple[str, str]] = {}
        self._lock = Lock()

    def select(
        self, log: Readable, chosen: RecordFilter, start: int, end: int, most_read: int
    ) -> Iterator[tuple[int, list[tuple[int, bytes]]]]:
        """Go through the records from ``start`` to ``end``, block by block.

        Yields:
            The index up to which was read, and what fits of it. Ends after ``most_read`` records.
        """
        read = 0
        while start < end and read < most_read:
            block = start // BLOCK
            stop = min(end, (block + 1) * BLOCK)
            span = self._spans.get(block)
            if span is None or chosen.overlaps(*span):
                entries = log.read_range(start, stop)
                read += len(entries)
                if start % BLOCK == 0 and stop - start == BLOCK:
                    self._note(block, entries)
                yield stop, list(chosen.select(entries, start))
            start = stop
        yield start, []

    def _note(self, block: int, entries: Sequence[bytes]) -> None:
        times = [time_of(entry) for entry in entries]
        with self._lock:
            self._spans[block] = (min(times), max(times))


def own_fields(entry: bytes) -> bytes:
    """The canonical bytes of a record without its details: a fact in them may be called as a field of the record is.

    The values of details have no braces, and those of the other tables are numbers.
    """
    before, _, rest = entry.partition(b'"details":{')
    return before + rest.partition(b"}")[2]


def time_of(entry: bytes) -> str:
    """When the record of these canonical bytes was written."""
    found = _TIME.search(entry)
    return found[1].decode() if found else ""
