"""What makes a number a right one of its type: which part never changes, and how its check is done."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cache
from typing import Final, final

Kind = Callable[[str], Hashable]


@final
@dataclass(frozen=True, slots=True)
class Numbering:
    """How the numbers of a type are built.

    Args:
        kind: tells right numbers from wrong ones, and of what sort they are, given the letters (in capitals) and
            digits; a number is replaced by one of its own kind.
        fixed: so many characters at the front stay; they say what sort of number it is, such as a country.
        one_in: about one of so many of the format is right; it narrows the numbers to choose from.
    """

    kind: Kind
    fixed: int = 0
    one_in: int = 1


ANY: Final = Numbering(lambda _: True)
"""Of a type of which no check is known: each number of the format is as right as any."""

_MOD_97: Final = 97
_CHECK_DIGIT: Final = 10


@cache
def numbering(type_: str) -> Numbering:
    """Return how the numbers of a type are built; without a known check any number of the format will do."""
    # The recognizers know: loaded when first asked, for they know the policies and these the operators.
    from stdnum import cusip, figi, imei, isin, lei
    from stdnum.gb import sedol
    from stdnum.us import rtn

    from redaction.recognizers.cards import luhn
    from redaction.recognizers.iban import mod_97

    checked: dict[str, Numbering] = {
        "CREDIT_CARD": Numbering(lambda n: n.isdigit() and (luhn(n), _issued(n)), one_in=_CHECK_DIGIT),
        "IBAN_CODE": Numbering(lambda n: _remainder(mod_97, n), fixed=2, one_in=_MOD_97),
        "CREDITOR_REFERENCE": Numbering(lambda n: _remainder(mod_97, n), fixed=2, one_in=_MOD_97),
        "SEPA_CREDITOR_ID": Numbering(lambda n: _remainder(mod_97, n[:4] + n[7:]), fixed=2, one_in=_MOD_97),
        "ABA_ROUTING_NUMBER": Numbering(lambda n: rtn.is_valid(n), one_in=_CHECK_DIGIT),
        "IMEI": Numbering(lambda n: imei.is_valid(n), one_in=_CHECK_DIGIT),
        "ISIN": Numbering(lambda n: isin.is_valid(n), fixed=2, one_in=_CHECK_DIGIT),
        "CUSIP": Numbering(lambda n: cusip.is_valid(n), one_in=_CHECK_DIGIT),
        "SEDOL": Numbering(lambda n: sedol.is_valid(n), one_in=_CHECK_DIGIT),
        "LEI": Numbering(lambda n: lei.is_valid(n), one_in=_MOD_97),
        "FIGI": Numbering(lambda n: figi.is_valid(n), fixed=3, one_in=_CHECK_DIGIT),
    }
    return checked.get(type_) or _national(type_) or ANY


def _national(type_: str) -> Numbering | None:
    """The number of a state, as its recognizer checks it."""
    import redaction.recognizers  # noqa: F401 - they register themselves
    from redaction.recognizers.national.search import SEARCH

    kinds = [kind for _, kind in SEARCH.kinds if kind.type == type_]
    if not kinds:
        return None
    checked = any(kind.checked for kind in kinds)
    return Numbering(
        lambda number: tuple(kind.has_shape(number) and kind.valid(number) for kind in kinds),
        one_in=_CHECK_DIGIT if checked else 1,
    )


def _issued(number: str) -> bool:
    """Whether a card scheme issues numbers with this beginning, in this length."""
    from redaction.recognizers.card_rules import issuer_lengths

    return len(number) in issuer_lengths(number[:4])


def _remainder(mod_97: Callable[[str], int], code: str) -> bool:
    return len(code) > 4 and code[2:4].isdigit() and mod_97(code) == 1
