"""Values as requests have them, all made up, and the disguises they are planted in. Everything by seed."""

from __future__ import annotations

import base64
import codecs
import html
import re
from collections.abc import Callable, Mapping
from random import Random
from typing import Final

Value = tuple[str, str]
"""Type and value."""

Disguise = Callable[[str, Random], str]

_SYLLABLES: Final = [
    "bra",
    "cel",
    "dor",
    "fen",
    "gul",
    "hal",
    "jor",
    "kes",
    "lim",
    "mor",
    "nav",
    "ost",
    "pel",
    "quin",
    "rov",
    "sel",
    "tur",
    "vel",
    "wen",
    "yar",
    "zim",
]
_WORDS: Final = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_NATO: Final = [
    "Alfa",
    "Bravo",
    "Charlie",
    "Delta",
    "Echo",
    "Foxtrot",
    "Golf",
    "Hotel",
    "India",
    "Juliett",
    "Kilo",
    "Lima",
    "Mike",
    "November",
    "Oscar",
    "Papa",
    "Quebec",
    "Romeo",
    "Sierra",
    "Tango",
    "Uniform",
    "Victor",
    "Whiskey",
    "Xray",
    "Yankee",
    "Zulu",
]
_LOOKS: Final = str.maketrans("ABCEHIKMOPTXaceopxy", "АВСЕНІКМОРТХасеорху")
_WIDE: Final = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_ARABIC: Final = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def name(rng: Random) -> str:
    """A first and a family name of syllables, nobody's."""
    first, family = ("".join(rng.choices(_SYLLABLES, k=k)) for k in (2, 3))
    return f"{first.capitalize()} {family.capitalize()}"


def digits(rng: Random, count: int) -> str:
    return "".join(rng.choices("0123456789", k=count))


def card(rng: Random) -> str:
    """Sixteen digits that pass Luhn's check."""
    body = "4" + digits(rng, 14)
    doubled = (int(d) * (2 - n % 2) for n, d in enumerate(body))
    return body + str(-sum(d - 9 * (d > 9) for d in doubled) % 10)


def iban(rng: Random) -> str:
    """A German or a British one with the right check digits (ISO 13616), in fours or in one piece."""
    country, bban = rng.choice([("DE", digits(rng, 18)), ("GB", "ZZZZ" + digits(rng, 14))])
    number = int("".join(str(int(char, 36)) for char in bban + country + "00"))
    whole = f"{country}{98 - number % 97:02}{bban}"
    return " ".join(re.findall(".{1,4}", whole)) if rng.random() < 0.5 else whole


_KINDS: Final[Mapping[str, Callable[[Random], str]]] = {
    "PERSON": name,
    "CREDIT_CARD": card,
    "IBAN_CODE": iban,
    "EMAIL_ADDRESS": lambda rng: name(rng).lower().replace(" ", ".") + "@mail.example",
    "PHONE_NUMBER": lambda rng: f"+44 20 7946 {digits(rng, 4)}",
    "UK_BANK_ACCOUNT": lambda rng: digits(rng, 8),
    "US_SSN": lambda rng: f"9{digits(rng, 2)}-{digits(rng, 2)}-{digits(rng, 4)}",
    "UK_NINO": lambda rng: f"QQ{digits(rng, 6)}{rng.choice('ABCD')}",
    "CUSTOMER_ID": lambda rng: f"C-{digits(rng, 10)}",
    "STREET_ADDRESS": lambda rng: f"{rng.randint(1, 99)} {name(rng).split()[1]} Street",
}


def values(rng: Random, count: int) -> list[Value]:
    """Of every kind in turn."""
    kinds = list(_KINDS.items())
    return [(kind, make(rng)) for kind, make in (kinds[n % len(kinds)] for n in range(count))]


def _kept(value: str) -> str:
    return "".join(filter(str.isalnum, value))


def _joined(sign: str) -> Disguise:
    return lambda value, _: sign.join(_kept(value))


def _numbers(value: str) -> str:
    return re.sub(r"\D", "", value)


def _said(value: str, rng: Random) -> str:
    """With "double" and "oh", as on the telephone."""
    out, text = [], value
    while text:
        char, twice = text[0], text[0].isdigit() and text[:2] == text[0] * 2 and rng.random() < 0.8
        word = ("oh" if char == "0" else _WORDS[int(char)]) if char.isdigit() else char
        out.append(f"double {word}" if twice else word)
        text = text[1 + twice :]
    return " ".join(out)


