"""What fills the slots of a document: money, dates, parties, accounts, numbers, in the forms people write them."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, final
from zlib import crc32

from finslm.train.documents.money import (
    ITEM_NUMBERS,
    amount,
    document_currency,
    document_rate,
    line,
    money,
    one_sum,
    one_sum_with_currency,
    rate,
)
from finslm.train.documents.words import WORDS
from finslm.train.names.grammar import Maker, digits, once
from finslm.train.names.makers import Makers

SPLITS: Final = ("train", "dev", "test")
_HELD_OUT: Final = 8
"""Every eighth name, firm and town is for the test documents alone."""
_FIRST_LETTERS_END: Final = 0x250
"""Names in Latin letters: the base's vocabulary has few others."""

_BICS: Final[list[str]] = WORDS["bics"]
_MONTHS: Final[list[str]] = WORDS["months"]
_LEGAL: Final[list[str]] = WORDS["legal"]
_TRADES: Final[list[str]] = WORDS["trades"]
_NATIONS: Final[list[str]] = WORDS["nations"]
_STREETS: Final[list[str]] = WORDS["streets"]
_ABROAD: Final[list[str]] = WORDS["abroad"]
_LANDS: Final[list[str]] = WORDS["lands"]
_JOBS: Final[list[str]] = WORDS["jobs"]
_GOODS: Final[list[str]] = WORDS["goods"]
_ID_TYPES: Final[list[str]] = WORDS["id_types"]
_HOSTS: Final[list[str]] = WORDS["hosts"]
_PATTERNS: Final[dict[str, list[str]]] = WORDS["patterns"]
_FUNDS: Final[dict[str, list[str]]] = WORDS["funds"]
_COUNTRIES: Final = {
    "DE": 18, "FR": 23, "NL": 14, "ES": 20, "AT": 16, "IE": 18, "IT": 23, "BE": 12, "PL": 24, "PT": 21, "CH": 17,
    "GB": 18, "DK": 14, "SE": 20, "FI": 14, "LU": 16, "CZ": 20, "NO": 11, "AE": 19, "CY": 24, "EE": 16, "HU": 24,
}  # fmt: skip
"""Length of what follows country and check digits of an IBAN (ISO 13616)."""

_VARIANTS: Final[Mapping[str, tuple[str, ...]]] = {
    "beneficiary": ("person", "org"), "payer": ("person", "org"), "buyer": ("person", "org"), "seller": ("person",),
    "account": ("iban", "ukaccount", "usaccount"), "payer_account": ("iban", "ukaccount", "usaccount"),
    "bank_code": ("bic", "sortcode", "routing"), "nationality": ("nation", "land"),
}  # fmt: skip
"""Narrower values of a field, for wording that takes no other: ``{payer_org}`` is a payer that is a firm."""


