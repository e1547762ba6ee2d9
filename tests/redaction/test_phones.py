"""Telephone numbers: what announces one, what is none, and that no numbering plan is asked without end."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.recognizers.phones import PhoneNumber
from tests.pace import assert_linear

PHONES = PhoneNumber()


def found(text):
    return [text[d.start : d.end] for d in PHONES.detect(text)]


REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


@pytest.mark.parametrize("region", REGIONS)
def test_the_example_of_every_country_is_found_in_international_form(region):
    number = phonenumbers.example_number(region)
    for form in (phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.E164):
        written = phonenumbers.format_number(number, form)
        if sum(map(str.isdigit, written)) >= 7:
            assert found(f"She wrote: {written}.") == [written]


@pytest.mark.parametrize(
    "region", ["US", "GB", "DE", "FR", "IT", "ES", "CH", "NL", "SE", "PL", "IN", "BR", "JP", "ZA", "AU"]
)
def test_the_example_of_a_country_is_found_in_national_form_behind_a_word(region):
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    for cue in ("Phone: ", '"mobilePhone": "', "Tel. ", "you can call me at ", "cell_phone="):
        assert found(cue + written) == [written]


@pytest.mark.parametrize(
    "text",
    [
        "account number is 12345678",
        "call about invoice 2023 445 566",
        "my license number is 2270-66-1551",
        "the epoch 1699999999, 1699999999999 ms",
        "call option on 699 956 915 shares",
        "12/05/2023 10:30:22",
        "2019-2020 2021-2022",
        "paid USD 12 345 678 by phone",
        "phone EIN 12-3456789 is",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 0130 00",
        "sort code 20-00-00 55779911",
        "version 192.168.100.200",
    ],
)
def test_other_numbers_are_no_telephone_numbers(text):
    assert [d for d in PHONES.detect(text) if d.score >= 0.35] == []


@given(st.integers(1_500_000_000, 1_999_999_999), st.sampled_from(["at {}", "ts={}", "log {}000", "id {}"]))
def test_a_timestamp_is_never_one(seconds, frame):
    assert found(frame.format(seconds)) == []


def test_a_word_that_says_phone_is_surer_than_one_that_says_call():
    [strong] = PHONES.detect("phone 699 956 915")
    [weak] = PHONES.detect("call 699 956 915")
    assert strong.validated
    assert strong.score > weak.score
    assert not weak.validated


def test_many_numbers_take_linear_time_and_all_are_found():
    assert len(found("0494 92 82 32, " * 1_300)) == 1_300
    assert_linear(lambda size: PHONES.detect("0494 92 82 32, " * (size // 15)), 5_000, 40_000)
