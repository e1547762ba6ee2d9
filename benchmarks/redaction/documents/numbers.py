"""Numbers of cards, accounts, payments, securities and devices with right check digits.

Made from the standards alone: nothing here knows how the recognizers check a number.
"""

from __future__ import annotations

import hashlib
import uuid
from random import Random

from Crypto.Hash import keccak

DIGITS = "0123456789"
UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CONSONANTS = "BCDFGHJKLMNPQRSTVWXYZ"


def digits(rng: Random, count: int) -> str:
    return "".join(rng.choices(DIGITS, k=count))


def luhn_digit(body: str) -> str:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def mod97(text: str) -> int:
    return int("".join(str(int(c, 36)) for c in text)) % 97


def grouped(text: str, size: int, by: str = " ") -> str:
    return by.join(text[at : at + size] for at in range(0, len(text), size))


# Cards

CARDS: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "visa": (("4",), (16, 16, 16, 16, 13, 19)),
    "mastercard": (("51", "52", "53", "54", "55"), (16,)),
    "mastercard 2": (("2221", "2305", "2417", "2588", "2699", "2720"), (16,)),
    "amex": (("34", "37"), (15,)),
    "discover": (("6011", "644", "649", "65"), (16, 16, 19)),
    "jcb": (("3528", "3545", "3589"), (16, 16, 19)),
    "diners": (("300", "305", "36", "38"), (14,)),
    "unionpay": (("62",), (16, 17, 18, 19)),
    "maestro": (("5018", "5020", "6304", "6759", "6763"), (12, 13, 15, 16, 18, 19)),
    "mir": (("2200", "2202", "2204"), (16,)),
    "rupay": (("508", "6521"), (16,)),
}


def card(rng: Random, brand: str = "") -> str:
    prefixes, lengths = CARDS[brand or rng.choice(tuple(CARDS))]
    prefix, length = rng.choice(prefixes), rng.choice(lengths)
    body = prefix + digits(rng, length - len(prefix) - 1)
    return body + luhn_digit(body)


def card_written(rng: Random, number: str, *, lines: bool = False) -> str:
    style = rng.choice((" ", " ", "-", "", "", ".", "\n") if lines else (" ", " ", "-", "", "", "."))
    if style == "\n":
        return grouped(number[:8], 4) + "\n" + grouped(number[8:], 4)
    if len(number) in (14, 15) and style:
        return style.join((number[:4], number[4:10], number[10:]))
    return grouped(number, 4, style) if style else number


# Accounts

_IBANS = {
    "AD": "n8 d12", "AE": "n19", "AT": "n16", "BG": "bUNCR n6 d8", "CH": "n5 d12", "CY": "n8 d16", "DE": "n18",
    "DK": "n14", "GB": "bNWBK,BARC,LOYD,HBUK,MIDL n14", "GR": "n7 d16", "HU": "n24",
    "IE": "bAIBK,BOFI,IPBS n14", "IL": "n19", "LI": "n5 d12", "LT": "n16", "LU": "n3 d13", "LV": "bHABA,PARX d13",
    "MT": "bVALL,MMEB n5 d18", "NL": "bABNA,INGB,RABO,TRIO n10", "QA": "bQNBA d21", "RO": "bBTRL,RNCB d16",
    "SA": "n2 d18", "SE": "n20", "TR": "n5 z1 d16",
}  # fmt: skip
IBAN_COUNTRIES = (*_IBANS, "BE", "CZ", "EE", "ES", "FI", "FR", "HR", "IT", "NO", "PL", "PT", "SI", "SK")
_ODD = dict(zip(
    DIGITS + UPPER,
    (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10,
     22, 25, 24, 23),
    strict=True,
))  # fmt: skip


def italian_letter(text: str) -> str:
    """The control letter of the codice fiscale and of Italian accounts (D.M. 23.12.1976)."""
    total = sum(_ODD[c] if place % 2 == 0 else int(c, 36) - (10 if c.isalpha() else 0) for place, c in enumerate(text))
    return UPPER[total % 26]


