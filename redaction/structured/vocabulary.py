"""Which header says what: conservative, by the whole phrase; what is not listed declares nothing.

A header alone is no proof: :func:`plausible` must agree with each value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_PHRASES: Final = {
    "PERSON": (
        "name, surname, last name, first name, middle name, given name, family name, forename, full name, "
        "lastname, firstname, fullname, fname, lname, maiden name, birth name, cardholder, cardholder name, "
        "card holder, card holder name, account holder, account holder name, account name, name on card, "
        "account owner, customer, beneficiary, payee, payer, remitter, signatory, guarantor, applicant, borrower, "
        "nachname, vorname, kontoinhaber, apellido, nombre, titular, nom, prénom, prenom, cognome, nome, "
        "achternaam, voornaam, efternamn, förnamn, nazwisko, imię, sobrenome, dbtr nm, cdtr nm, ultmt dbtr nm, "
        "ultmt cdtr nm, initg pty nm"
    ),
    "ORGANIZATION": (
        "company, company name, employer, employer name, merchant, merchant name, organisation, organization, "
        "organisation name, organization name, org name, firm, firm name, business name, trading name, vendor name, "
        "supplier name, institution name, bank name, firma, entreprise, empresa, fin instn id nm"
    ),
    "EMAIL_ADDRESS": "email, e mail, email address, e mail address, mail address, email adr, correo",
    "PHONE_NUMBER": (
        "phone, telephone, tel, mobile, cell, cell phone, cellphone, fax, landline, phone number, telephone number, "
        "mobile number, cell number, fax number, mobile phone, mobile phone number, whatsapp, msisdn, phne nb, "
        "mob nb, telefon, handy, telefono, teléfono"
    ),
    "DATE_OF_BIRTH": (
        "dob, date of birth, birth date, birthdate, birthday, born, birth dt, geburtsdatum, fecha de nacimiento, "
        "date de naissance, data di nascita, geboortedatum"
    ),
    "STREET_ADDRESS": (
        "address, street, street address, street name, address line, addr, addr line, adr line, strt nm, "
        "postal address, anschrift, adresse, strasse, straße, straat, dirección, direccion, indirizzo, rue, calle"
    ),
    "LOCATION": "city, town, village, suburb, place of birth, birthplace, birth place, twn nm, stadt, ciudad, ville",
    "ZIP_CODE": "zip, zip code, zipcode, postcode, post code, postal code, pst cd, plz, postleitzahl, eircode",
    "IBAN_CODE": "iban, iban number, iban code",
    "BIC": "bic, bic code, swift, swift code, swift bic, bicfi",
    "BANK_ACCOUNT": (
        "account, account number, acct, acct number, acc number, bank account, bank account number, kontonummer, "
        "konto, accountnumber, accountno, account id, cuenta, numero de cuenta, rekeningnummer"
    ),
    "UK_SORT_CODE": "sort code, sortcode",
    "ABA_ROUTING_NUMBER": "routing number, routing, aba, aba number, rtn, routing transit number, aba routing number",
    "CREDIT_CARD": (
        "card number, cardnumber, card, pan, primary account number, credit card, credit card number, debit card, "
        "debit card number, payment card, cc number, ccn"
    ),
    "CVV": "cvv, cvc, cvv 2, cvc 2, cvv2, cvc2, csc, cvn, card verification value, card security code, security code",
    "CARD_EXPIRY": "card expiry, card expiry date, expiry, expiry date, exp, exp date, expiration, expiration date",
    "PASSWORD": "password, passwd, pwd, passphrase, pass phrase, passwort, contraseña",
    "PIN": "pin, pin code, pin number, card pin, atm pin",
    "SECRET": (
        "secret, api key, apikey, api secret, secret key, token, access token, auth token, refresh token, "
        "bearer token, client secret, private key, access key, signing key, encryption key"
    ),
    "US_SSN": "ssn, social security number, social security, ss number",
    "US_ITIN": "itin",
    "US_EIN": "ein, employer identification number",
    "UK_NINO": "nino, national insurance number, ni number, national insurance",
    "UK_UTR": "utr, unique taxpayer reference",
    "UK_NHS": "nhs number",
    "TAX_ID": "tax id, tin, tax number, taxpayer id, tax identification number, vat number, vat id, steuernummer",
    "IN_AADHAAR": "aadhaar, aadhar, aadhaar number, uidai",
    "IN_PAN": "pan card number, pan card",
    "CA_SIN": "social insurance number",
    "AU_TFN": "tfn, tax file number",
    "NL_BSN": "bsn, burgerservicenummer",
    "PL_PESEL": "pesel",
    "BR_CPF": "cpf",
    "DE_TAX_ID": "steuer id, steueridentifikationsnummer, steuer identifikationsnummer",
    "IT_FISCAL_CODE": "codice fiscale, fiscal code",
    "CLABE": "clabe",
    "PASSPORT": "passport, passport number, passport id, reisepass, pasaporte",
    "DRIVER_LICENSE": (
        "driver license, driver licence, drivers license, drivers licence, driving license, driving licence, "
        "driver license number, driving licence number, driver licence number, drivers license number"
    ),
    "GOVERNMENT_ID": "national id, national id number, identity number, id card number, identity card, government id",
    "IP_ADDRESS": "ip, ip address, ip addr, client ip, remote ip, source ip",
    "AGE": "age",
    "NRP": "nationality, religion, ethnicity, ethnic group, citizenship, political party",
}

_TYPES: Final[Mapping[str, str]] = {
    phrase: type_ for type_, phrases in _PHRASES.items() for phrase in phrases.split(", ")
}

GENERAL: Final = frozenset(
    "name nm number id code address holder value line key".split()  # noqa: SIM905
)
"""Words that mean something only together with the field around them."""

PEOPLE: Final = frozenset(
    "customer client person people user contact employee member applicant borrower holder owner beneficiary payee "  # noqa: SIM905
    "payer sender recipient receiver remitter debtor creditor signatory director guarantor spouse patient party "
    "individual cardholder account kyc staff agent officer row record data item result entry dbtr cdtr "
    "insured investor".split()
)
"""Fields in which a bare ``name`` is a person's."""