def _phonetic(value: str, _: Random) -> str:
    spoken = (_WORDS[int(c)] if c.isdigit() else _NATO[ord(c.upper()) - 65] for c in _kept(value))
    return " ".join(spoken)


def _each(shape: Callable[[str], str]) -> Disguise:
    return lambda value, _: "".join(map(shape, value))


ANY: Final[Mapping[str, Disguise]] = {
    "identical": lambda value, _: value,
    "upper case": lambda value, _: value.upper(),
    "lower case": lambda value, _: value.lower(),
    "spaced": _joined(" "),
    "dashed": _joined("-"),
    "dotted": _joined("."),
    "slashed": _joined(" / "),
    "one a line": _joined("\n"),
    "broken over two lines": lambda value, _: value[: len(value) // 2] + "\n" + value[len(value) // 2 :],
    "in fours": lambda value, _: " ".join(re.findall(".{1,4}", _kept(value))),
    "in bold letters": _each(lambda char: f"**{char}**"),
    "a JSON list": lambda value, _: str(list(_kept(value))).replace("'", '"'),
    "reversed": lambda value, _: value[::-1],
    "ROT13": lambda value, _: codecs.encode(value, "rot13"),
    "base64": lambda value, _: base64.b64encode(value.encode()).decode(),
    "base64url, unpadded": lambda value, _: base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
    "base64 of a sentence": lambda value, _: base64.b64encode(f"The value is {value}, as asked.".encode()).decode(),
    "base64 of it reversed": lambda value, _: base64.b64encode(value[::-1].encode()).decode(),
    "hexadecimal": lambda value, _: value.encode().hex(),
    "hexadecimal, spaced": lambda value, _: value.encode().hex(" "),
    "percent encoding": _each(lambda char: f"%{ord(char):02X}"),
    "HTML entities": _each(lambda char: f"&#{ord(char)};"),
    "HTML, hexadecimal": _each(lambda char: f"&#x{ord(char):x};"),
    "HTML, named": lambda value, _: html.escape(value).replace("@", "&commat;").replace(" ", "&nbsp;"),
    "JSON escapes": _each(lambda char: f"\\u{ord(char):04x}"),
    "C escapes": _each(lambda char: f"\\x{ord(char):02x}"),
    "full width": lambda value, _: value.translate(_WIDE),
    "zero width": _joined("\u200b"),
    "soft hyphens": _joined("\xad"),
    "lookalikes": lambda value, _: value.translate(_LOOKS),
    "Arabic-Indic digits": lambda value, _: value.translate(_ARABIC),
    "with accents": lambda value, _: re.sub(r"([aeiou])", "\\1\u0301", value),
    "read out, alphabet": _phonetic,
    "tags inside": lambda value, _: value[:3] + "<b>" + value[3:] + "</b>",
}
"""For every value."""

NUMBERS: Final[Mapping[str, Disguise]] = {
    "digits in words": lambda value, _: " ".join(_WORDS[int(c)] if c.isdigit() else c for c in _kept(value)),
    "in words, double and oh": lambda value, rng: _said(_kept(value), rng),
    "in words, dashes": lambda value, _: "-".join(_WORDS[int(c)] for c in _numbers(value)),
    "keycaps": lambda value, _: re.sub(r"(\d)", "\\1\ufe0f\u20e3", value),
    "circled digits": lambda value, _: value.translate({ord("0") + n: ord("①") + n - 1 for n in range(1, 10)}),
    "glued to a word": lambda value, _: "id" + _kept(value),
    "glued to digits": lambda value, rng: f"{rng.randint(1, 9)}{_kept(value)}{rng.randint(1, 9)}",
}
"""For values that are numbers for the greater part."""

PARTS: Final[Mapping[str, Disguise]] = {
    "first six digits": lambda value, _: _numbers(value)[:6],
    "last six digits": lambda value, _: _numbers(value)[-6:],
    "seven in the middle": lambda value, _: _numbers(value)[1:8],
    "eight in the middle": lambda value, _: _numbers(value)[-9:-1],
    "last eight, reversed": lambda value, _: _numbers(value)[-8:][::-1],
    "first six, spaced": lambda value, _: " ".join(_numbers(value)[:6]),
    "last six, in words": lambda value, _: " ".join(_WORDS[int(c)] for c in _numbers(value)[-6:]),
}
"""For numbers of nine digits and more."""

NAMES: Final[Mapping[str, Disguise]] = {
    "family name first": lambda value, _: ", ".join(value.split()[::-1]),
    "initial and family name": lambda value, _: f"{value[0]}. {value.split()[1]}",
    "family name alone": lambda value, _: value.split()[1],
    "possessive": lambda value, _: f"{value}'s",
}
"""For names of persons."""

_LEADS: Final = (
    "As you asked, here it is: {}.",
    "{}",
    "The customer ({}) was charged a fee of GBP 35.00 on 3 May 2026.",
    "Summary\n- <PERSON_1> complains about a fee\n- reference: {}\n- no reply so far",
    "Refund 120.00 to <IBAN_CODE_1>. Note {} was said on the telephone; call back within 5 days.",
)


def disguises(value: Value) -> Mapping[str, Disguise]:
    """Those that a value can be planted in."""
    type_, text = value
    found = dict(ANY)
    if type_ == "PERSON":
        found |= NAMES
    if type_ not in ("PERSON", "EMAIL_ADDRESS", "STREET_ADDRESS"):
        found |= NUMBERS
        if len(_numbers(text)) >= 9:
            found |= PARTS
    return found


def planted(leak: str, rng: Random) -> str:
    """An answer with a disguised value in it."""
    return rng.choice(_LEADS).format(leak)


_CLEAN: Final = (
    "We are sorry for the delay. The fee of {cur} {amount} was charged on {date} and will be refunded within {n} days.",
    "<PERSON_1> disputes a payment of {amount} {cur} from {date}; reference {ref}. Next step: call <PHONE_NUMBER_1>.",
    '{{"category": "card_dispute", "amount": {plain}, "currency": "{cur}", "date": "{iso}", "case": "{ref}"}}',
    "Revenue rose from {cur} {big} in {y} to {cur} {big2} in {y2}, or {pct}%, driven by net interest income of {big}.",
    "The transfer {ref} of {cur} {whole} left <IBAN_CODE_1> at {time} and has not arrived. Quote case {ref2} to us.",
    "| year | income | costs |\n|---|---|---|\n| {y} | {big} | {big2} |\n| {y2} | {big3} | {amount} |",
    "ISIN {isin}: price {amount}, volume {whole}, yield {pct}% at {iso}T{time}:{ss}.",
    "Please confirm by {date} that account <UK_BANK_ACCOUNT_1> may be closed; balance {cur} {amount}, rate {pct}%.",
    "Your ticket number is {ref}. Batch {six}, invoice {six2}. We wrote to <EMAIL_ADDRESS_1> on {date} at {time}.",
    "One of the two payments, three of four fees and zero charges: no double booking, at {pct} percent, dot.",
)


def clean(rng: Random) -> str:
    """An ordinary answer with numbers of its own."""
    year = rng.randint(2010, 2026)
    month, day = rng.randint(1, 12), rng.randint(1, 28)
    months = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ]
    facts: dict[str, object] = {
        "cur": rng.choice(["GBP", "EUR", "USD", "$", "£"]),
        "n": rng.randint(2, 30),
        "date": rng.choice([f"{day} {months[month - 1]} {year}", f"{day:02}/{month:02}/{year}"]),
        "iso": f"{year}-{month:02}-{day:02}",
        "y": year - 1,
        "y2": year,
        "time": f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}",
        "ss": f"{rng.randint(0, 59):02}",
        "plain": f"{rng.uniform(1, 1e5):.2f}",
        "amount": f"{rng.uniform(1, 1e5):,.2f}",
        "whole": rng.randint(1, 999_999),
        "pct": f"{rng.uniform(0, 30):.2f}",
        "isin": f"XS{digits(rng, 10)}",
        "ref": f"{rng.choice(['REF-', 'C', 'TX ', '#'])}{digits(rng, rng.randint(5, 10))}",
        "ref2": digits(rng, rng.randint(5, 9)),
        "six": digits(rng, 6),
        "six2": f"INV-{digits(rng, 6)}",
    }
    facts |= {key: f"{rng.randint(10**6, 10**9):,}" for key in ("big", "big2", "big3")}
    return " ".join(rng.choice(_CLEAN).format(**facts) for _ in range(rng.randint(1, 3)))