def _spanish(ten: str) -> str:
    check = 11 - sum(int(d) * 2**place for place, d in enumerate(ten)) % 11
    return {10: "1", 11: "0"}.get(check, str(check))


def mod11_10(body: str) -> str:
    """ISO 7064 mod 11,10."""
    product = 10
    for digit in body:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return str((11 - product) % 10)


def weighted(text: str, weights: tuple[int, ...]) -> int:
    return sum(int(d) * w for d, w in zip(text, weights, strict=True))


def _czech(rng: Random, weights: tuple[int, ...]) -> str:
    while weighted(number := digits(rng, len(weights)), weights) % 11:
        pass
    return number


def _checked_bban(rng: Random, country: str) -> str:  # noqa: C901 - a case for each country
    match country:
        case "BE":
            body = rng.choice(("001", "310", "068", "734")) + digits(rng, 7)
            return body + f"{int(body) % 97 or 97:02}"
        case "CZ" | "SK":
            account = _czech(rng, (10, 5, 8, 4, 2, 1)) + _czech(rng, (6, 3, 7, 9, 10, 5, 8, 4, 2, 1))
            return rng.choice(("0100", "0800", "0300") if country == "CZ" else ("0200", "0900", "1100")) + account
        case "EE":
            body = digits(rng, 13)
            return rng.choice(("22", "10", "77")) + body + str(-weighted(body, (7, 1, 3) * 4 + (7,)) % 10)
        case "ES":
            bank, account = rng.choice(("2100", "0049", "0182")) + digits(rng, 4), digits(rng, 10)
            return bank + _spanish("00" + bank) + _spanish(account) + account
        case "FI":
            body = rng.choice("12345678") + digits(rng, 12)
            return body + luhn_digit(body)
        case "FR":
            bank, branch, account = rng.choice(("30004", "20041", "10278")), digits(rng, 5), digits(rng, 11)
            return bank + branch + account + f"{97 - (89 * int(bank) + 15 * int(branch) + 3 * int(account)) % 97:02}"
        case "HR":
            bank, account = "248" + digits(rng, 3), digits(rng, 9)
            return bank + mod11_10(bank) + account + mod11_10(account)
        case "IT":
            body = rng.choice(("02008", "03069", "05034")) + digits(rng, 17)
            return italian_letter(body) + body
        case "NO":
            while True:
                body = digits(rng, 4) + rng.choice("123456789") + digits(rng, 5)  # "00" there has a rule of its own
                check = -weighted(body, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
                if check < 10:
                    return body + str(check)
        case "PL":
            bank = rng.choice(("1020", "1140", "1240")) + digits(rng, 3)
            return bank + str(-weighted(bank, (3, 9, 7, 1, 3, 9, 7)) % 10) + digits(rng, 16)
        case "PT":
            body = rng.choice(("0033", "0035", "0010")) + digits(rng, 15)
        case _:  # SI
            body = rng.choice(("02010", "19100", "34000")) + digits(rng, 8)
    return body + f"{98 - int(body + '00') % 97:02}"


def _plain_bban(rng: Random, shape: str) -> str:
    """n and d: digits, d with letters now and then; b: one of these; z: zeros."""
    pieces = []
    for part in shape.split():
        kind, rest = part[0], part[1:]
        if kind == "b":
            pieces.append(rng.choice(rest.split(",")))
        elif kind == "z":
            pieces.append("0" * int(rest))
        else:
            lettered = kind == "d" and rng.random() < 0.15
            pieces.append("".join(rng.choices(DIGITS + UPPER if lettered else DIGITS, k=int(rest))))
    return "".join(pieces)


def iban(rng: Random, country: str = "") -> str:
    country = country if country in IBAN_COUNTRIES else rng.choice(IBAN_COUNTRIES)
    bban = _plain_bban(rng, _IBANS[country]) if country in _IBANS else _checked_bban(rng, country)
    return f"{country}{98 - mod97(bban + country + '00'):02}{bban}"


def iban_written(rng: Random, number: str, *, lines: bool = False) -> str:
    style = rng.choice(("4", "4", "", "", "-", "\n") if lines else ("4", "4", "", "", "-"))
    if style == "\n":
        return grouped(number[:16], 4) + "\n" + grouped(number[16:], 4)
    return number if not style else grouped(number, 4, "-" if style == "-" else " ")


BICS = (
    "DEUTDEFF", "DEUTDEFFXXX", "COBADEFFXXX", "BNPAFRPP", "SOGEFRPP", "CHASUS33", "CITIUS33", "BOFAUS3N", "BARCGB22",
    "LOYDGB2L", "NWBKGB2L", "MIDLGB22", "UBSWCHZH80A", "ZKBKCHZZ80A", "INGBNL2A", "ABNANL2A", "RABONL2U", "KREDBEBB",
    "BSCHESMM", "CAIXESBBXXX", "UNCRITMM", "BCITITMM", "NDEASESS", "HANDSESS", "DNBANOKK", "DABADKKK", "BPKOPLPW",
    "DBSSSGSG", "OCBCSGSG", "BOTKJPJT", "SBININBB", "HDFCINBB", "ANZBAU3M", "CTBAAU2S", "ROYCCAT2", "TDOMCATT",
    "ITAUBRSP", "SBZAZAJJ", "EBILAEAD", "AIBKIE2D", "BKAUATWW", "NDEAFIHH", "CEKOCZPP", "BCOMPTPL", "HSBCHKHH",
)  # fmt: skip


def routing(rng: Random) -> str:
    """ABA: weights 3, 7, 1."""
    body = f"{rng.choice((*range(1, 13), *range(21, 33))):02}" + digits(rng, 6)
    return body + str(-weighted(body, (3, 7, 1, 3, 7, 1, 3, 7)) % 10)


def clabe(rng: Random) -> str:
    body = rng.choice(("002", "012", "014", "021", "072", "127")) + rng.choice(("180", "320", "580")) + digits(rng, 11)
    return body + str(-sum(int(d) * w % 10 for d, w in zip(body, (3, 7, 1) * 6, strict=False)) % 10)


def creditor_reference(rng: Random) -> str:
    """ISO 11649."""
    body = "".join(rng.choices(DIGITS + UPPER if rng.random() < 0.4 else DIGITS, k=rng.randint(9, 21)))
    return f"RF{98 - mod97(body + 'RF00'):02}{body}"


def sepa_creditor(rng: Random) -> str:
    country, length = rng.choice((("DE", 11), ("AT", 11), ("NL", 12), ("FR", 6), ("BE", 10), ("LU", 17)))
    body = "0" * (length > 10) + digits(rng, length - (length > 10))
    return f"{country}{98 - mod97(body + country + '00'):02}ZZZ{body}"


# Securities


def cusip(rng: Random) -> str:
    body = digits(rng, 3) + "".join(rng.choices(DIGITS + UPPER, k=3)) + rng.choice(("10", "20", "AB", "AD", "88"))
    total = sum(sum(map(int, str(int(c, 36) * (1 + place % 2)))) for place, c in enumerate(body))
    return body + str(-total % 10)


def isin(rng: Random) -> str:
    country = rng.choice(("US", "DE", "GB", "FR", "NL", "LU", "IE", "CH", "XS", "CA", "AU", "JP"))
    if country in ("US", "CA"):
        body = country + cusip(rng)
    elif country == "GB":
        body = "GB00" + sedol(rng)
    else:
        body = country + ("00" + "".join(rng.choices(DIGITS + UPPER, k=7)) if rng.random() < 0.6 else digits(rng, 9))
    return body + luhn_digit("".join(str(int(c, 36)) for c in body))


def sedol(rng: Random) -> str:
    new = rng.random() < 0.7  # issued since 2004: with letters, B first
    body = rng.choice("B" if new else "023456") + "".join(rng.choices(DIGITS + CONSONANTS * new, k=5))
    return body + str(-sum(int(c, 36) * w for c, w in zip(body, (1, 3, 1, 7, 3, 9), strict=True)) % 10)


def lei(rng: Random) -> str:
    body = rng.choice(("5493", "2138", "5299", "9695", "8156")) + "00" + "".join(rng.choices(DIGITS + UPPER, k=12))
    return f"{body}{98 - mod97(body + '00'):02}"


def figi(rng: Random) -> str:
    body = "BBG" + "00" + "".join(rng.choices(DIGITS + CONSONANTS, k=6))
    total = sum(sum(map(int, str(int(c, 36) * (1 + place % 2)))) for place, c in enumerate(body))
    return body + str(-total % 10)


# Crypto

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def _base58check(payload: bytes) -> str:
    data = payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = _BASE58[rest] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def _bech32(version: int, program: bytes) -> str:
    """BIP 173 for version 0, BIP 350 from 1 on."""
    bits = "".join(f"{byte:08b}" for byte in program)
    bits += "0" * (-len(bits) % 5)
    data = [version, *(int(bits[at : at + 5], 2) for at in range(0, len(bits), 5))]
    generator = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
    check = 1
    for value in [3, 3, 0, 2, 3, *data, 0, 0, 0, 0, 0, 0]:  # "bc", expanded
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place in range(5):
            check ^= generator[place] if top >> place & 1 else 0
    check ^= 0x2BC830A3 if version else 1
    return "bc1" + "".join(_BECH32[v] for v in [*data, *((check >> 5 * (5 - place)) & 31 for place in range(6))])


def bitcoin(rng: Random) -> str:
    kind = rng.randrange(4)
    if kind < 2:
        return _base58check(bytes([(0, 5)[kind]]) + rng.randbytes(20))
    return _bech32(0, rng.randbytes(20)) if kind == 2 else _bech32(1, rng.randbytes(32))


def ethereum(rng: Random) -> str:
    """EIP-55."""
    address = rng.randbytes(20).hex()
    digest = keccak.new(digest_bits=256, data=address.encode()).hexdigest()
    return "0x" + "".join(c.upper() if int(h, 16) > 7 else c for c, h in zip(address, digest, strict=False))


# Devices, payments, travel documents


def imei(rng: Random) -> str:
    body = rng.choice(("35", "86", "01")) + digits(rng, 12)
    return body + luhn_digit(body)


def vin(rng: Random) -> str:
    """49 CFR 565.15: check digit at the ninth place."""
    chars = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"
    body = rng.choice(("1HG", "1FT", "2T1", "5YJ", "3VW", "1G1", "4T1")) + "".join(rng.choices(chars, k=5)) + "0"
    body += rng.choice("HJKLMNPRST") + rng.choice("ABCDFGHKLM") + digits(rng, 6)
    value = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)), strict=True))
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    check = sum((value.get(c) or int(c)) * w for c, w in zip(body, weights, strict=True)) % 11
    return body[:8] + ("X" if check == 10 else str(check)) + body[9:]