@final
class Values:
    """Makes values; each is a function of a text's scene.

    Args:
        makers: pools of names, firms and places.
        split: names of the test documents stand in no other.
    """

    def __init__(self, makers: Makers, split: str) -> None:
        self._makers, self._test = makers, split == "test"

    def slots(self, fields: Mapping[str, str]) -> dict[str, Maker]:
        """The slots of a grammar: every value under its own name without a label, every field with its label.

        Args:
            fields: field and the value that fills it.
        """
        plain: dict[str, Callable[[random.Random], str]] = {
            "person": self.person, "given": self.given, "org": self.org, "party": self.party, "bank": self.bank,
            "city": self.city, "land": self.land, "address": self.address, "street": self.street, "iban": self.iban,
            "account": self.account, "ukaccount": lambda rng: digits("%#######", rng),
            "bic": lambda rng: rng.choice(_BICS),
            "usaccount": lambda rng: digits(rng.choice(("%########", "%###########", "%#########")), rng),
            "sortcode": lambda rng: digits("%#-##-##", rng), "routing": routing, "bankcode": self.bank_code,
            "date": date, "dayofbirth": birthday, "later": date, "quantity": self.quantity,
            "reference": self.reference, "docno": document_number, "invoiceno": invoice_number, "order": order_number,
            "taxid": tax_number, "email": self.email, "phone": phone,
            "nationality": lambda rng: rng.choice(_NATIONS if rng.random() < 0.8 else _LANDS),
            "nation": lambda rng: rng.choice(_NATIONS), "job": self.job, "rate": rate, "goods": self.goods,
            "word": self.word,
            "otherperson": self.person, "otheraddress": self.address, "otheremail": self.email, "otherphone": phone,
            "idtype": lambda rng: rng.choice(_ID_TYPES), "funds": self.funds,
            "percent": lambda rng: f"{rng.randint(1, 95)}%",
            "time": lambda rng: f"{rng.randint(7, 21)}:{rng.randint(0, 59):02}",
        }  # fmt: skip
        made: dict[str, Maker] = {name: _piece(make, None) for name, make in plain.items()}
        made |= {field: _field(plain[source], field) for field, source in fields.items() if source in plain}
        made |= {
            f"{field}_{source}": _field(plain[source], field) for field in fields for source in _VARIANTS.get(field, ())
        }
        made |= {
            "othermoney": lambda scene: [("".join(text for text, _ in money(scene, "", "")), None)],
            "money": lambda scene: money(scene, "amount", "currency", amount(scene)),
            "amount": lambda scene: [(amount(scene), "amount")],
            "currency": lambda scene: [(document_currency(scene), "currency")],
            "tax_rate": lambda scene: [(document_rate(scene), "tax_rate")],
        }
        made |= {name: partial(line, name) for name in ITEM_NUMBERS}
        for name in ("net", "tax", "total"):
            made |= {name: partial(one_sum, name), f"{name}money": partial(one_sum_with_currency, name)}
        return made

    def _new(self, make: Callable[[], str]) -> str:
        """One in Latin letters that belongs to this split."""
        while True:
            value = make().replace("\x1f", ", ").strip()
            latin = value and max(map(ord, value)) < _FIRST_LETTERS_END and value.isprintable()
            if latin and (crc32(value.encode()) % _HELD_OUT == 0) is self._test:
                return value

    def person(self, rng: random.Random) -> str:
        """A whole name."""
        return self._new(lambda: self._person(rng).title() if rng.random() < 0.5 else self._person(rng))

    def _person(self, rng: random.Random) -> str:
        names = self._makers.names
        if rng.random() < 0.15:
            return names.full(rng, *names.whole(rng, native=0))
        return " ".join(names.whole(rng, native=0))

    def given(self, rng: random.Random) -> str:
        """A given name."""
        return self._new(lambda: self._makers.names.part(rng, self._makers.names.culture(rng, native=0), "first"))

    def _last(self, rng: random.Random) -> str:
        return self._makers.names.plain_last(rng).capitalize()

    def org(self, rng: random.Random) -> str:
        """A firm."""
        makes: tuple[Callable[[], str], ...] = (
            lambda: f"{self._last(rng)} {rng.choice(_TRADES)} {rng.choice(_LEGAL)}",
            lambda: f"{self._last(rng)} & {self._last(rng)} {rng.choice(_LEGAL)}",
            lambda: f"{self.word(rng).capitalize()} {rng.choice(_TRADES)} {rng.choice(_LEGAL)}",
            lambda: f"{self._last(rng)} {rng.choice(_TRADES)}",
            lambda: self._makers.say("firm_name", rng),
        )
        return self._new(rng.choice(makes))

    def party(self, rng: random.Random) -> str:
        """A person or a firm."""
        return self.person(rng) if rng.random() < 0.5 else self.org(rng)

    def bank(self, rng: random.Random) -> str:
        """A bank."""
        return self._new(lambda: self._makers.say("bank", rng))

    def city(self, rng: random.Random) -> str:
        """A town."""
        return self._new(lambda: self._makers.places.plain_city(rng))

    def land(self, rng: random.Random) -> str:
        """A country."""
        return rng.choice(_LANDS)

    def street(self, rng: random.Random) -> str:
        """House and street."""
        if rng.random() < 0.6:
            return f"{rng.randint(1, 240)} {self._new(lambda: self._last(rng))} {rng.choice(_STREETS)}"
        return f"{rng.choice(_ABROAD).format(self._new(lambda: self._last(rng)))} {rng.randint(1, 180)}"

    def address(self, rng: random.Random) -> str:
        """A postal address on one line."""
        code = digits(rng.choice(("#####", "####", "##-###", "?# #??", "??## %??", "#####")), rng)
        town = rng.choice((f"{self.city(rng)} {code}", f"{code} {self.city(rng)}", self.city(rng)))
        return ", ".join([self.street(rng), town, *([self.land(rng)] if rng.random() < 0.4 else [])])

    def iban(self, rng: random.Random) -> str:
        """One with right check digits, whole or in groups."""
        country = rng.choice(list(_COUNTRIES))
        rest = digits("#" * _COUNTRIES[country], rng)
        if country in ("GB", "NL", "IE"):
            rest = digits("????", rng) + rest[4:]
        left = int("".join(str(int(c, 36)) for c in rest + country + "00")) % 97
        whole = f"{country}{98 - left:02d}{rest}"
        grouped = " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))
        return grouped if rng.random() < 0.5 else whole

    def account(self, rng: random.Random) -> str:
        """An IBAN, or now and then a national number."""
        return self.iban(rng) if rng.random() < 0.75 else digits(rng.choice(("%#######", "%#########")), rng)

    def bank_code(self, rng: random.Random) -> str:
        """A BIC, a sort code or a routing number."""
        return rng.choice((rng.choice(_BICS), rng.choice(_BICS), digits("%#-##-##", rng), routing(rng)))

    def email(self, rng: random.Random) -> str:
        """An address at a domain that nobody has."""
        user = f"{self.given(rng)}{rng.choice(('.', '', '_'))}{self._last(rng)}".lower()
        plain = "".join(c for c in user if c.isascii() and (c.isalnum() or c in "._"))
        number = rng.choice(("", str(rng.randint(1, 99))))
        return f"{plain}{number}@{rng.choice(_HOSTS)}"

    def job(self, rng: random.Random) -> str:
        """What somebody does."""
        made = rng.choice(_JOBS) if rng.random() < 0.6 else self._makers.job(rng)
        return rng.choice((made, made.lower(), made.capitalize()))

    def funds(self, rng: random.Random) -> str:
        """Where somebody's money comes from."""
        head, tails = rng.choice(list(_FUNDS.items()))
        tail = rng.choice(tails)
        if "{" in tail:
            tail = tail.format(city=self.city(rng), org=self.org(rng), year=rng.randint(1995, 2025))
        return f"{head} {tail}".strip() if tail else head

    def word(self, rng: random.Random) -> str:
        """An ordinary word."""
        return self._makers.word(rng)

    def quantity(self, rng: random.Random) -> str:
        """How many."""
        return rng.choice((str(rng.randint(1, 12)), str(rng.randint(1, 400)), f"{rng.randint(1, 40)}.5"))

    def goods(self, rng: random.Random) -> str:
        """What an invoice is for."""
        head = rng.choice(_GOODS)
        word = self.word(rng)
        more = rng.choice(
            ("", "", "", f" {word}", f" - {word}", f" ({rng.choice(_MONTHS)})", f" {word} {self.word(rng)}")
        )
        return (head + more) if rng.random() < 0.8 else (head + more).lower()

    def reference(self, rng: random.Random) -> str:
        """What the payee knows a payment by."""
        month, n = rng.choice(_MONTHS), rng.randint(100, 99_999)
        forms = (
            f"invoice {n}", f"INV-{n}", f"Invoice No. {n}", f"rent {month}", f"{month} rent", f"order {n}",
            digits("??-####/##", rng), digits("RF%#########", rng), f"{rng.choice(_GOODS).lower()} {month}",
            digits("####-####", rng), f"{self.word(rng)} {self.word(rng)}", f"contract {digits('?##', rng)}/{n}",
            f"PO {n}", f"salary {month}", f"{rng.choice(_GOODS)}", f"deposit flat {rng.randint(1, 60)}",
            f"school fees {self.word(rng)}",
            digits("20##-####", rng), digits("???######", rng), f"loan repayment {rng.randint(1, 48)}",
            f"case {digits('?####', rng)}",
        )  # fmt: skip
        return rng.choice(forms)


