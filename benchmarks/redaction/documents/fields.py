"""What may stand in a document: each field makes labelled pieces of text, the same ones for one person and document."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from benchmarks.redaction.documents import national, numbers
from benchmarks.redaction.documents.numbers import digits
from benchmarks.redaction.documents.people import Person, ascii_fold
from benchmarks.redaction.documents.places import LANDS, town


class Piece(NamedTuple):
    """A piece of a document. ``type`` is None for what is not personal; ``damaged``: no longer a right number."""

    text: str
    type: str | None = None
    damaged: bool = False


class Case:
    """The people and facts of one document."""

    def __init__(self, rng: Random, countries: tuple[str, ...], *, lines: bool) -> None:
        self.rng = rng
        self.countries = countries or tuple(LANDS)
        self.home = rng.choice(self.countries)
        self.lines = lines
        american = self.home in ("US", "CA")
        self.date_style = rng.choice(
            ("%m/%d/%Y", "%B %-d, %Y", "%m/%d/%y", "%Y-%m-%d")
            if american
            else ("%d/%m/%Y", "%-d %B %Y", "%d.%m.%Y", "%Y-%m-%d", "%d-%b-%Y", "%d/%m/%y", "%d %b %Y")
        )
        self.day = date(2026, 11, 1) - timedelta(days=rng.randint(0, 900))
        self.currency = {"US": "USD", "GB": "GBP", "CH": "CHF", "SE": "SEK", "IN": "INR", "CA": "CAD", "BR": "BRL"}.get(
            self.home, "EUR" if rng.random() < 0.7 else "USD"
        )
        self._people: dict[int, Person] = {}
        self._facts: dict[tuple[str, int], str] = {}

    def person(self, who: int) -> Person:
        if who not in self._people:
            local = who < 2 or self.rng.random() < 0.7
            self._people[who] = Person(self.rng, self.home if local else self.rng.choice(self.countries))
        return self._people[who]

    def fact(self, key: str, who: int, make: Callable[[Random], str]) -> str:
        if (key, who) not in self._facts:
            self._facts[key, who] = make(self.rng)
        return self._facts[key, who]

    def pieces(self, key: str, who: int, argument: str) -> list[Piece]:
        if key in _FACTS:
            type_, make = _FACTS[key]
            return [Piece(self.fact(key, who, make), type_)]
        made = FIELDS[key](self, who, argument)
        return made if isinstance(made, list) else [made]


_TITLES = {"M": ("Mr", "Mr.", "Dr", "Herr"), "F": ("Ms", "Mrs", "Mrs.", "Ms.", "Dr")}
_MERCHANTS = (
    "Larkspur Grocers", "Shell", "Lidl", "Carrefour", "Netflix", "Uber", "Bellweather Coffee", "Decathlon", "IKEA",
    "Costa Coffee", "Whole Foods Market", "Tesco Stores", "Amazon", "Spotify", "Aldi", "Boots", "Walgreens", "Zara",
    "Trenitalia", "Ryanair", "Deliveroo", "Rewe", "Mercadona", "Albert Heijn", "Home Depot", "Marks & Spencer",
)  # fmt: skip
_FIRMS = (
    "Hartwell Logistics Ltd", "Brandt Maschinenbau GmbH", "Ostrava Steel a.s.", "Quillon Partners LLP",
    "Sunfield Foods Inc.",
    "Delcourt & Fils SARL", "Meridian Dental Group", "Tavira Conservas Lda", "Nordlys Shipping AS",
    "Kestrel Analytics plc",
    "Banerjee Textiles Pvt Ltd", "Pemba Coffee Exporters Ltd", "Aurum Jewellers", "Van Dorp Installaties B.V.",
    "Castellani Arredamenti S.r.l.", "Westbrook Academy", "Lotus Garden Restaurant", "Greenline Energy SA",
    "Redwood Orthopedics, P.C.", "Iberluz Distribución S.L.", "Harbour Point Developments Pty Ltd", "Klein & Söhne KG",
    "Bright Start Nurseries", "Zenith Payroll Services LLC", "Fjord Seafood ASA", "Okavango Safaris (Pty) Ltd",
)  # fmt: skip
_BANKS = (
    "Northgate Bank", "Banque Lémanique SA", "First Cumberland Bank", "Sparkasse Oderland", "Deutsche Bank AG",
    "Barclays",
    "Banco Atlántico", "Harbour & Thames Bank plc", "ING Bank N.V.", "Lakeshore Credit Union", "BNP Paribas",
    "State Bank of India", "Banca Subalpina S.p.A.", "Citibank N.A.", "Svea Handelsbank", "DBS Bank Ltd",
    "Santander UK plc",
)  # fmt: skip
_FUNDS = ("Equity Income Fund", "Global Bond Index", "2.375% Notes 2031", "Ordinary Shares", "Class A", "UCITS ETF Acc")
_HOSTS = ("secure.northgate-online.com", "portal.lemanique.ch", "my.cumberlandbank.com", "app.sveabank.se")
_LATELY = ("yesterday", "last Tuesday", "this morning", "last week")
_WORDS = ("Marigold", "Tornado", "Heron", "Saffron", "Kayak", "Lisbon", "Quartz", "Velvet", "Badger", "Nimbus")


def _password(rng: Random) -> str:
    word = rng.choice(_WORDS)
    return rng.choice((
        f"{word}{rng.randint(10, 9999)}!", f"{word.replace('a', '@').replace('o', '0')}#{rng.randint(1, 99)}",
        f"{word.lower()}-{rng.choice(_WORDS).lower()}-{rng.randint(10, 99)}X",
        "".join(rng.choices("abcdefghkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789!$%*?", k=12)),
    ))  # fmt: skip


def _url(rng: Random) -> str:
    host = rng.choice(_HOSTS)
    token = "".join(rng.choices("abcdef0123456789", k=16))
    return rng.choice((
        f"https://{host}/login?session={token}", f"https://{host}/clients/{rng.randint(10_000, 99_999)}/documents",
        f"http://{host}/reset/{token}", f"www.{host.split('.', 1)[1]}/verify/{token}",
    ))  # fmt: skip


def _ip(rng: Random) -> str:
    if rng.random() < 0.25:
        return "2001:db8:" + ":".join(f"{rng.randint(1, 65535):x}" for _ in range(6))
    return f"{rng.choice((81, 86, 92, 109, 176, 203))}." + ".".join(str(rng.randint(1, 254)) for _ in range(3))


def _sort_code(rng: Random) -> str:
    code = rng.choice(("20", "30", "40", "60", "77", "09", "11", "82")) + digits(rng, 4)
    return numbers.grouped(code, 2, rng.choice(("-", "-", " ", "")))


_FACTS: dict[str, tuple[str | None, Callable[[Random], str]]] = {
    "aba": ("ABA_ROUTING_NUMBER", numbers.routing),
    "abn": ("AU_ABN", national.abn),
    "account": ("BANK_ACCOUNT", lambda rng: digits(rng, rng.choice((8, 9, 10, 10, 11, 12)))),
    "aadhaar": ("IN_AADHAAR", national.aadhaar),
    "au_account": ("BANK_ACCOUNT", lambda rng: rng.choice((digits(rng, 8), digits(rng, 9)))),
    "bank": ("ORGANIZATION", lambda rng: rng.choice(_BANKS)),
    "bic": ("BIC", lambda rng: rng.choice(numbers.BICS)),
    "bsb": ("AU_BSB", lambda rng: rng.choice(("062", "083", "032", "013", "484", "732")) + "-" + digits(rng, 3)),
    "btc": ("CRYPTO", numbers.bitcoin),
    "clabe": ("CLABE", numbers.clabe),
    "cnpj": ("BR_CNPJ", national.cnpj),
    "cpf": ("BR_CPF", national.cpf),
    "cusip": ("CUSIP", numbers.cusip),
    "ein": ("US_EIN", national.ein),
    "eth": ("CRYPTO", numbers.ethereum),
    "figi": ("FIGI", numbers.figi),
    "fund": (None, lambda rng: rng.choice(_FUNDS)),
    "ifsc": ("IN_IFSC", national.ifsc),
    "imei": ("IMEI", numbers.imei),
    "ip": ("IP_ADDRESS", _ip),
    "isin": ("ISIN", numbers.isin),
    "itin": ("US_ITIN", national.itin),
    "lei": ("LEI", numbers.lei),
    "merchant": ("ORGANIZATION", lambda rng: rng.choice(_MERCHANTS)),
    "nhs": ("UK_NHS", national.nhs),
    "nie": ("ES_NIE", national.nie),
    "nino": ("UK_NINO", national.nino),
    "org": ("ORGANIZATION", lambda rng: rng.choice(_FIRMS)),
    "pan": ("IN_PAN", lambda rng: national.indian_pan(rng, rng.choice("ABCDGKMNPRST"))),
    "password": ("PASSWORD", _password),
    "pin": ("PIN", lambda rng: digits(rng, rng.choice((4, 4, 6)))),
    "rf": ("CREDITOR_REFERENCE", numbers.creditor_reference),
    "sedol": ("SEDOL", numbers.sedol),
    "sepa": ("SEPA_CREDITOR_ID", numbers.sepa_creditor),
    "sort": ("UK_SORT_CODE", _sort_code),
    "ssn": ("US_SSN", national.ssn),
    "uetr": ("UETR", numbers.uetr),
    "uk_account": ("UK_BANK_ACCOUNT", lambda rng: digits(rng, 8)),
    "url": ("URL", _url),
    "utr": ("UK_UTR", national.utr),
    "vin": ("VIN", numbers.vin),
    # not personal: never labelled
    "ref": (None, lambda rng: rng.choice(("CR", "REF", "TKT", "CASE-", "Q")) + str(rng.randint(10_000, 9_999_999))),
    "seq": (None, lambda rng: str(rng.randint(1000, 999_999))),
    "rate": (None, lambda rng: f"{rng.uniform(0.5, 9):.2f}%"),
}


def _name_caps(case: Case, who: int, _: str) -> Piece:
    person = case.person(who)
    parts = (person.first, person.last) if case.rng.random() < 0.6 else (person.last, person.first)
    return Piece(" ".join(parts).upper(), "PERSON")


def _salute(case: Case, who: int, _: str) -> list[Piece]:
    person = case.person(who)
    title = case.fact("title", who, lambda rng: rng.choice(_TITLES[person.sex]))
    return [Piece(title, "TITLE"), Piece(" "), Piece(person.last, "PERSON")]


def _address(case: Case, who: int, argument: str) -> Piece:
    return Piece((argument or ", ").join(case.person(who).address), "STREET_ADDRESS")


def _address_lines(case: Case, who: int, argument: str) -> Piece:
    return Piece(("\n" + " " * int(argument or 0)).join(case.person(who).address), "STREET_ADDRESS")


def _dated(case: Case, day: date) -> str:
    return day.strftime(case.date_style)


def _date(case: Case, _: int, argument: str) -> Piece:
    day = case.day + timedelta(days=case.rng.randint(-60, 20))
    return Piece(day.strftime(argument) if argument else _dated(case, day), "DATE_TIME")


def _period(case: Case, _: int, __: str) -> list[Piece]:
    start, end = _dated(case, case.day), _dated(case, case.day + timedelta(days=30))
    return [Piece(start, "DATE_TIME"), Piece(case.rng.choice((" to ", " - "))), Piece(end, "DATE_TIME")]


def _datetime(case: Case, _: int, argument: str) -> Piece:
    day, rng = case.day + timedelta(days=case.rng.randint(-20, 20)), case.rng
    clock = f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"
    return Piece(f"{day}T{clock}Z" if argument == "iso" else f"{_dated(case, day)} {clock[:5]}", "DATE_TIME")


def _time(case: Case, _: int, __: str) -> Piece:
    return Piece(f"{case.rng.randint(7, 20):02}:{case.rng.randint(0, 59):02}", "DATE_TIME")


def _amount(case: Case, _: int, __: str) -> Piece:
    return Piece(f"{10 ** case.rng.uniform(0.7, 5):,.2f}")


def _plain_amount(case: Case, _: int, __: str) -> Piece:
    return Piece(f"{10 ** case.rng.uniform(0.7, 5):.2f}")


def _money(case: Case, _: int, __: str) -> Piece:
    value = f"{10 ** case.rng.uniform(1, 5):,.2f}"
    sign = {"USD": "$", "GBP": "£", "EUR": "€"}.get(case.currency, "")
    coded = f"{case.currency} {value}"
    return Piece(case.rng.choice((f"{sign}{value}" if sign else coded, coded)))


def _iban(case: Case, who: int, argument: str) -> Piece:
    number = case.fact("iban", who, lambda rng: numbers.iban(rng, case.person(who).country))
    written = number if argument == "plain" else numbers.iban_written(case.rng, number, lines=case.lines)
    return Piece(written, "IBAN_CODE")


def _card(case: Case, who: int, argument: str) -> Piece:
    number = case.fact("card", who, numbers.card)
    written = number if argument == "plain" else numbers.card_written(case.rng, number, lines=case.lines)
    return Piece(written, "CREDIT_CARD")


def _expiry(case: Case, who: int, _: str) -> Piece:
    month, year = case.rng.randint(1, 12), case.rng.randint(26, 32)
    forms = f"{month:02}/{year}", f"{month:02}/20{year}"
    return Piece(case.fact("expiry", who, lambda rng: rng.choice(forms)), "CARD_EXPIRY")


def _cvv(case: Case, who: int, _: str) -> Piece:
    four = case.fact("card", who, numbers.card)[:2] in ("34", "37")
    return Piece(case.fact("cvv", who, lambda rng: digits(rng, 4 if four else 3)), "CVV")


def _vat(case: Case, who: int, _: str) -> Piece:
    return Piece(case.fact("vat", who, lambda rng: national.vat(rng, case.home)), "VAT_ID")


def _mrz(case: Case, who: int, _: str) -> Piece:
    person = case.person(who)
    first, last = (
        "".join(c if c.isalpha() else " " if c in " -" else "" for c in ascii_fold(part)).upper()
        for part in (person.first, person.last)
    )
    code = "D" if person.country == "DE" else LANDS[person.country].code3
    made = case.fact(
        "mrz", who, lambda rng: numbers.mrz(rng, first, last, code.ljust(3, "<"), f"{person.born:%y%m%d}", person.sex)
    )
    return Piece(made, "MRZ")


def _licence(case: Case, who: int, _: str) -> Piece:
    person = case.person(who)
    if person.country != "GB":
        made = case.fact("licence", who, lambda rng: rng.choice("ABDFKLMST") + digits(rng, 7))
        return Piece(made, "US_DRIVER_LICENSE")
    born, name = person.born, "".join(c for c in ascii_fold(person.last).upper() if c.isalpha())[:5].ljust(5, "9")
    month = born.month + (50 if person.sex == "F" else 0)
    body = f"{name}{born.year // 10 % 10}{month:02}{born.day:02}{born.year % 10}{ascii_fold(person.first)[:1].upper()}9"
    return Piece(case.fact("licence", who, lambda rng: body + f"{digits(rng, 1)}AB"), "UK_DRIVING_LICENCE")


FIELDS: dict[str, Callable[[Case, int, str], Piece | list[Piece]]] = {
    "name": lambda case, who, _: Piece(case.person(who).full, "PERSON"),
    "first": lambda case, who, _: Piece(case.person(who).first, "PERSON"),
    "last": lambda case, who, _: Piece(case.person(who).last, "PERSON"),
    "last_first": lambda case, who, _: Piece(f"{case.person(who).last}, {case.person(who).first}", "PERSON"),
    "initial": lambda case, who, _: Piece(f"{case.person(who).first[0]}. {case.person(who).last}", "PERSON"),
    "caps": _name_caps,
    "salute": _salute,
    "address": _address,
    "address_lines": _address_lines,
    "town": lambda case, who, _: Piece(town(case.rng, case.person(who).country), "LOCATION"),
    "country": lambda case, who, _: Piece(LANDS[case.person(who).country].name, "LOCATION"),
    "nrp": lambda case, who, _: Piece(case.person(who).nrp, "NRP"),
    "sex": lambda case, who, _: Piece({"M": "Male", "F": "Female"}[case.person(who).sex]),
    "email": lambda case, who, _: Piece(case.person(who).email, "EMAIL_ADDRESS"),
    "phone": lambda case, who, _: Piece(case.person(who).phone, "PHONE_NUMBER"),
    "mobile": lambda case, who, _: Piece(case.person(who).mobile, "PHONE_NUMBER"),
    "dob": lambda case, who, form: Piece(case.person(who).born.strftime(form or case.date_style), "DATE_OF_BIRTH"),
    "age": lambda case, who, _: Piece(str(case.person(who).age), "AGE"),
    "idlabel": lambda case, who, _: Piece(case.person(who).number[0]),
    "id": lambda case, who, _: Piece(case.person(who).number[2], case.person(who).number[1]),
    "passport": lambda case, who, _: Piece(case.person(who).passport, "PASSPORT"),
    "licence": _licence,
    "mrz": _mrz,
    "iban": _iban,
    "card": _card,
    "expiry": _expiry,
    "cvv": _cvv,
    "vat": _vat,
    "date": _date,
    "datetime": _datetime,
    "time": _time,
    "period": _period,
    "amount": _amount,
    "number": _plain_amount,
    "money": _money,
    "cur": lambda case, *_: Piece(case.currency),
    "rel": lambda case, *_: Piece(case.rng.choice(_LATELY), "DATE_TIME"),
}
