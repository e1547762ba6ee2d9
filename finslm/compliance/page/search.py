"""Choosing records: the search form as a filter, its words, and what fits."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final, final

from finslm.audit.query import BLOCK, RecordFilter
from finslm.audit.records import FIELDS, Kind, Record, parse
from finslm.compliance.page.period import read_moment
from finslm.compliance.page.reading import NAMED, Reading, is_request_id
from finslm.compliance.request import refusal

PAGE_RECORDS: Final = 50
"""Records on a page of the list."""


@final
@dataclass(frozen=True, slots=True)
class Search:
    """What was asked for."""

    chosen: RecordFilter
    call: str = ""
    """Only records of this call."""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Search:
        """The search of a query's fields; absent and empty ones do not choose.

        Raises:
            InvalidRequest: a value that no record can have.
        """
        values = {name: query.get(name, "").strip() for name in NAMED}
        for name, value in values.items():
            if not FIELDS[name].allows(value):
                raise refusal(name, f"{name}: no record can have this value")
        call = query.get("call", "").strip().lower()
        if call and not is_request_id(call):
            raise refusal("call", "call: the id of a call is wanted, a UUID as the records have it")
        kind, tenant, principal, method, task, status, reason, event = values.values()
        first, end = read_moment("from", query.get("from", "")), read_moment("to", query.get("to", ""))
        if end and first >= end:
            raise refusal("to", "the search ends before it begins: give the earlier time first")
        return cls(RecordFilter(first, end, kind, tenant, principal, method, task, status, reason, event), call)

    def words(self) -> str:
        """The search in words that can be done by hand; the same search has the same words."""
        terms = [f'{name} = "{value}"' for name in NAMED if (value := getattr(self.chosen, name))]
        terms += [f'request_id = "{self.call}"'] if self.call else []
        terms += [f'time >= "{self.chosen.time_from}"'] if self.chosen.time_from else []
        terms += [f'time < "{self.chosen.time_to}"'] if self.chosen.time_to else []
        return f"records of the log with {' and '.join(terms)}" if terms else "all records of the log"

    def sha256(self) -> str:
        """Of the words, hex."""
        return hashlib.sha256(self.words().encode()).hexdigest()

    def find(self, reading: Reading) -> array[int]:
        """Indexes of all records that fit, in the order of the log. Raises as :meth:`Reading.read_range`."""
        needle, found = f'"request_id":"{self.call}"'.encode() if self.call else b"", array("Q")
        first, size = reading.report.first_kept, reading.size
        for _, fitting in reading.index.select(reading, self.chosen, first, size, size):
            found.extend(index for index, entry in fitting if needle in entry)
        return found


@final
@dataclass(frozen=True, slots=True)
class Found:
    """What a search found in a reading."""

    search: Search
    reading: Reading
    indexes: array[int]

    @property
    def pages(self) -> int:
        """How many pages; at least one."""
        return max(1, -(-len(self.indexes) // PAGE_RECORDS))

    def page(self, number: int) -> list[tuple[int, Record]]:
        """The records of a page, the newest on the first. Raises as :meth:`Reading.read_range`."""
        end = max(0, len(self.indexes) - (number - 1) * PAGE_RECORDS)
        chosen = self.indexes[max(0, end - PAGE_RECORDS) : end]
        shown = list[tuple[int, Record]]()
        for _, group in groupby(chosen, lambda index: index // BLOCK):
            indexes = list(group)
            entries = self.reading.read_range(indexes[0], indexes[-1] + 1)
            shown += [(index, parse(entries[index - indexes[0]])) for index in indexes]
        return shown[::-1]


def of_call(reading: Reading, index: int, record: Record) -> list[tuple[int, Record]]:
    """The records of the same call: its INTENT before, its OUTCOME behind. Raises as :meth:`Reading.read_range`."""
    if record.kind is Kind.EVENT:
        return []
    found = {index: record}
    if record.intent_index is not None and reading.report.first_kept <= record.intent_index < index:
        found[record.intent_index] = parse(reading.entry(record.intent_index))
    elif record.kind is Kind.INTENT and index not in reading.report.intents_without_outcome:
        found |= _outcome(reading, index, record)
    return sorted(found.items())


def _outcome(reading: Reading, index: int, record: Record) -> dict[int, Record]:
    """The first OUTCOME of the call behind its INTENT."""
    chosen, needle = RecordFilter(kind=Kind.OUTCOME), f'"request_id":"{record.request_id}"'.encode()
    for _, fitting in reading.index.select(reading, chosen, index + 1, reading.size, reading.size):
        for at, entry in fitting:
            if needle in entry:
                return {at: parse(entry)}
    return {}
