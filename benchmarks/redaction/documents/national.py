"""Numbers that states give to people and firms, with right check digits, made from their published rules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from random import Random

from benchmarks.redaction.documents.numbers import (
    CONSONANTS,
    DIGITS,
    UPPER,
    digits,
    italian_letter,
    luhn_digit,
    mod11_10,
    weighted,
)

SPANISH = "TRWAGMYFPDXBNJZSQVHLCKE"


def _until(make: Callable[[], str | None]) -> str:
    """The first that has a check digit: modulus 11 leaves some bodies without one."""
    while not (number := make()):
        pass
    return number


# The United States and Canada


def ssn(rng: Random) -> str:
    area = rng.choice([n for n in range(1, 900) if n != 666])
    return f"{area:03}-{rng.randint(1, 99):02}-{rng.randint(1, 9999):04}"


def itin(rng: Random) -> str:
    return f"9{digits(rng, 2)}-{rng.choice((*range(70, 89), 90, 91, 92, *range(94, 100)))}-{digits(rng, 4)}"


def ein(rng: Random) -> str:
    return f"{rng.choice((12, 20, 27, 33, 41, 46, 52, 58, 65, 77, 81, 84, 87, 92))}-{digits(rng, 7)}"


def sin(rng: Random) -> str:
    body = rng.choice("1234567") + digits(rng, 7)
    number = body + luhn_digit(body)
    return rng.choice((f"{number[:3]} {number[3:6]} {number[6:]}", f"{number[:3]}-{number[3:6]}-{number[6:]}", number))


# The United Kingdom and Ireland


_NO_PREFIXES = frozenset({"BG", "GB", "NK", "KN", "TN", "NT", "ZZ"})


def nino(rng: Random) -> str:
    first, second = "ABCEGHJKLMNPRSTWXYZ", "ABCEGHJKLMNPRSTWXYZ"
    prefix = _until(
        lambda: (
            p
            if (p := rng.choice(first) + rng.choice(second)) not in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ")
            else None
        )
    )
    number = prefix + digits(rng, 6) + rng.choice("ABCD")
    spaced = f"{number[:2]} {number[2:4]} {number[4:6]} {number[6:8]} {number[8]}"
    return rng.choice((number, spaced))


def utr(rng: Random) -> str:
    body = digits(rng, 9)
    number = "21987654321"[weighted(body, (6, 7, 8, 9, 10, 5, 4, 3, 2)) % 11] + body
    return rng.choice((number, number[:5] + " " + number[5:]))


def nhs(rng: Random) -> str:
    def make() -> str | None:
        body = rng.choice("4679") + digits(rng, 8)
        check = 11 - weighted(body, (10, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
        return None if check == 10 else body + str(check % 11)

    number = _until(make)
    return rng.choice((number, f"{number[:3]} {number[3:6]} {number[6:]}"))


def pps(rng: Random) -> str:
    body, extra = digits(rng, 7), rng.choice(("", "", "A", "B"))
    total = weighted(body, (8, 7, 6, 5, 4, 3, 2)) + 9 * (ord(extra) - 64 if extra else 0)
    return body + "WABCDEFGHIJKLMNOPQRSTUV"[total % 23] + extra


# Europe


def german_tax_id(rng: Random) -> str:
    ten = list(DIGITS)
    rng.shuffle(ten)
    double = rng.choice(ten[:9])
    ten[9] = double  # nine different digits, one of them twice
    while ten[0] == "0" or ten == list(DIGITS):
        rng.shuffle(ten)
    number = "".join(ten) + mod11_10("".join(ten))
    return rng.choice((number, f"{number[:2]} {number[2:5]} {number[5:8]} {number[8:]}"))


def nir(rng: Random, born: date, sex: str) -> str:
    place = rng.choice((f"{rng.randint(1, 95):02}", f"{rng.randint(1, 95):02}", "2A", "2B")).replace("20", "21")
    body = f"{'1' if sex == 'M' else '2'}{born:%y%m}{place}{rng.randint(1, 400):03}{rng.randint(1, 999):03}"
    key = f"{97 - int(body.replace('2A', '19').replace('2B', '18')) % 97:02}"
    spaced = f"{body[0]} {body[1:3]} {body[3:5]} {body[5:7]} {body[7:10]} {body[10:]} {key}"
    return rng.choice((body + key, spaced))


def nif(rng: Random) -> str:
    number = digits(rng, 8)
    return number + rng.choice(("", "", "-")) + SPANISH[int(number) % 23]


def nie(rng: Random) -> str:
    first, body = rng.randrange(3), digits(rng, 7)
    return "XYZ"[first] + body + SPANISH[int(f"{first}{body}") % 23]


def codice_fiscale(rng: Random, first: str, last: str, born: date, sex: str) -> str:
    """D.M. 23.12.1976. ``first`` and ``last`` without diacritics."""
    surname, name = ["".join(c for c in part.upper() if c.isalpha()) for part in (last, first)]
    cons, vows = ([c for c in name if c in CONSONANTS], [c for c in name if c not in CONSONANTS])
    given = [cons[0], *cons[2:4]] if len(cons) > 3 else cons + vows
    family = [c for c in surname if c in CONSONANTS] + [c for c in surname if c not in CONSONANTS]
    head = "".join(family)[:3].ljust(3, "X") + "".join(given)[:3].ljust(3, "X")
    day = born.day + (40 if sex == "F" else 0)
    body = f"{head}{born:%y}{'ABCDEHLMPRST'[born.month - 1]}{day:02}"
    body += rng.choice(("H501", "F205", "L219", "F839", "A944", "Z404"))
    return body + italian_letter(body)


def pesel(rng: Random, born: date, sex: str) -> str:
    body = f"{born:%y}{born.month + (20 if born.year >= 2000 else 0):02}{born.day:02}{digits(rng, 3)}"
    body += rng.choice("13579" if sex == "M" else "02468")
    return body + str(-weighted(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10)


def bsn(rng: Random) -> str:
    def make() -> str | None:
        body = rng.choice("123") + digits(rng, 7)
        check = weighted(body, (9, 8, 7, 6, 5, 4, 3, 2)) % 11
        return None if check == 10 else body + str(check)

    number = _until(make)
    return rng.choice((number, number, f"{number[:4]}.{number[4:6]}.{number[6:]}"))


def personnummer(rng: Random, born: date, sex: str) -> str:
    serial = digits(rng, 2) + rng.choice("13579" if sex == "M" else "02468")
    check = luhn_digit(f"{born:%y%m%d}{serial}")
    return rng.choice((f"{born:%Y%m%d}", f"{born:%y%m%d}")) + f"-{serial}{check}"


def fodselsnummer(rng: Random, born: date) -> str:
    def make() -> str | None:
        serial = rng.randint(0, 499) if born.year < 2000 else rng.randint(500, 999)
        body = f"{born:%d%m%y}{serial:03}"
        one = -weighted(body, (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
        two = -(weighted(body, (5, 4, 3, 2, 7, 6, 5, 4, 3)) + 2 * one) % 11
        return None if 10 in (one, two) else f"{body}{one}{two}"

    number = _until(make)
    return rng.choice((number, number[:6] + " " + number[6:]))


def hetu(rng: Random, born: date) -> str:
    serial = rng.randint(2, 899)
    check = "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(f"{born:%d%m%y}{serial:03}") % 31]
    return f"{born:%d%m%y}{'-' if born.year < 2000 else 'A'}{serial:03}{check}"


def ahv(rng: Random) -> str:
    body = "756" + digits(rng, 9)
    number = body + str(-weighted(body, (1, 3) * 6) % 10)
    return rng.choice((f"756.{number[3:7]}.{number[7:11]}.{number[11:]}", number))


def belgian(rng: Random, born: date) -> str:
    serial = rng.randint(1, 997)
    body = f"{born:%y%m%d}{serial:03}"
    check = f"{97 - int(('2' if born.year >= 2000 else '') + body) % 97:02}"
    return rng.choice((body + check, f"{born:%y.%m.%d}-{serial:03}.{check}"))


def portuguese(rng: Random) -> str:
    body = rng.choice("123") + digits(rng, 7)
    check = 11 - weighted(body, (9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return body + str(check if check < 10 else 0)


# Asia and the Pacific


def _verhoeff(body: str) -> str:
    times = [[0] * 10 for _ in range(10)]  # the dihedral group of the pentagon
    for a in range(10):
        for b in range(10):
            turn = a % 5 + (b % 5 if a < 5 else -(b % 5))
            times[a][b] = turn % 5 + (5 if (a < 5) != (b < 5) else 0)
    powers = [list(range(10)), [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
    while len(powers) < 8:
        powers.append([powers[1][n] for n in powers[-1]])
    state = 0
    for place, digit in enumerate(reversed(body), start=1):
        state = times[state][powers[place % 8][int(digit)]]
    return str(next(n for n in range(10) if times[state][n] == 0))


def aadhaar(rng: Random) -> str:
    body = rng.choice("23456789") + digits(rng, 10)
    number = body + _verhoeff(body)
    return rng.choice((number, f"{number[:4]} {number[4:8]} {number[8:]}", f"{number[:4]}-{number[4:8]}-{number[8:]}"))


def indian_pan(rng: Random, last: str) -> str:
    initial = last[:1].upper() if last[:1].upper() in UPPER else "S"
    return "".join(rng.choices(UPPER, k=3)) + "P" + initial + f"{rng.randint(1, 9999):04}" + rng.choice(UPPER)


def ifsc(rng: Random) -> str:
    return rng.choice(("SBIN", "HDFC", "ICIC", "UTIB", "PUNB")) + "0" + digits(rng, 6)


def nric(rng: Random, born: date) -> str:
    series = rng.choice(("S", "F") if born.year < 2000 else ("T", "G", "M"))
    body = (f"{born:%y}" if series in "ST" else digits(rng, 2)) + digits(rng, 5)
    total = weighted(body, (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(series, 0)
    table = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "M": "XWUTRQPNJLK"}.get(series, "XWUTRQPNMLK")
    return series + body + table[total % 11]


def tfn(rng: Random) -> str:
    def make() -> str | None:
        body = rng.choice("123456789") + digits(rng, 7)
        # the last weight, 10, is -1 modulo 11: the check digit is the sum of the others
        check = weighted(body, (1, 4, 3, 7, 5, 8, 6, 9)) % 11
        return None if check == 10 else body + str(check)

    number = _until(make)
    return rng.choice((number, f"{number[:3]} {number[3:6]} {number[6:]}"))


def abn(rng: Random) -> str:
    body = digits(rng, 9)
    total = weighted(body, (3, 5, 7, 9, 11, 13, 15, 17, 19))
    head = next(n for n in range(11, 100) if ((n // 10 - 1) * 10 + n % 10 + total) % 89 == 0)
    return rng.choice((f"{head}{body}", f"{head} {body[:3]} {body[3:6]} {body[6:]}"))


# Latin America and Africa


def cpf(rng: Random) -> str:
    body = digits(rng, 9)
    for first in (10, 11):
        check = weighted(body, tuple(range(first, 1, -1))) * 10 % 11 % 10
        body += str(check)
    return rng.choice((f"{body[:3]}.{body[3:6]}.{body[6:9]}-{body[9:]}",) * 2 + (body,))


def cnpj(rng: Random) -> str:
    """With letters as issued from July 2026 now and then: a character counts its code less 48."""
    body = ("".join(rng.choices(DIGITS + UPPER, k=8)) if rng.random() < 0.2 else digits(rng, 8)) + "0001"
    for weights in ((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)):
        rest = sum((ord(c) - 48) * w for c, w in zip(body, weights, strict=True)) % 11
        body += str(0 if rest < 2 else 11 - rest)
    return f"{body[:2]}.{body[2:5]}.{body[5:8]}/{body[8:12]}-{body[12:]}"


def south_african(rng: Random, born: date, sex: str) -> str:
    body = f"{born:%y%m%d}{rng.randint(0, 4999) + (5000 if sex == 'M' else 0):04}08"
    return body + luhn_digit(body)


# VAT numbers of the European Union and the United Kingdom


def _vat_es(rng: Random) -> str:
    """A limited company's: the control is a digit."""
    body = digits(rng, 7)
    return "B" + body + luhn_digit(body)


