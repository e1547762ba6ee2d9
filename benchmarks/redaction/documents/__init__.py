"""Generated finance documents with labels: the held-out test of the redactor.

Their structures, names, addresses and numbers were written apart from the text that the name classifier was
trained on; only Faker's lists of names are in both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from benchmarks.redaction.documents.fields import Case, Piece
from benchmarks.redaction.documents.places import LANDS

STRUCTURES: Final = Path(__file__).with_name("structures.txt")

CHECKED: Final = frozenset(
    (  # noqa: SIM905
        "CREDIT_CARD IBAN_CODE ABA_ROUTING_NUMBER AU_ABN AU_TFN IN_AADHAAR CRYPTO CLABE BR_CNPJ BR_CPF CUSIP FIGI IMEI "
        "ISIN LEI SEDOL UK_NHS ES_NIE ES_NIF CREDITOR_REFERENCE SEPA_CREDITOR_ID UK_UTR VAT_ID MRZ IE_PPS DE_TAX_ID "
        "FR_NIR IT_FISCAL_CODE NL_BSN BE_NATIONAL_NUMBER SE_PERSONNUMMER NO_FODSELSNUMMER FI_PERSONAL_IDENTITY_CODE "
        "CH_AHV PL_PESEL PT_NIF CA_SIN SG_NRIC_FIN ZA_ID_NUMBER"
    ).split()
)
"""Types with check digits."""
_CASED: Final = frozenset({"CRYPTO", "PASSWORD", "URL", "MRZ"})
"""Types whose case means something; documents with one keep theirs."""

_DAMAGED: Final = 0.05
"""Share of the numbers with check digits that get a wrong digit."""
_SLOT: Final = re.compile(r"«([a-z_]+\d?)(?:\.(\d|\+))?(?::([^»]*))?»")
_REPEATED: Final = re.compile(r"\*(\d)-(\d) ")
_MISREAD: Final = {"o": "0", "l": "1", "e": "c", "m": "rn", "i": "í", "t": "f"}
_OTHERS: Final = 10
"""From this number on the people of repeated lines."""


class Value(NamedTuple):
    """A labelled piece of a document."""

    start: int
    end: int
    type: str
    damaged: bool

    @property
    def checked(self) -> bool:
        """Whether check digits tell what it is."""
        return self.type in CHECKED and not self.damaged


@dataclass(frozen=True, slots=True)
class Document:
    """A generated document; ``format`` is json, csv or text."""

    kind: str
    format: str
    text: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class _Structure:
    kind: str
    countries: tuple[str, ...]
    lines: bool
    format: str
    body: tuple[str, ...]


def documents(seed: int, count: int) -> Iterator[Document]:
    """Make documents, of each structure as many; a seed always gives the same."""
    rng = Random(seed)
    structures = _structures()
    for number in range(count):
        yield _document(structures[number % len(structures)], rng)


@cache
def _structures() -> tuple[_Structure, ...]:
    blocks = re.split(r"^== ", STRUCTURES.read_text("utf-8"), flags=re.MULTILINE)[1:]
    made = []
    for block in blocks:
        head, *body = block.rstrip("\n").split("\n")
        words = head.split()
        countries = tuple(word for word in words if word in LANDS)
        format_ = next((word for word in words[1:] if word in ("json", "csv")), "text")
        kind = " ".join(word for word in words if word not in LANDS and word != "lines")
        made.append(_Structure(kind, countries, "lines" in words, format_, tuple(body)))
    return tuple(made)


def _document(structure: _Structure, rng: Random) -> Document:
    case = Case(rng, structure.countries, lines=structure.lines)
    pieces: list[Piece] = []
    for line in structure.body:
        repeated = _REPEATED.match(line)
        times = rng.randint(int(repeated[1]), int(repeated[2])) if repeated else 1
        for turn in range(times):
            pieces += [*_filled(line[repeated.end() :] if repeated else line, case, _OTHERS + turn), Piece("\n")]
    pieces = [_damaged(piece, rng) for piece in pieces[:-1]]
    if structure.format == "text":
        pieces = _spoiled(pieces, rng)
    text, values = "", []
    for piece in pieces:
        if piece.type is not None:
            values.append(Value(len(text), len(text) + len(piece.text), piece.type, piece.damaged))
        text += piece.text
    return Document(structure.kind, structure.format, text, tuple(values))


def _filled(line: str, case: Case, other: int) -> Iterator[Piece]:
    at = 0
    for slot in _SLOT.finditer(line):
        yield Piece(line[at : slot.start()])
        who = other if slot[2] == "+" else int(slot[2] or 0)
        yield from case.pieces(slot[1], who, slot[3] or "")
        at = slot.end()
    yield Piece(line[at:])


def _damaged(piece: Piece, rng: Random) -> Piece:
    """Now and then a digit is another one."""
    if piece.type not in CHECKED or rng.random() >= _DAMAGED:
        return piece
    at = rng.choice([n for n, char in enumerate(piece.text) if char.isdigit()])
    other = rng.choice([digit for digit in "0123456789" if digit != piece.text[at]])
    return Piece(piece.text[:at] + other + piece.text[at + 1 :], piece.type, damaged=True)


def _spoiled(pieces: list[Piece], rng: Random) -> list[Piece]:
    """One document in five in another case, one in ten with words that a scanner read badly."""
    chance = rng.random()
    if chance < 0.2 and not any(piece.type in _CASED for piece in pieces):
        change = str.upper if chance < 0.1 else str.lower
        return [piece._replace(text=change(piece.text)) for piece in pieces]
    if chance < 0.3:
        return [piece if piece.type else piece._replace(text=_misread(piece.text, rng)) for piece in pieces]
    return pieces


def _misread(text: str, rng: Random) -> str:
    return "".join(_MISREAD[c] if c in _MISREAD and rng.random() < 0.04 else c for c in text)