_QUALIFIERS: Final = (PEOPLE - {"account", "row", "record", "data", "item"}) | frozenset(
    "home work office primary secondary alternate billing shipping delivery mailing residential current previous prev "  # noqa: SIM905
    "personal from to destination source ordering originator drawer nominee heir mother father emergency legal "
    "preferred our your his her main other new old registered permanent business private day evening us uk".split()
)
"""Words before a phrase that do not change its type: ``billing address``, ``beneficiary iban``."""

_NUMBER_WORDS: Final = {"no": "number", "nr": "number", "num": "number", "nbr": "number", "numbers": "number"}

FIELD_WORDS: Final = frozenset(word for phrase in _TYPES for word in phrase.split()) | frozenset(
    "type status amount currency balance date time reference description total count field label title key value "  # noqa: SIM905
    "transaction payment transfer bank savings checking current deposit loan holder list details info code".split()
)
"""Words of which headers are made: a value of nothing else is no name."""

_NOTHING: Final = frozenset(
    "n/a na none null nil unknown true false yes no test tbd tbc - -- ? . nan undefined empty redacted x xx xxx".split()  # noqa: SIM905
)


def normal(phrase: str) -> str:
    """Return the words of a key in the form of the table: lower case, ``number`` for ``no``, no trailing index."""
    parts = [_NUMBER_WORDS.get(word, word) for word in phrase.lower().split()]
    while len(parts) > 1 and parts[-1].isdigit() and " ".join(parts) not in _TYPES:
        parts.pop()
    return " ".join(parts)


def declared(phrase: str) -> str | None:
    """Return the type that a normal phrase announces, with or without the qualifiers before it."""
    parts = phrase.split()
    for first in range(len(parts)):
        rest = " ".join(parts[first:])
        for form in (rest, rest.removesuffix("es"), rest.removesuffix("s")):
            if form in _TYPES:
                return _TYPES[form]
        if parts[first].removesuffix("s") not in _QUALIFIERS:
            return None
    return None


def is_people(phrase: str) -> bool:
    """Whether the last word is one of :data:`PEOPLE`, singular or plural."""
    last = phrase.split()[-1]
    return last in PEOPLE or last.removesuffix("s") in PEOPLE or last.removesuffix("ies") + "y" in PEOPLE


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))