def _vat_nl(rng: Random) -> str:
    while True:
        body = rng.choice("12345678") + digits(rng, 7)
        check = weighted(body, (9, 8, 7, 6, 5, 4, 3, 2)) % 11
        if check < 10:
            return f"{body}{check}B{rng.randint(1, 9):02}"


def _vat_pl(rng: Random) -> str:
    while True:
        body = rng.choice("56789") + digits(rng, 8)
        check = weighted(body, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11
        if check < 10:
            return body + str(check)


def _vat_fr(rng: Random) -> str:
    body = rng.choice("345789") + digits(rng, 7)
    siren = body + luhn_digit(body)
    return f"{(12 + 3 * (int(siren) % 97)) % 97:02}{siren}"


def _vat_gb(rng: Random) -> str:
    body = rng.choice("12345678") + digits(rng, 6)
    return f"{body}{97 - weighted(body, (8, 7, 6, 5, 4, 3, 2)) % 97:02}"


def _vat_at(rng: Random) -> str:
    return "U" + (body := digits(rng, 7)) + str((6 - _digit_sums(body)) % 10)


def _digit_sums(body: str) -> int:
    return sum(sum(map(int, str(int(d) * (1 + place % 2)))) for place, d in enumerate(body))


def _vat_dk(rng: Random) -> str:
    while True:
        body = rng.choice("123456789") + digits(rng, 6)
        check = -weighted(body, (2, 7, 6, 5, 4, 3, 2)) % 11
        if check < 10:
            return body + str(check)


def _vat_it(rng: Random) -> str:
    body = "0" + digits(rng, 6) + f"{rng.randint(1, 99):03}"
    return body + luhn_digit(body)


def _vat_be(rng: Random) -> str:
    body = "0" + rng.choice("4567") + digits(rng, 6)
    return f"{body}{97 - int(body) % 97:02}"


def _vat_de(rng: Random) -> str:
    body = rng.choice("123") + digits(rng, 7)
    return body + mod11_10(body)


VAT: dict[str, Callable[[Random], str]] = {
    "AT": _vat_at, "BE": _vat_be, "DE": _vat_de, "DK": _vat_dk, "ES": _vat_es, "FR": _vat_fr, "GB": _vat_gb,
    "IT": _vat_it, "NL": _vat_nl, "PL": _vat_pl, "PT": lambda rng: "5" + portuguese_firm(rng),
}  # fmt: skip


def portuguese_firm(rng: Random) -> str:
    body = digits(rng, 7)
    check = 11 - weighted("5" + body, (9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return body + str(check if check < 10 else 0)


def vat(rng: Random, country: str = "") -> str:
    country = country if country in VAT else rng.choice(tuple(VAT))
    return country + VAT[country](rng)
