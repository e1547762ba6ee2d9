"""Ages, birth dates and dates, in the forms of five languages."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.recognizers.dates import Age, DateOfBirth, DateTime, Weekday

DATES, BIRTHS, AGES, WEEKDAYS = DateTime(), DateOfBirth(), Age(), Weekday()
FORMS = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%Y-%m-%dT%H:%M:%S")


def found(recognizer, text):
    return [text[d.start : d.end] for d in recognizer.detect(text)]


@given(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2099, 12, 31)), st.sampled_from(FORMS))
def test_every_date_is_found_whole_in_every_form_and_as_a_birth_date_where_it_is_called_one(date, form):
    written = date.strftime(form)
    assert found(DATES, f"It was ({written}), they say.") == [written]
    assert found(BIRTHS, f"DOB: {written.split('T')[0]}") == [written.split("T")[0]]
    assert found(BIRTHS, f"paid {written}") == []


@given(st.from_regex(r"[0-9]{1,4}(-[0-9]{1,4}){3,6}", fullmatch=True))
def test_the_pieces_of_a_longer_number_are_left_alone(number):
    assert found(DATES, f"account {number} is hers") == []


@pytest.mark.parametrize("month", ["März", "août", "enero", "luglio", "dicembre", "Oktober", "févr."])
def test_months_of_other_languages(month):
    assert found(DATES, f"am 3. {month} 1980.") == [f"3. {month} 1980"]


@given(st.integers(1, 119))
def test_every_age_is_found_and_only_the_number(age):
    for frame in ("aged {}", "I'm {} years old", "a {}-year-old client", "she is {}.", "Age: {}", "turned {} last May"):
        assert found(AGES, frame.format(age)) == [str(age)]


@pytest.mark.parametrize(
    "text",
    ["turned 60 degrees", "a 5 year bond", "page 30", "I am 3 weeks late", "aged 90 days", "it is 45", "the 1980s"],
)
def test_other_numbers_are_no_ages(text):
    assert found(AGES, text) == []


@given(st.text(st.characters() | st.sampled_from("0123456789-/.: ")))
def test_a_weekday_is_found_in_any_text_also_behind_a_lone_surrogate(text):
    assert ("Monday" in found(WEEKDAYS, f"{text} \ud800 Monday")) is True
