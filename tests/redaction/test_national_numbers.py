"""Numbers that states give: which are found, how surely, and what must not be taken for one."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.gb import nhs
from stdnum.nl import bsn
from stdnum.pl import pesel
from stdnum.us import ein

from redaction.recognizers import RECOGNIZERS
from redaction.recognizers.base import DIGIT_COUNTS
from redaction.recognizers.national import checks
from redaction.recognizers.national.number import StateNumber
from redaction.recognizers.national.search import SEARCH
from redaction.recognizers.scan import Recognizers
from tests.pace import assert_linear, cpu_s

NAMES = [name for name in RECOGNIZERS.names() if issubclass(RECOGNIZERS.get(name), StateNumber)]
LIKELY = 0.35


def found(text):
    """Type → what is found of it, above the threshold."""
    best = {}
    for same in SEARCH.in_text(text).values():
        for d in same:
            if d.score >= LIKELY:
                best[d.type] = text[d.start : d.end]
    return best


def only(text):
    """The detection in a text that has one."""
    (detection,) = [d for same in SEARCH.in_text(text).values() for d in same if d.score >= LIKELY]
    return detection


def test_there_is_a_recognizer_for_each_of_the_kinds():
    assert len(NAMES) >= 95
    assert all(RECOGNIZERS.get(name)().name == name for name in NAMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BSN 111222333 SSN 219099999", {"NL_BSN": "111222333", "US_SSN": "219099999"}),
        (
            "TFN 123456782, ABN 83914571673, ACN 004085616",
            {"AU_TFN": "123456782", "AU_ABN": "83914571673", "AU_ACN": "004085616"},
        ),
        ("SSN 536228765, EIN 911144442, account 123456789", {"US_SSN": "536228765", "US_EIN": "911144442"}),
        (
            "NIF 54362315K NIE X2482300W CIF J99216582",
            {"ES_NIF": "54362315K", "ES_NIE": "X2482300W", "ES_CIF": "J99216582"},
        ),
        ("Medicare 2123 45670 1, MBI 1EG4-TE5-MK73", {"AU_MEDICARE": "2123 45670 1", "US_MBI": "1EG4-TE5-MK73"}),
        ("tax id is 536-22-8765", {"US_SSN": "536-22-8765"}),
        ('{"taxId": "911144442", "ssn": "536228765"}', {"US_EIN": "911144442", "US_SSN": "536228765"}),
    ],
)
def test_of_several_kinds_in_a_text_each_number_gets_its_own(text, expected):
    assert found(text) == expected


@pytest.mark.parametrize(
    "key", ["ssn", "SSN", "customer_ssn", "client-ssn", "clientSsn", "socialSecurityNumber", "social_security_number"]
)
def test_keys_in_every_spelling_announce_a_number(key):
    assert only(f'{{"{key}": "536228765"}}').type == "US_SSN"


@pytest.mark.parametrize(
    "text",
    [
        "your case number is 123456789 and your SSN has been verified",
        "the tin can of 123456789 units",
        "basin 123456782 and cosine 046454286",
        "SSN on file, account 123456789",
        "SSN ending 8765, amount 123456789",
        "the SSN is missing. Please pay 123456789 today",
    ],
)
def test_words_that_speak_of_something_else_announce_nothing(text):
    assert found(text) == {}


@pytest.mark.parametrize("parting", ["", " ", "-", ".", "/", "\n"])
def test_separators_inside_an_announced_number_do_not_hide_it(parting):
    assert only(f"PESEL 44051{parting}401359").validated


@given(st.integers(0, 10**9 - 1))
def test_a_bare_number_of_nine_digits_is_never_taken_for_one_of_a_state(number):
    assert found(f"the value {number:09} was sent") == {}


@given(st.integers(0, 10**8 - 1), st.integers(0, 7), st.integers(1, 9))
def test_an_announced_number_is_proven_when_right_and_found_when_one_digit_is_wrong(body, place, shift):
    right = next((f"{body:08}{c}" for c in "0123456789" if bsn.is_valid(f"{body:08}{c}")), None)
    assume(right is not None)
    assert only(f"BSN {right}").score == 1.0
    wrong = right[:place] + str((int(right[place]) + shift) % 10) + right[place + 1 :]
    mistyped = only(f"BSN {wrong}")
    assert (mistyped.type, mistyped.score, mistyped.validated) == ("NL_BSN", 0.5, False)


@given(st.integers(0, 999), st.integers(0, 99), st.integers(0, 9999))
def test_ssn_in_groups_is_found_by_the_rules_in_force_since_2011(area, group, serial):
    number = f"{area:03}-{group:02}-{serial:04}"
    issued = area not in (0, 666) and area < 900 and group > 0 and serial > 0
    assert ("US_SSN" in found(f"{number} is on file")) == issued


@given(st.integers(0, 99), st.integers(1, 9999))
def test_itin_groups_are_those_that_the_irs_issues(group, serial):
    issued = group in {*range(50, 66), *range(70, 89), *range(90, 93), *range(94, 100)}
    assert ("US_ITIN" in found(f"912-{group:02}-{serial:04} is on file")) == issued


@pytest.mark.parametrize("number", ["S1234567D", "T1234567J", "F1234567N", "G1234567X", "M1234567K", "M0000008J"])
def test_nric_has_one_check_letter_per_number(number):
    letters = [c for c in "ABCDEFGHIJKLMNPQRTUWXZ" if checks.nric(number[:8] + c)]
    assert letters == [number[8]]


@pytest.mark.parametrize(
    ("check", "right"),
    [
        (checks.npi, "1234567893"),
        (checks.dea, "AB1234563"),
        (checks.hkid, "A1234563"),
        (checks.id_tw, "A123456789"),
        (checks.tax_hu, "8071592153"),
        (checks.taj_hu, "111111110"),
        (checks.pension_de, "15070649C103"),
        (checks.icao, "C01X00T478"),
        (checks.hetu, "131052308T"),
    ],
)
def test_checks_of_our_own_refuse_a_wrong_check_digit(check, right):
    assert check(right)
    digits = "0123456789" if right[-1].isdigit() else "ABCDEFHJKLMNPRSTUVWXY"
    assert [c for c in digits if check(right[:-1] + c)] == [right[-1]]


@pytest.mark.parametrize(("name", "kind"), SEARCH.kinds, ids=[name for name, _ in SEARCH.kinds])
def test_no_number_of_the_right_shape_makes_a_check_fail(name, kind):
    """One library's check raised KeyError on some: the text would have been refused."""
    rng = random.Random(name)
    places = {"9": "0123456789", "A": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "X": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    numbers = ["".join(rng.choice(places[p]) for p in rng.choice(kind.masks)) for _ in range(2000)]
    passed = [kind.valid(number) for number in numbers]
    assert set(passed) <= {True, False}
    shaped = [valid for number, valid in zip(numbers, passed, strict=True) if kind.has_shape(number)]
    assert not kind.proves or sum(shaped) <= len(numbers) / 50


@pytest.mark.parametrize("text", ["+672 10 6811", "+218 91-2578474", "call +84 912 186 870"])
def test_phone_numbers_with_a_calling_code_are_left_to_others(text):
    assert found(text) == {}


def test_what_is_found_in_one_text_is_not_said_of_the_next():
    assert found("SSN 536-22-8765") == {"US_SSN": "536-22-8765"}
    assert found("SSN 536-22-876x") == {}
    assert found("SSN 536-22-8765") == {"US_SSN": "536-22-8765"}


def test_the_trigger_of_a_recognizer_is_among_those_that_are_counted():
    """Eighty patterns more in the one automaton would cost every text."""
    assert {RECOGNIZERS.get(name).trigger for name in NAMES} <= set(DIGIT_COUNTS)


def test_cue_words_are_in_small_letters_as_the_quick_look_for_them_demands():
    for name, kind in SEARCH.kinds:
        assert kind.cue == re.sub(r"(?<!\\)[A-Z]", lambda m: m[0].lower(), kind.cue), name


def _numbers(rng):
    """Numbers of statements and logs that no state gave."""
    at = rng.randrange(10**9, 2 * 10**9)
    day = f"{rng.randrange(1970, 2030)}{rng.randrange(1, 13):02}{rng.randrange(1, 29):02}"
    clock = f"{rng.randrange(24):02}{rng.randrange(60):02}"
    amount = rng.randrange(10, 10 ** rng.randrange(3, 12))
    line = f"{rng.randrange(1000):03}", f"{rng.randrange(10**4):04}"
    return (
        "".join(rng.choice("0123456789") for _ in range(rng.randrange(8, 13))),
        *(str(at), str(at * 1000 + rng.randrange(1000)), day + clock + "07", f"{day}T{clock}00Z", f"{day}-{clock}"),
        *(f"{amount:,}.50", f"{amount:,}".replace(",", " ") + ",50", f"EUR {amount:,}".replace(",", ".")),
        *(f"(212) {line[0]}-{line[1]}", f"212-{line[0]}-{line[1]}", f"020 7946 {line[1]}", f"0207946{line[1]}"),
        *(f"+44 20 7946 {line[1]}", f"600 {line[0]} {line[0]}", f"+1212{line[0]}{line[1]}", f"0171/{line[0]}{line[1]}"),
        *(f"INV-{day}", f"{day[:4]}-00{line[1]}", f"PO{line[0]}{line[1]}", f"#{day}", f"{line[1]}-{line[1]}-{line[1]}"),
    )


def test_fewer_than_one_in_a_thousand_other_numbers_is_taken_for_one():
    rng = random.Random(20110625)
    recognizers = Recognizers([RECOGNIZERS.get(name)() for name in NAMES])
    texts = [f"the payment {number} was booked" for _ in range(250) for number in _numbers(rng)]
    taken = [text for text in texts if any(d.score >= LIKELY for d in recognizers.detect(text))]
    assert len(taken) < len(texts) / 1000, taken[:5]


def test_right_numbers_of_a_generator_are_all_found_behind_their_word():
    rng = random.Random(4)
    for word, valid, length in (("PESEL", pesel, 11), ("NHS number", nhs, 10), ("EIN", ein, 9)):
        numbers = (f"{rng.randrange(10**length):0{length}}" for _ in range(3000))
        right = [number for number in numbers if valid.is_valid(number)]
        assert right
        for number in right:
            assert only(f"{word}: {number}").validated, number


@pytest.mark.parametrize(
    "unit",
    [
        "SSN 123456789 4 1 1 1 AB 1\n",
        "4 1",
        "AB 1",
        "1-",
        "123-45-6789 ",
        "SSN 1\n",
        "PAN PESEL NIP VAT SSN 1 ",
        "SSN 123456789 ",
        "SSN ",
        "A1",
        "BSN",
    ],
)
def test_hostile_repetition_takes_linear_time(unit):
    assert_linear(lambda size: SEARCH.in_text(unit * (size // len(unit))), 5_000, 40_000)


def test_ordinary_text_with_three_numbers_is_walked_once_not_once_for_each():
    recognizers = Recognizers([RECOGNIZERS.get(name)() for name in NAMES])
    plain = "The customer called about a payment that was booked twice and asks to have it back. " * 11
    texts = [f"{plain} ref 883920184, order 2024-000123, call 020 7946 0018 ({n})" for n in range(100)]
    full = [("SSN 123456789, NIP 1234567890; " * 33)[: len(plain)] + str(n) for n in range(100)]
    assert all(recognizers.detect(text) == [] for text in texts)
    every, walk, dense = cpu_s(
        lambda: [recognizers.detect(text) for text in texts],
        lambda: [SEARCH.in_text(text) for text in texts],
        lambda: [SEARCH.in_text(text) for text in full],
    )
    assert every < 3 * walk  # of more than ninety recognizers
    assert walk < dense / 3
