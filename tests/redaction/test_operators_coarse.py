"""Dates that are shifted, values that are made coarser, and Presidio's operators."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction import Policy
from redaction.errors import RedactionError
from redaction.operators import Presidio, make
from redaction.operators.dates import read
from tests.redaction.test_operators import BANK, OTHER

FORMS = ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%B %d, %Y", "%d %b %Y", "%Y%m%d", "%d-%m-%Y", "%d of %B %Y")
DAYS = st.dates(date(1920, 1, 1), date(2090, 12, 31))


def shift(value: str, subject: str = "42", context=BANK, **options) -> str:
    return make("date_shift", options, replace(context, subject=subject)).replace("DATE_TIME", value)


class TestDateShift:
    @settings(deadline=None)
    @given(DAYS, DAYS, st.sampled_from(FORMS), st.sampled_from(FORMS), st.text(max_size=9))
    def test_intervals_stay_in_any_form(self, one, two, form, other_form, subject):
        moved = [read(shift(day.strftime(how), subject), "dmy") for day, how in ((one, form), (two, other_form))]
        assert moved[0] is not None
        assert moved[1] is not None
        assert moved[1].day - moved[0].day == two - one
        assert timedelta(0) < abs(moved[0].day - one) <= timedelta(days=182)

    def test_subjects_and_tenants_have_their_own(self):
        shifts = {shift("2024-05-01", str(n), max_days=3650) for n in range(50)}
        assert len(shifts) > 40
        differ = [shift("2024-05-01", str(n)) != shift("2024-05-01", str(n), OTHER) for n in range(20)]
        assert sum(differ) > 15

    @settings(deadline=None)
    @given(DAYS, st.text(max_size=9))
    def test_whole_weeks(self, day, subject):
        moved = read(shift(day.isoformat(), subject, whole_weeks=True), "dmy")
        assert moved is not None
        assert moved.day.weekday() == day.weekday()

    @pytest.mark.parametrize(
        ("value", "form"),
        [
            ("2024-02-28", r"\d{4}-\d\d-\d\d"),
            ("28/02/2024", r"\d\d/\d\d/\d{4}"),
            ("1/2/24", r"\d{1,2}/\d{1,2}/24|\d{1,2}/\d{1,2}/23"),
            ("February 28, 2024", r"[A-Z][a-z]+ \d{1,2}, \d{4}"),
            ("28th of FEBRUARY 2024", r"\d{1,2}(?:st|nd|rd|th) of [A-Z]+ \d{4}"),
            ("3. Mai 1980", r"\d{1,2}\. [A-Z][a-zä]+ \d{4}"),
            ("3 de mayo de 1980", r"\d{1,2} de [a-z]+ de \d{4}"),
            ("le 3 février 1980", r"le \d{1,2} [a-zéû]+ \d{4}"),
            ("2024-05-01T10:00:00Z", r"\d{4}-\d\d-\d\dT10:00:00Z"),
            ("20240501T101112Z", r"\d{8}T101112Z"),
            ("13/02/2024 10:30", r"\d\d/\d\d/\d{4} 10:30"),
            ("12.03.98", r"\d\d\.\d\d\.9[789]"),
            ("May 3", r"[A-Z][a-z]+ \d{1,2}"),
        ],
    )
    def test_the_form_stays(self, value, form):
        moved = shift(value)
        assert re.fullmatch(form, moved)
        assert moved != value

    def test_every_date_of_a_value_moves(self):
        by = read(shift("2024-01-01"), "dmy").day - date(2024, 1, 1)
        moved = shift("3 May 2020 - 5 June 2020").split(" - ")
        assert [read(part, "dmy").day for part in moved] == [date(2020, 5, 3) + by, date(2020, 6, 5) + by]
        moved = shift("from 2020-01-01 10:30 to 2020-02-01T09:00:00+02:00")
        first, second = (date(2020, 1, 1) + by, date(2020, 2, 1) + by)
        assert moved == f"from {first} 10:30 to {second}T09:00:00+02:00"

    @pytest.mark.parametrize(
        "value", ["3 May 2020 and the 5th", "2020-01-01 (May)", "1 and 2 May 2020", "Mon 3.5.2020, 4.5."]
    )
    def test_what_is_left_of_a_date_takes_all_with_it(self, value):
        assert shift(value) == "[DATE_TIME]"

    def test_weekdays_move_too(self):
        moved = shift("Monday, May 3, 2021")
        day = read(moved, "dmy").day
        assert moved == f"{day:%A}, {day:%B} {day.day}, {day.year}"
        assert shift("Mon 2021-05-03", whole_weeks=True).startswith("Mon ")

    def test_which_comes_first_where_both_may(self):
        by = read(shift("2024-01-01"), "dmy")
        assert by is not None
        days = by.day - date(2024, 1, 1)
        assert read(shift("03/05/1980"), "dmy").day == date(1980, 5, 3) + days
        assert read(shift("03/05/1980", order="mdy"), "mdy").day == date(1980, 3, 5) + days
        assert read(shift("05/23/1980"), "mdy").day == date(1980, 5, 23) + days

    @pytest.mark.parametrize(
        "value", ["yesterday", "10:30", "on Monday", "Q3", "31/31/2024", "9999-12-31", "0001-01-01"]
    )
    def test_what_has_no_date_is_left_out(self, value):
        moved = shift(value)
        assert moved == "[DATE_TIME]" or value[:4] in {"9999", "0001"}
        assert moved != value


@pytest.mark.parametrize(
    ("type_", "value", "options", "answer"),
    [
        ("AGE", "47", {}, "40-49"),
        ("AGE", "88", {"years": 25}, "75-89"),
        ("AGE", "93 years", {}, "90+"),
        ("AGE", "forty", {}, "[AGE]"),
        ("AGE", "18 months", {}, "0-9"),
        ("AGE", "４５", {}, "40-49"),
        ("ZIP_CODE", "０３６０１", {}, "000**"),
        ("ZIP_CODE", "4111 1111 1111 1111", {}, "[ZIP_CODE]"),
        ("DATE_OF_BIRTH", "3/5/45", {}, "1945"),
        ("DATE_TIME", "3/5/45", {}, "2045"),
        ("BALANCE", "john.smith1980@acme.com", {"kind": "amount"}, "[BALANCE]"),
        ("BALANCE", "5 million dollars", {"kind": "amount"}, "5-10 million dollars"),
        ("ZIP_CODE", "94105", {}, "941**"),
        ("ZIP_CODE", "94105-1234", {"keep": 2}, "94*******"),
        ("ZIP_CODE", "03601", {}, "000**"),
        ("ZIP_CODE", "SW1A 1AA", {"keep": 4}, "SW1A"),
        ("ZIP_CODE", "M1 1AE", {"keep": 4}, "M1"),
        ("ZIP_CODE", "101", {"keep": 4}, "10*"),
        ("DATE_OF_BIRTH", "3 May 1980", {}, "1980"),
        ("DATE_OF_BIRTH", "1980-05-03", {"date": "month"}, "1980-05"),
        ("DATE_OF_BIRTH", "1980-05-03", {"date": "decade"}, "1980s"),
        ("DATE_OF_BIRTH", "3 May", {}, "[DATE_OF_BIRTH]"),
        ("IP_ADDRESS", "192.168.3.4", {}, "192.168.0.0/16"),
        ("IP_ADDRESS", "2001:db8:1:2::1", {}, "2001:db8::/32"),
        ("IP_ADDRESS", "not one", {}, "[IP_ADDRESS]"),
        ("AMOUNT", "$12,345.67", {}, "$10,000-20,000"),
        ("AMOUNT", "€ 1.234,56", {}, "€ 1,000-2,000"),
        ("AMOUNT", "0.50 EUR", {}, "0-1 EUR"),
        ("BALANCE", "7000 USD", {"kind": "amount"}, "5,000-10,000 USD"),
        ("AMOUNT", "USD 5 to 7", {}, "USD 5-10 to 5-10"),
        ("BALANCE", "none", {"kind": "amount"}, "[BALANCE]"),
    ],
)
def test_coarser(type_, value, options, answer):
    assert make("generalise", options, BANK).replace(type_, value) == answer


class TestPresidio:
    @pytest.mark.parametrize(
        ("options", "answer"),
        [
            ({}, "<PERSON>"),
            ({"params": {"new_value": "somebody"}}, "somebody"),
            ({"operator": "redact"}, ""),
            ({"operator": "mask", "params": {"masking_char": "#", "chars_to_mask": 3, "from_end": False}}, "### Smith"),
        ],
    )
    def test_writes_what_presidio_writes(self, options, answer):
        assert make("presidio", options, BANK).replace("PERSON", "Ann Smith") == answer

    def test_a_hash_is_keyed(self):
        one, other = (make("presidio", {"operator": "hash"}, context) for context in (BANK, OTHER))
        assert re.fullmatch("[0-9a-f]{64}", one.replace("PERSON", "Ann"))
        assert one.replace("PERSON", "Ann") != other.replace("PERSON", "Ann")

    def test_encrypt_comes_back_with_the_key_only(self):
        one, other = (make("presidio", {"operator": "encrypt"}, context) for context in (BANK, OTHER))
        assert isinstance(one, Presidio)
        assert isinstance(other, Presidio)
        answer = one.replace("PERSON", "Ann")
        assert one.replace("PERSON", "Ann") == answer
        assert one.decrypt(answer) == "Ann"
        with pytest.raises(RedactionError, match="not written with this key"):
            other.decrypt(answer)
        with pytest.raises(RedactionError, match="not written with this key"):
            one.decrypt("Ann!")

    def test_a_value_that_would_stay_is_refused(self):
        options = {"operator": "mask", "params": {"masking_char": "#", "chars_to_mask": 0, "from_end": False}}
        with pytest.raises(RedactionError, match="leaves a value as it is"):
            make("presidio", options, BANK).replace("PERSON", "Ann")

    def test_in_a_policy(self):
        policy = Policy.parse("name: mine\nentities: {PERSON: {action: presidio, options: {operator: redact}}}")
        assert policy.action("PERSON") == "presidio"