def date(rng: random.Random) -> str:
    """A day of these years."""
    return written(dt.date(2023, 1, 1) + dt.timedelta(rng.randint(0, 1600)), rng)


def birthday(rng: random.Random) -> str:
    """A day on which somebody was born who has an account."""
    return written(dt.date(1938, 1, 1) + dt.timedelta(rng.randint(0, 25_000)), rng)


def written(day: dt.date, rng: random.Random) -> str:
    """A day in one of many forms."""
    name = _MONTHS[day.month - 1]
    d, m, y = day.day, day.month, day.year
    suffix = "th" if 10 < d < 20 else {1: "st", 2: "nd", 3: "rd"}.get(d % 10, "th")
    forms = (
        f"{d} {name} {y}", f"{d} {name} {y}", f"{name} {d}, {y}", f"{day:%Y-%m-%d}", f"{day:%Y-%m-%d}",
        f"{day:%d/%m/%Y}", f"{day:%d/%m/%Y}", f"{day:%d.%m.%Y}", f"{day:%d-%m-%Y}", f"{d}{suffix} {name} {y}",
        f"{d} {name[:3]} {y}", f"{day:%m/%d/%Y}", f"{d:02}-{name[:3]}-{y}", f"{d}.{m}.{y}", f"{name[:3]} {d}, {y}",
        f"{d:02}/{m:02}/{y % 100:02}",
    )  # fmt: skip
    return rng.choice(forms)


