"""Made-up values that read like real ones: the same for the same value of a tenant, and nobody's."""

from __future__ import annotations

import base64
import hmac
import re
import unicodedata
from collections.abc import Sequence
from typing import ClassVar, Final, TypeVar, final

from ffx import FF1

from redaction.operators import base, never_issued
from redaction.operators.base import OPERATORS, Context
from redaction.operators.fpe import Fpe, FpeOptions
from redaction.operators.names import LATIN, gender, names, script
from redaction.operators.plain import Plain

T = TypeVar("T")

_IN_FORM: Final = ("IBAN_CODE", "BANK_ACCOUNT")
"""Numbers of which no ranges are known that are never given out, and so long that hardly any is an account."""
_NUMBERS: Final = ("CREDIT_CARD", "ABA_ROUTING_NUMBER")
_WORDS: Final = ("PERSON", "ORGANIZATION", "STREET_ADDRESS", "EMAIL_ADDRESS")
KNOWN: Final = frozenset({*_IN_FORM, *_NUMBERS, *_WORDS, "PHONE_NUMBER"})

_TITLES: Final = {
    "mr": "m", "sir": "m", "lord": "m", "herr": "m", "monsieur": "m", "sr": "m", "sig": "m",
    "mrs": "f", "ms": "f", "miss": "f", "madam": "f", "lady": "f", "dame": "f", "frau": "f", "madame": "f",
    "mme": "f", "mlle": "f", "sra": "f", "doña": "f", "sig.ra": "f",
    "dr": "", "prof": "", "professor": "", "doctor": "", "rev": "",
}  # fmt: skip
_TITLE: Final = re.compile(rf"(?:(?:{'|'.join(map(re.escape, _TITLES))})\.?\s+)+(?=\S)", re.IGNORECASE)
_LEGAL: Final = re.compile(
    r",?\s+(?:inc|llc|llp|lp|ltd|limited|plc|corp(?:oration)?|co|company|gmbh|ag|kg|se|s\.?a\.?|s\.?r\.?l|s\.?p\.?a"
    r"|b\.?v|n\.?v|oy|ab|as|a/s|bank|trust|fund|group|holdings?)\.?$",
    re.IGNORECASE,
)
_STREETS: Final = ("Street", "Road", "Avenue", "Lane", "Drive", "Court", "Place", "Terrace", "Close", "Way")
_INITIALS: Final = "ABCDEFGHIJKLMNOPRSTVWZ"


@OPERATORS.register("surrogate")
@final
class Surrogate(Plain[base.Options]):
    """Drawn by the tenant's key, so that one value always gets the same, and another tenant's another.

    Cards and routing numbers come from ranges that nobody is given, telephones have a country code that no country
    has, e-mail addresses the domain example.com (RFC 2606): one to one, by encryption. So are account numbers,
    in their own format. Names keep gender and script where these are known, companies their legal form; they are
    drawn from 10^13 and more of the Latin script, so that ten thousand names of a tenant get ten thousand
    different ones but for a chance of 1 in 100,000. Within one text two never get the same.

    Raises:
        RedactionError: there is no key.
    """

    Options: ClassVar[type[base.Options]] = base.Options

    def __init__(self, options: base.Options, context: Context) -> None:
        super().__init__(options, context)
        self._key = context.key("surrogate", "1")
        self._digits, self._any = FF1(self._key, radix=10), FF1(self._key)
        self._in_form = Fpe(FpeOptions.model_validate({}), context)
        self._taken: dict[str, tuple[str, str]] = {}

    @staticmethod
    def unsuited(type_: str, options: base.Options) -> str:  # noqa: ARG004 - of the protocol
        """Return why there are none of a type, or nothing."""
        if type_ in _WORDS:
            names(LATIN)  # takes a second, which belongs to the reading of a policy and not to the first text
        if type_ in KNOWN:
            return ""
        return f"there are surrogates of {', '.join(sorted(KNOWN))}; fpe or placeholder suits the others"

    def replace(self, type_: str, value: str) -> str:
        """Return the surrogate.

        Raises:
            CannotReplace: a number is too short, or has letters that its type has not.
        """
        if type_ == "PHONE_NUMBER":
            return never_issued.telephone(self._digits, value)
        if type_ in _NUMBERS:
            return never_issued.number(self._any, type_, value)
        if type_ in _IN_FORM:
            return self._in_form.replace(type_, value)
        return self._word(type_, value)

    def _word(self, type_: str, value: str) -> str:
        said = " ".join(unicodedata.normalize("NFKC", value).split())
        title = match[0] if type_ == "PERSON" and (match := _TITLE.match(said)) else ""
        same = type_, said[len(title) :].lower()
        attempt = 0
        while True:
            made = _Made(self._key, *same, attempt).of(type_, said[len(title) :], title)
            if made.lower() != same[1] and self._taken.setdefault(made, same) == same:
                break
            attempt += 1
        answer = title + made
        return answer.upper() if said.isupper() and type_ != "EMAIL_ADDRESS" else answer


@final
class _Made:
    """Draws parts of a surrogate, each from what is left of one keyed number of 256 bits."""

    def __init__(self, key: bytes, type_: str, value: str, attempt: int) -> None:
        data = f"{type_}\0{value}\0{attempt}".encode("utf-8", "surrogatepass")
        digest = hmac.digest(key, data, "sha256")
        self._left, self._token = int.from_bytes(digest, "big"), base64.b32encode(digest[-5:]).decode().lower()

    def of(self, type_: str, value: str, title: str) -> str:
        """Return the surrogate of a value of a type."""
        match type_:
            case "PERSON":
                return self._person(value, title)
            case "ORGANIZATION":
                legal = _LEGAL.search(value)
                return f"{self._surname(value)}, {self._surname(value)} & {self._surname(value)}" + (
                    legal[0] if legal else ""
                )
            case "STREET_ADDRESS":
                number = self._draw(range(100, 10_000))
                return f"{number} {self._surname('')}-{self._surname('')} {self._draw(_STREETS)}"
        return f"{_ascii(self._draw(names(LATIN).female))}.{_ascii(self._surname(''))}.{self._token}@example.com"

    def _person(self, value: str, title: str) -> str:
        words = value.replace(",", " ").split()
        of_title = {_TITLES.get(word.casefold().rstrip("."), "") for word in title.split()} - {""}
        known = of_title or {sex for word in words[:1] if (sex := gender(word))}
        sex = known.pop() if len(known) == 1 else self._draw("fm")
        listed = names(script(value))
        given = self._draw(listed.female if sex == "f" else listed.male)
        initial = f" {self._draw(_INITIALS)}." if listed is names(LATIN) else ""
        return f"{given}{initial} {self._surname(value)}-{self._surname(value)}"

    def _surname(self, value: str) -> str:
        return self._draw(names(script(value)).surnames)

    def _draw(self, among: Sequence[T]) -> T:
        self._left, at = divmod(self._left, len(among))
        return among[at]


def _ascii(name: str) -> str:
    plain = "".join(char for char in unicodedata.normalize("NFKD", name).lower() if "a" <= char <= "z")
    return plain or "mail"
