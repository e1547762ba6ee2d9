"""Numbers of securities: published ones are found, mistyped ones behind their word; other numbers are none."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import cusip, isin, lei
from stdnum.gb import sedol

from redaction.recognizers.scan import Recognizers
from redaction.recognizers.securities import SecurityId
from tests.pace import assert_linear

SECURITIES = Recognizers([SecurityId()])
ISINS = ["US0378331005", "US38259P5089", "GB0002634946", "JP3946600008", "FR0000131104", "AU0000XVGZA3", "DE0005557508"]
LEIS = ["5493001KJTIIGC8Y1R12", "54930084UKLVMY22DS16", "213800WSGIIZCXF1P572", "HWUPKR0MPOU8FGXBT394"]
FIGIS = ["BBG000BLNQ16", "BBG000B9XRY4", "BBG000BPH459"]
CUSIPS = ["037833100", "17275R102", "38259P508", "594918104", "68389X105"]
SEDOLS = ["7108899", "B0YBKJ7", "4065663", "B0YBLH2", "2282765", "B0YBKL9", "5579107", "B000300"]


def found(text):
    return [(d.type, text[d.start : d.end]) for d in SECURITIES.detect(text)]


def proven(text):
    return [(d.type, text[d.start : d.end]) for d in SECURITIES.detect(text) if d.validated]


@pytest.mark.parametrize("frame", ["{}", "bought {} today", "({}),", "isin={}&x", '{{"security":"{}"}}', "sec_{}_x"])
@pytest.mark.parametrize(
    ("type_", "code"), [*(("ISIN", c) for c in ISINS), *(("LEI", c) for c in LEIS), *(("FIGI", c) for c in FIGIS)]
)
def test_published_ones_with_a_check_digit_and_letters_need_no_word(type_, code, frame):
    assert proven(frame.format(code)) == [(type_, code)]


@pytest.mark.parametrize("frame", ["{} {}", "{}: {}", "{} no. {}", "{} number is {}", '"{}":"{}"', "{}_code={}"])
@pytest.mark.parametrize(
    ("type_", "code"), [*(("CUSIP", c) for c in CUSIPS), *(("SEDOL", c) for c in SEDOLS), ("WKN", "840400")]
)
def test_short_ones_are_found_behind_their_word_alone(type_, code, frame):
    for word in (type_, type_.lower()):
        assert proven(frame.format(word, code)) == [(type_, code)]
    assert found(f"the order {code} was filled") == []


@pytest.mark.parametrize(
    ("type_", "code"), [("ISIN", ISINS[0]), ("LEI", LEIS[0]), ("FIGI", FIGIS[0]), ("CUSIP", CUSIPS[0])]
)
def test_a_wrong_check_digit_is_a_near_miss_behind_the_word_and_nothing_elsewhere(type_, code):
    for check in {*"0123456789"} - {code[-1]}:
        wrong = code[:-1] + check
        assert found(f"bought {wrong} today") == []
        (detection,) = SECURITIES.detect(f"{type_}: {wrong}")
        assert (detection.type, detection.score, detection.validated) == (type_, 0.5, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ISIN us0378331005", ("ISIN", "us0378331005")),
        ("isin: US 037833100 5", ("ISIN", "US 037833100 5")),
        ("LEI 5493-001K-JTII-GC8Y-1R12", ("LEI", "5493-001K-JTII-GC8Y-1R12")),
        ("lei_code: 5493 001k jtii gc8y 1r12", ("LEI", "5493 001k jtii gc8y 1r12")),
        ("Legal Entity Identifier (LEI): 5493 001K JTII GC8Y 1R12", ("LEI", "5493 001K JTII GC8Y 1R12")),
        ("WKN/ISIN: 840400", ("WKN", "840400")),
        ("Wertpapierkennnummer A0M41A", ("WKN", "A0M41A")),
    ],
)
def test_groups_and_small_letters_are_read_behind_the_word(text, expected):
    assert proven(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "CUSIP 037833100, 250000000 shares", "WKN 840400 and 150000 EUR", "SEDOL B0YBKJ7 for 1000000 in cash",
    ],
)  # fmt: skip
def test_amounts_beside_one_are_none(text):
    assert len(found(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "order 2024000123456789", "20000117053336457185", "INVOICE20240001", "STATEMENT OF ACCOUNT 12",
        "AAPL MSFT GOOG BRK.B",
        "commit 3b18e512dba79e4c8300dd08aeb37f8e728b8dad", "SELL 100 XYZ @ 25.50", "20240115", "QUARTER4 FY2024",
        "EUR 1000000 for USD 1080000", "the isin is missing", "WKN ABCDEF", "cusips and sedols",
    ],
)  # fmt: skip
def test_times_amounts_orders_and_tickers_are_none(text):
    assert found(text) == []


def test_what_policies_keep_in_the_clear_is_proven_only_where_nothing_else_can_be_meant():
    """An account of nine digits fits a CUSIP, a Belgian VAT number fits an ISIN, once in ten times."""
    account = next(f"12345678{check}" for check in range(10) if cusip.is_valid(f"12345678{check}"))
    assert proven(f"holds by CUSIP, from account {account}") == []
    vat = next(f"BE012345678{check}" for check in range(10) if isin.is_valid(f"BE012345678{check}"))
    assert proven(f"we are {vat}") == []
    assert proven(f"ISIN {vat}") == [("ISIN", vat)]


def test_letters_that_look_like_ascii_ones_end_no_call():
    for text in ("isin US037833100\u212a", "lei 5493001\u212aJTIIGC8Y1R12", "\u017fedol B0YBKJ7"):
        assert isinstance(SECURITIES.detect(text), list)


@given(st.from_regex(r"[B-DF-HJ-NP-TV-Z][0-9B-DF-HJ-NP-TV-Z]{5}|[0-9]{6}", fullmatch=True))
def test_every_sedol_is_found(body):
    code = body + sedol.calc_check_digit(body)
    if sedol.is_valid(code) and sum(map(str.isdigit, code)) >= 2:
        assert ("SEDOL", code) in proven(f"SEDOL {code}")


@given(st.text(string.digits + string.ascii_uppercase, min_size=14, max_size=14))
def test_every_lei_is_found(body):
    start = f"5493{body}"
    code = next(f"{start}{n:02}" for n in range(2, 99) if lei.is_valid(f"{start}{n:02}"))
    assert ("LEI", code) in found(f"LEI {code}")
    assert (("LEI", code) in found(f"of {code} today")) == (not code.isdigit())


@pytest.mark.parametrize("unit", ["A1", "isin ", "lei 5", "WKN/A ", "ISIN US03 ", "CUSIP 037833100 ", "legal entity "])
def test_hostile_repetition_takes_linear_time(unit):
    assert_linear(lambda size: SecurityId().detect(unit * (size // len(unit))), 5_000, 40_000)