def routing(rng: random.Random) -> str:
    """A US routing number with its check digit (weights 3, 7, 1)."""
    head = rng.choice(("02", "11", "26", "31", "12", "07")) + digits("######", rng)
    left = sum(int(c) * w for c, w in zip(head, (3, 7, 1, 3, 7, 1, 3, 7), strict=True)) % 10
    return head + str(-left % 10)


def document_number(rng: random.Random) -> str:
    """Of a passport, an identity card or a licence."""
    return digits(rng.choice(_PATTERNS["document"]), rng)


def invoice_number(rng: random.Random) -> str:
    """Of an invoice."""
    return digits(rng.choice(_PATTERNS["invoice"]), rng)


def order_number(rng: random.Random) -> str:
    """Of a purchase order."""
    return digits(rng.choice(_PATTERNS["order"]), rng)


def tax_number(rng: random.Random) -> str:
    """Of a taxpayer; not all have right check digits."""
    return digits(rng.choice(_PATTERNS["tax"]), rng)


def phone(rng: random.Random) -> str:
    """A telephone number."""
    return digits(rng.choice(_PATTERNS["phone"]), rng)


def _field(make: Callable[[random.Random], str], label: str) -> Maker:
    """A document has one of each field, however often it is written; an item's fields are each row's own."""
    if label.startswith("item_"):
        return _piece(make, label)
    return lambda scene: [(once(scene, f"{label}!", lambda: make(scene.rng)), label)]


def _piece(make: Callable[[random.Random], str], label: str | None) -> Maker:
    return lambda scene: [(make(scene.rng), label)]