def uetr(rng: Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _mrz_digit(text: str) -> str:
    return str(sum((0 if c == "<" else int(c, 36)) * (7, 3, 1)[place % 3] for place, c in enumerate(text)) % 10)


def mrz(rng: Random, first: str, last: str, country: str, born: str, sex: str) -> str:
    """ICAO 9303: a passport (TD3) or an identity card (TD1). ``country``: three letters, ``born``: YYMMDD."""
    number = rng.choice(UPPER) + "".join(rng.choices(DIGITS + "CFGHJKLMNPRTVWXYZ", k=8))
    until = f"{rng.randint(26, 35)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
    name = f"{last.replace(' ', '<')}<<{first.replace(' ', '<')}"
    numbered, birth, ends = (part + _mrz_digit(part) for part in (number, born, until))
    if rng.random() < 0.6:
        tail = "<" * 14 + "0"
        head = f"P<{country}{name}"[:44].ljust(44, "<")
        return f"{head}\n{numbered}{country}{birth}{sex}{ends}{tail}{_mrz_digit(numbered + birth + ends + tail)}"
    upper = f"I<{country}{numbered}".ljust(30, "<")
    lower = f"{birth}{sex}{ends}{country}" + "<" * 11
    check = _mrz_digit(upper[5:30] + birth + ends + "<" * 11)
    return f"{upper}\n{lower}{check}\n{name[:30].ljust(30, '<')}"
