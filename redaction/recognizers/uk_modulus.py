"""Does a UK account number fit its sort code? The modulus check that Pay.UK (Vocalink) publishes.

Rules: "Validating account numbers - UK modulus checking". The weight table (``valacdos.txt``) and the
substitution table (``scsubtab.txt``) belong to Pay.UK, change several times a year and are not shipped
here: a bank downloads them and gives their paths to :meth:`UkModulus.from_vocalink`.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

A, B, C, G, H = 6, 7, 8, 12, 13
"""Where the account digits that the exceptions speak of stand in sort code + account number."""

_METHODS: Final = ("MOD10", "MOD11", "DBLAL")
_NO_MATCH: Final = (0, 0, 1, 2, 5, 3, 6, 4, 8, 7, 10, 9, 3, 1)
_ONE_MATCH: Final = (0, 0, 0, 0, 0, 0, 0, 0, 8, 7, 10, 9, 3, 1)
"""Exception 2: weights for an account that begins with no zero, and for one with g = 9 besides."""


class ModulusTableError(ValueError):
    """A line of a table is not of the published form; says which file and line."""


@final
@dataclass(frozen=True, slots=True)
class Weights:
    """A line of the weight table: which sort codes, how they are checked, with what.

    Args:
        low: first sort code of the range.
        high: last sort code of the range.
        method: ``MOD10``, ``MOD11`` or ``DBLAL``.
        weights: of the 6 digits of the sort code and the 8 of the account number.
        exception: 1 to 14, or 0 for none.
    """

    low: str
    high: str
    method: str
    weights: tuple[int, ...]
    exception: int = 0


@final
class UkModulus:
    """The check over a weight table.

    Args:
        table: the lines, at most two for a sort code; the earlier is the first check.
        substitutions: sort codes that stand in for others under exception 5.
    """

    def __init__(self, table: Sequence[Weights], substitutions: Mapping[str, str] | None = None) -> None:
        self._table = sorted(table, key=lambda line: line.low)  # stable: the order of two checks stays
        self._lows = [line.low for line in self._table]
        self._substitutions = dict(substitutions or {})

    @classmethod
    def from_vocalink(cls, weights: Path, substitutions: Path | None = None) -> UkModulus:
        """Read the published files (``valacdos.txt``, ``scsubtab.txt``).

        Raises:
            OSError: a file cannot be read.
            ModulusTableError: a line is not of the published form.
        """
        table = [_weights(line, f"{weights.name}:{n}") for n, line in _lines(weights)]
        pairs = _lines(substitutions) if substitutions else []
        return cls(table, dict(_pair(line, f"{substitutions.name}:{n}") for n, line in pairs if substitutions))

    def check(self, sort_code: str, account: str) -> bool | None:
        """Whether the account number may exist at the sort code.

        Args:
            sort_code: six digits.
            account: eight digits; six or seven are filled up with zeros in front.

        Returns:
            None where the table says nothing of the sort code: it cannot be checked, and counts as valid.
        """
        lines = self._lines_of(sort_code)
        if not lines:
            return None
        digits = sort_code + account.zfill(8)
        first = lines[0]
        if first.exception == 6 and digits[A] in "45678" and digits[G] == digits[H]:
            return True  # a foreign currency account: nothing to check
        passed = self._passes(first, digits, first=True)
        if len(lines) == 1:
            return passed
        if {line.exception for line in lines} in ({2, 9}, {10, 11}, {12, 13}):
            return passed or self._passes(lines[1], digits, first=False)
        if lines[1].exception == 3 and digits[C] in "69":
            return passed
        return passed and self._passes(lines[1], digits, first=False)

    def _lines_of(self, sort_code: str) -> list[Weights]:
        """Ranges do not overlap, but one range may have two lines."""
        after = bisect.bisect_right(self._lows, sort_code)
        return [line for line in self._table[max(0, after - 2) : after] if line.low <= sort_code <= line.high]

    def _passes(self, line: Weights, digits: str, *, first: bool) -> bool:
        if line.exception == 5:
            return _passes_5(line, self._substitutions.get(digits[:6], digits[:6]) + digits[6:])
        if line.exception == 8:
            digits = "090126" + digits[6:]
        if line.exception == 9:
            digits = "309634" + digits[6:]
        if line.exception == 14 and first:
            return _passes_14(line, digits)
        return _remainder(_adapted(line, digits), digits) == (int(digits[G:]) if line.exception == 4 else 0)


def _adapted(line: Weights, digits: str) -> Weights:
    """The line with the weights that exceptions 2, 7 and 10 want for these digits."""
    if line.exception == 2 and digits[A] != "0":
        return replace(line, weights=_ONE_MATCH if digits[G] == "9" else _NO_MATCH)
    marked = line.exception == 7 or (line.exception == 10 and digits[A : B + 1] in ("09", "99"))
    if marked and digits[G] == "9":
        return replace(line, weights=(0,) * 8 + line.weights[8:])
    return line


def _remainder(line: Weights, digits: str) -> int:
    products = [weight * int(digit) for weight, digit in zip(line.weights, digits, strict=True)]
    if line.method == "DBLAL":
        total = sum(product // 100 + product // 10 % 10 + product % 10 for product in products)
    else:
        total = sum(products)
    return (total + (27 if line.exception == 1 else 0)) % (11 if line.method == "MOD11" else 10)


def _passes_5(line: Weights, digits: str) -> bool:
    """Exception 5: g is the check digit of the modulus 11 check, h that of the double alternate one."""
    remainder = _remainder(line, digits)
    if line.method == "MOD11":
        return remainder != 1 and (11 - remainder) % 11 == int(digits[G])
    return (10 - remainder) % 10 == int(digits[H])


def _passes_14(line: Weights, digits: str) -> bool:
    """Exception 14: an account whose last digit is 0, 1 or 9 may also be one of seven digits and that digit."""
    if _remainder(line, digits) == 0:
        return True
    return digits[H] in "019" and _remainder(line, digits[:6] + "0" + digits[6:13]) == 0


def _lines(path: Path) -> list[tuple[int, str]]:
    lines = path.read_text("ascii").splitlines()
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _weights(line: str, where: str) -> Weights:
    fields = line.split()
    if len(fields) not in (17, 18) or fields[2] not in _METHODS or not all(_is_sort_code(f) for f in fields[:2]):
        raise ModulusTableError(f"{where}: two sort codes, a method, 14 weights and perhaps an exception are wanted")
    try:
        numbers = [int(field) for field in fields[3:]]
    except ValueError:
        raise ModulusTableError(f"{where}: weights and exception must be whole numbers") from None
    exception = numbers[14] if len(numbers) == 15 else 0
    if not 0 <= exception <= 14:
        raise ModulusTableError(f"{where}: exception {exception} is not known; 1 to 14 are")
    return Weights(fields[0], fields[1], fields[2], tuple(numbers[:14]), exception)


def _pair(line: str, where: str) -> tuple[str, str]:
    fields = line.split()
    if len(fields) != 2 or not all(map(_is_sort_code, fields)):
        raise ModulusTableError(f"{where}: two sort codes are wanted")
    return fields[0], fields[1]


def _is_sort_code(field: str) -> bool:
    return len(field) == 6 and field.isascii() and field.isdigit()
