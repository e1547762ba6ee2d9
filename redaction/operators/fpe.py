"""Format-preserving encryption: a number becomes another of its format, and comes back with the tenant's key."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final, Literal, final

from ffx import FF1
from pydantic import Field

from redaction.errors import CannotReplace
from redaction.operators import base
from redaction.operators.base import OPERATORS, Context
from redaction.operators.layout import Layout, mask, rank, size, unrank
from redaction.operators.numbering import numbering
from redaction.operators.plain import Plain

FEWEST: Final = 10**6
"""Values that must be possible (NIST SP 800-38G rev. 1 draft, 5.1): among fewer one can be guessed."""

_MOST_STEPS: Final = 20_000
"""Half a second: of every format that is known, one number in a few hundred is right."""

_SCHEME_DIGITS: Final = 6
_CARD: Final = "CREDIT_CARD"

NO_NUMBERS: Final = frozenset(
    {
        "PERSON", "ORGANIZATION", "LOCATION", "STREET_ADDRESS", "NRP", "DATE_TIME", "DATE_OF_BIRTH", "AGE",
        "EMAIL_ADDRESS", "URL", "IP_ADDRESS", "MAC_ADDRESS", "PASSWORD", "SECRET", "PIN", "CVV", "CARD_EXPIRY",
        "CRYPTO", "MRZ", "LITERAL",
    }
)  # fmt: skip
"""Types whose values are words, too short, or no longer what they are when a character of them changes."""


@final
class FpeOptions(base.Options):
    """What stays in the clear, and what is done with a value that cannot be encrypted."""

    keep_first: int = Field(0, ge=0, le=16)
    """Letters and digits at the beginning that stay; of a card 6 at most."""
    keep_last: int = Field(0, ge=0, le=4)
    """And at the end."""
    otherwise: Literal["refuse", "mask"] = "refuse"
    """A value that is too short, or has other letters than A-Z: refuse the text, or write stars."""


@OPERATORS.register("fpe")
@final
class Fpe(Plain[FpeOptions]):
    """FF1 of NIST SP 800-38G under the tenant's key, with AES-256; the type and the format are its tweak.

    Digits become digits, capitals capitals, and what stands between them stays. A number with a right check digit
    becomes one with a right check digit, a wrong one a wrong one: the cipher is applied again until it is so (cycle
    walking), which keeps it one to one. A value of a tenant therefore has one image, and no two have the same.

    It is reversible by :meth:`decrypt` with the key, not by restore: the image looks like any other number.

    Raises:
        RedactionError: there is no key.
    """

    Options: ClassVar[type[base.Options]] = FpeOptions

    def __init__(self, options: FpeOptions, context: Context) -> None:
        super().__init__(options, context)
        key = context.key("fpe", "1")
        self._digits, self._mixed = FF1(key, radix=10), FF1(key)

    @staticmethod
    def unsuited(type_: str, options: base.Options) -> str:
        """Return why the type cannot be encrypted so, or nothing."""
        if not type_ or type_ in NO_NUMBERS:
            return "its values are no numbers of a fixed format, or too few"
        kept = options.model_dump()
        if type_ == _CARD and (kept["keep_first"] > _SCHEME_DIGITS or kept["keep_first"] + kept["keep_last"] > 8):
            return "of a card number at most 6 digits may stay in front, and 8 in all: fewer than a million are left"
        return ""

    def replace(self, type_: str, value: str) -> str:
        """Return the image.

        Raises:
            CannotReplace: fewer than a million values have the format, or it has other letters than A-Z; with
                ``otherwise: mask`` there are stars instead.
        """
        try:
            return self._apply(type_, value, self._encrypt)
        except CannotReplace:
            if self._options.otherwise == "refuse":
                raise
            return "".join("*" if char.isalnum() else char for char in value) if any(map(str.isalnum, value)) else "*"

    def decrypt(self, type_: str, image: str) -> str:
        """Return the value of an image, as it was written but for full-width forms.

        Raises:
            CannotReplace: it cannot be an image.
        """
        return self._apply(type_, image, self._decrypt)

    def _apply(self, type_: str, value: str, cipher: Callable[[str, bytes], str]) -> str:
        layout, kinds = Layout.of(value), numbering(type_)
        symbols = layout.symbols
        first = max(self._options.keep_first, kinds.fixed)
        last = len(symbols) - self._options.keep_last
        head, body, tail = symbols[:first], symbols[first:last], symbols[max(first, last) :]
        if len(body) < 2 or size(body) < FEWEST * kinds.one_in:
            raise CannotReplace(
                f"a {type_} is too short to be encrypted in its own format: fewer than a million are like it"
            )
        tweak = f"{type_}\0{mask(symbols)}\0{head}\0{tail}".encode()
        kind = kinds.kind(symbols.upper())
        for _ in range(_MOST_STEPS):
            body = cipher(body, tweak)
            if kinds.kind((head + body + tail).upper()) == kind:
                return layout.write(head + body + tail)
        raise CannotReplace(f"a {type_} has a format of which too few numbers are right to encrypt one")

    def _encrypt(self, body: str, tweak: bytes) -> str:
        if body.isdigit():
            return str(self._digits.encrypt(body, tweak=tweak))
        return unrank(self._mixed.encrypt_int(rank(body), domain=size(body), tweak=tweak), body)

    def _decrypt(self, body: str, tweak: bytes) -> str:
        if body.isdigit():
            return str(self._digits.decrypt(body, tweak=tweak))
        return unrank(self._mixed.decrypt_int(rank(body), domain=size(body), tweak=tweak), body)
