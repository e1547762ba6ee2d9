"""Numbers that nobody has: right in form and check digit, from ranges that are not given out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, final

from ffx import FF1

from redaction.errors import CannotReplace
from redaction.operators.layout import Layout, in_ascii

_KEYPAD: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")
"""Letters of a telephone's keys (ITU-T E.161)."""

NOBODYS_CODE: Final = "+999"
"""A country code that is given to no country (ITU-T E.164, list of assigned codes)."""


@final
@dataclass(frozen=True, slots=True)
class Prefixed:
    """Numbers whose first digits say who issues them, with a check digit last.

    Args:
        issued: the first digits that are given out, sorted.
        free: as many or more that are not.
    """

    issued: Sequence[str]
    free: Sequence[str]

    def replace(self, cipher: FF1, type_: str, digits: str) -> str:
        """Return the number that stands for this one: nobody has it.

        One to one, for the cipher permutes. A right number of an issuer becomes a right one from a range that is
        not given out; a mistyped one, one as wrong. A right one of an issuer that is not known has no room left
        among the right ones: an X stands in the place of its check digit.

        Raises:
            CannotReplace: too short.
        """
        width = len(self.issued[0])
        head, rest, check = digits[:width], digits[width:-1], digits[-1]
        if not rest:
            raise CannotReplace(f"a {type_} is too short to be replaced by another number")
        wrong_by = (int(check) - int(_check_digit(type_, head + rest))) % 10
        unit, tweak = 10 ** len(rest), f"{type_} {len(digits)} {wrong_by}".encode()
        if wrong_by == 0 and head in self.issued:
            number = self.issued.index(head) * unit + int(rest)
            at, left = divmod(cipher.encrypt_int(number, domain=len(self.free) * unit, tweak=tweak), unit)
            body = f"{self.free[at]}{left:0{len(rest)}d}"
            return body + _check_digit(type_, body)
        body = f"{cipher.encrypt_int(int(head + rest), domain=10**width * unit, tweak=tweak):0{len(digits) - 1}d}"
        return body + (str((int(_check_digit(type_, body)) + wrong_by) % 10) if wrong_by else "X")


def telephone(cipher: FF1, value: str) -> str:
    """Return a number of a country code that no country has, with as many digits behind it.

    Raises:
        CannotReplace: fewer than six digits.
    """
    digits = "".join(char for char in in_ascii(value).upper().translate(_KEYPAD) if char in "0123456789")
    if len(digits) < 6:
        raise CannotReplace("a PHONE_NUMBER is too short to be replaced by another number")
    number = cipher.encrypt(digits, tweak=b"PHONE_NUMBER")
    groups = [number[at : at + 3] for at in range(0, len(number) - 4, 3)]
    return " ".join([NOBODYS_CODE, *groups, number[3 * len(groups) :]])


def number(cipher: FF1, type_: str, value: str) -> str:
    """Return the number that stands for one of a type in :func:`prefixed`, written as it is.

    Raises:
        CannotReplace: it has letters, or is too short.
    """
    layout = Layout.of(value)
    if not layout.symbols.isdigit():
        raise CannotReplace(f"a {type_} with letters cannot be replaced by another number")
    return layout.write(prefixed()[type_].replace(cipher, type_, layout.symbols))


@cache
def prefixed() -> dict[str, Prefixed]:
    """Return the types with ranges that are not given out, large enough for all that are."""
    from redaction.recognizers.card_rules import issuer_lengths

    cells = [f"{n:04d}" for n in range(10_000)]
    # Payment cards, and Turkey's own. Numbers that begin with 1 are airlines': neither listed nor free.
    cards = [cell for cell in cells if issuer_lengths(cell) or cell == "9792"]
    free = [cell for cell in cells if cell[0] != "1" and cell not in set(cards)]
    routing = [f"{n:02d}" for n in (*range(13), *range(21, 33), *range(61, 73), 80)]
    return {
        "CREDIT_CARD": Prefixed(cards, free),
        "ABA_ROUTING_NUMBER": Prefixed(routing, [f"{n:02d}" for n in range(100) if f"{n:02d}" not in routing]),
    }


def _check_digit(type_: str, body: str) -> str:
    from stdnum import luhn
    from stdnum.us import rtn

    digit: str = (luhn if type_ == "CREDIT_CARD" else rtn).calc_check_digit(body)
    return digit
