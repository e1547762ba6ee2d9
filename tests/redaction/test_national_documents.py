"""Document numbers: a word in front, and what follows it."""

from __future__ import annotations

import pytest

from redaction.recognizers import RECOGNIZERS

LICENSE = "driver's license number is "


def found(name, text):
    return [text[d.start : d.end] for d in RECOGNIZERS.get(name)().detect(text)]


@pytest.mark.parametrize(
    "number",
    [*("6940579", "2270-66-1551", "U62928788557186", "F162823540116", "D123-4567-8901", "S530-4602-3456-78")]
    + ["WDLABCD456DG", "123 456 789", "12345"],
)
@pytest.mark.parametrize(
    "words",
    ["my driver's license number is ", "Driver License: ", '"driver_license": "', "driverLicenseNumber=", "DL# "],
)
def test_licences_of_every_form_are_found_behind_their_word(words, number):
    assert found("announced_us_driver_license", words + number) == [number]


@pytest.mark.parametrize(
    "text", [LICENSE + "due on 2024-05-01", LICENSE + "2024-05-01", LICENSE + "not known", "licence fee 35.00"]
)
def test_dates_amounts_and_words_are_no_document_numbers(text):
    assert found("announced_us_driver_license", text) == []


@pytest.mark.parametrize(
    "words", ["passport no. ", "passport_number=", "Reisepass: ", "pasaporte n.º ", "passeport n° "]
)
def test_passports_are_found_in_several_languages_and_as_keys(words):
    assert found("announced_passport", words + "AB1234567 of Ada") == ["AB1234567"]


def test_what_follows_a_number_is_left():
    text = LICENSE + "F162823540116 and my phone is 555 1234"
    assert found("announced_us_driver_license", text) == ["F162823540116"]