_NAME = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f '’`.,()-]){1,79}")
_SHAPES: Final[Mapping[str, re.Pattern[str]]] = {
    "PERSON": _NAME,
    "EMAIL_ADDRESS": re.compile(r"[^\s@]{1,128}@[^\s@]{1,190}"),
    "DATE_OF_BIRTH": re.compile(r"(?=\D*\d)[\w ,./-]{4,32}"),
    "STREET_ADDRESS": re.compile(r"(?=[\W\d_]{0,40}[^\W\d_])[\s\S]{4,200}"),
    "LOCATION": re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f '’.,/()-]){1,59}"),
    "ZIP_CODE": re.compile(r"(?=\D*\d)[A-Za-z0-9 -]{3,10}"),
    "IBAN_CODE": re.compile(r"[A-Za-z]{2}[ -]?[0-9OoIl]{2}[A-Za-z0-9 -]{8,40}"),
    "BIC": re.compile(r"[A-Za-z]{6}[A-Za-z0-9]{2}(?:[A-Za-z0-9]{3})?"),
    "CARD_EXPIRY": re.compile(r"(?:0?[1-9]|1[0-2]) ?[/.-] ?(?:[0-9]{2}|20[0-9]{2})"),
    "CVV": re.compile(r"[0-9]{3,4}"),
    "PIN": re.compile(r"[0-9]{4,12}"),
    "AGE": re.compile(r"1?[0-9]{1,2}"),
    "IP_ADDRESS": re.compile(r"[0-9A-Fa-f]{0,4}[.:][0-9A-Fa-f.:]{4,40}"),
    "PASSWORD": re.compile(r"\S{3,128}"),
    "SECRET": re.compile(r"\S{8,8192}"),
    "NRP": _NAME,
    "ORGANIZATION": re.compile(r"(?=[\W\d_]{0,80}[^\W\d_])[^\r\n]{2,80}"),
}

_DIGITS: Final[Mapping[str, tuple[int, int]]] = {
    "PHONE_NUMBER": (6, 17), "BANK_ACCOUNT": (5, 34), "UK_SORT_CODE": (6, 6), "ABA_ROUTING_NUMBER": (9, 9),
    "CREDIT_CARD": (12, 19), "US_SSN": (9, 9), "US_ITIN": (9, 9), "US_EIN": (9, 9), "UK_NINO": (6, 6),
    "UK_UTR": (10, 10), "UK_NHS": (10, 10), "TAX_ID": (5, 15), "IN_AADHAAR": (12, 12), "IN_PAN": (4, 4),
    "CA_SIN": (9, 9), "AU_TFN": (8, 9), "NL_BSN": (8, 9), "PL_PESEL": (11, 11), "BR_CPF": (11, 11),
    "DE_TAX_ID": (11, 11), "IT_FISCAL_CODE": (7, 7), "CLABE": (18, 18), "PASSPORT": (5, 12),
    "DRIVER_LICENSE": (3, 20), "GOVERNMENT_ID": (4, 20),
}  # fmt: skip
"""How many digits a value of the type has."""

_MOST_WORDS: Final = {"PERSON": 7, "LOCATION": 5, "ORGANIZATION": 9, "STREET_ADDRESS": 24}
"""More is prose."""

_NUMBERED = re.compile(r"[\w +()/.#*-]{1,48}")


def plausible(type_: str, value: str) -> bool:
    """Whether a value can be what its header says. Takes time linear in the value."""
    value = value.strip()
    if len(value) < 2 or value.lower() in _NOTHING or len(value) > 8192:
        return type_ == "AGE" and value.isdigit()
    if type_ == "PERSON" and FIELD_WORDS.issuperset(value.lower().split()):
        return False
    if type_ in _DIGITS:
        least, most = _DIGITS[type_]
        return bool(_NUMBERED.fullmatch(value)) and least <= _digits(value) <= most
    if type_ in _MOST_WORDS and len(value.split()) > _MOST_WORDS[type_]:
        return False
    shape = _SHAPES.get(type_)
    return shape is not None and bool(shape.fullmatch(value))
