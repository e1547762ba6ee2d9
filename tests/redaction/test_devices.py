"""Machines, vehicles and travel documents: published examples, check digits, and the numbers that look like them."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.recognizers import RECOGNIZERS
from redaction.recognizers.cards import luhn
from redaction.recognizers.devices import vin_check
from redaction.recognizers.scan import Recognizers
from tests.pace import assert_linear

NAMES = ("ip_address", "mac_address", "imei", "vin", "mrz")
ALL = {name: Recognizers([RECOGNIZERS.get(name)()]) for name in NAMES}


def found(name, text):
    return [text[d.start : d.end] for d in ALL[name].detect(text)]


class TestIpAddress:
    @given(st.ip_addresses())
    def test_every_address_is_found(self, address):
        code = str(address)
        frames = ["from {}, port 80", "ip={}", "[{}]", '"{}"', *(["addr:{}"] * (not code.startswith("::")))]
        for frame in frames if code != "::" else []:
            assert found("ip_address", frame.format(code))[0] == code

    @pytest.mark.parametrize(
        "address",
        [
            "2001:0db8:0000:0000:0000:ff00:0042:8329",
            "::1",
            "::ffff:192.0.2.128",
            "fe80::1%eth0",
            "2001:DB8::8:200C:417A",
        ],
    )
    def test_the_forms_of_the_standard_are_found(self, address):
        assert address in found("ip_address", f"from {address} today")
        assert ipaddress.ip_address(address)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("10.0.0.1-10.0.0.20", ["10.0.0.1", "10.0.0.20"]), ("10.0.0.1,10.0.0.2", ["10.0.0.1", "10.0.0.2"]),
            ("192.168.001.004 said", ["192.168.001.004"]), ("localhost/127.0.0.1:80", ["127.0.0.1"]),
            ("host_10.0.0.1_a", ["10.0.0.1"]), ("10.0.0.0/8.", ["10.0.0.0"]), ("ip:2001:db8::1", ["2001:db8::1"]),
        ],
    )  # fmt: skip
    def test_ranges_lists_and_logs(self, text, expected):
        assert found("ip_address", text) == expected

    @pytest.mark.parametrize(
        "text",
        [
            "Version: 1.2.3.4", "v1.2.3.4", "build 10.0.19.45", "§ 1.2.3.4", "section 4.3.2.1", "1.2.3.4-beta",
            "1.2.3.4.5", "€ 1.234.123.200", "1.234.123.200 EUR", "1.234.123.200,50", "Chrome/120.0.0.0 Safari",
            "12:30:45", "31.12.2024", "999.1.1.1", "std::vector", "a::b::c", "00:1A:2B:3C:4D:5E", "libx-1.2.3.4.so",
        ],
    )  # fmt: skip
    def test_versions_sections_amounts_and_times_are_none(self, text):
        assert found("ip_address", text) == []


class TestMacAddress:
    @given(st.binary(min_size=6, max_size=6), st.sampled_from([":", "-"]), st.booleans())
    def test_every_address_with_its_word_is_found(self, address, separator, upper):
        code = address.hex(separator).upper() if upper else address.hex(separator)
        for text in (f"MAC {code}.", f"mac:{code}", f"mac={code}&x", f"bssid: ({code})"):
            assert found("mac_address", text) == [code]
        assert found("mac_address", f"at {code} today") == ([code] if any(map(str.isalpha, code)) else [])
        assert found("mac_address", f"mac address: {address.hex()}") == [address.hex()]

    @pytest.mark.parametrize(
        "text",
        [
            "20-24-01-15-10-30", "12:30:45:12:30:45", "00:1A:2B:3C:4D", "00:1A:2B:3C:4D:5E:6F:70", "1234.5678.9012",
            "00:1A-2B:3C-4D:5E", "g0:1A:2B:3C:4D:5E", "the commit 001a2b3c4d5e", "machine 123456789012",
        ],
    )  # fmt: skip
    def test_times_and_longer_or_mixed_ones_are_none(self, text):
        assert found("mac_address", text) == []


class TestImei:
    PUBLISHED = ("490154203237518", "352099001761481", "49-015420-323751-8", "35 209900 176148 1")

    @pytest.mark.parametrize(
        "frame", ["IMEI {}", "imei_number: {}", "IMEI1: {}", "IMEI 2={}", '"imei":"{}"', "{} (IMEI)"]
    )
    @pytest.mark.parametrize("number", PUBLISHED)
    def test_published_ones_are_found_near_their_word(self, number, frame):
        text = frame.format(number)
        (detection,) = ALL["imei"].detect(text)
        assert text[detection.start : detection.end] == number
        assert detection.validated

    @given(st.from_regex("[0-9]{15}", fullmatch=True))
    def test_a_wrong_digit_is_a_near_miss_directly_behind_the_word(self, digits):
        (detection,) = ALL["imei"].detect(f"IMEI: {digits}")
        assert detection.validated == luhn(digits)
        assert (detection.score == 1.0) == luhn(digits)
        assert bool(found("imei", f"the handset, see {digits}")) == luhn(digits)

    def test_with_the_software_version_it_has_sixteen_digits(self):
        assert found("imei", "IMEISV 49-015420-323751-23") == ["49-015420-323751-23"]

    @pytest.mark.parametrize(
        "text", ["490154203237518", "card 378282246310005", "imei 12", "IMEI 49015420323751", "imei?"]
    )
    def test_other_numbers_are_none(self, text):
        assert found("imei", text) == []


class TestVin:
    PUBLISHED = ("1M8GDM9AXKP042788", "1HGCM82633A004352", "5GZCZ43D13S812715")

    @pytest.mark.parametrize("number", PUBLISHED)
    def test_published_ones_are_found(self, number):
        assert found("vin", f"sold {number} today") == [number]
        for frame in ("VIN {}", "vin_number={}", "the vehicle ({})", "Fahrgestellnummer: {}", "{} on the chassis"):
            assert found("vin", frame.format(number)) == [number]
            assert found("vin", frame.format(number.lower())) == [number.lower()]

    @given(st.from_regex("[A-HJ-NPR-Z0-9]{13}[0-9]{4}", fullmatch=True))
    def test_without_a_word_the_check_digit_decides(self, code):
        mixed = not code.isdigit()
        assert found("vin", f"is {code} there") == ([code] if mixed and vin_check(code) else [])
        assert found("vin", f"chassis {code}") == [code] * mixed

    @pytest.mark.parametrize(
        "text",
        [
            "1HGCM82643A004352", "12345678901234567", "ABCDEFGHJKLMNPRST", "1HGCM82633A00435", "1HGCM82633A0043521",
            "1HGCM82633AOO4352", "1HGCM82633A00435\u212a", "vin 1HGCM82633A00435\u017f",
            "3b18e512dba79e4c8300dd08aeb37f8e",
        ],
    )  # fmt: skip
    def test_wrong_check_digits_foreign_letters_and_hashes_are_none(self, text):
        assert found("vin", text) == []


TD3 = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
TD2 = ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6")
TD1 = ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<")
VISA = ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L8988901C4XXX4009078F96121096ZE184226B<<<<<<")


class TestMrz:
    """The specimens of ICAO 9303, parts 4 to 7."""

    @pytest.mark.parametrize("lines", [TD3, TD2, TD1, VISA], ids=["passport", "card", "small card", "visa"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", " "])
    def test_a_zone_is_found_as_one(self, lines, end):
        zone = end.join(lines)
        (detection,) = ALL["mrz"].detect(f"scan:\n{zone}\nthanks")
        assert f"scan:\n{zone}\nthanks"[detection.start : detection.end] == zone
        assert detection.validated

    @pytest.mark.parametrize("lines", [TD3, TD2, VISA], ids=["passport", "card", "visa"])
    def test_with_a_misread_digit_it_is_found_too_but_not_proven(self, lines):
        zone = f"{lines[0]}\n{lines[1][:4]}{(int(lines[1][4]) + 1) % 10}{lines[1][5:]}"
        (detection,) = ALL["mrz"].detect(zone)
        assert (detection.start, detection.end, detection.validated) == (0, len(zone), False)

    @pytest.mark.parametrize("line", [TD3[0], TD3[1], TD2[0], TD1[2], VISA[0]])
    def test_a_line_alone_is_found(self, line):
        assert found("mrz", f"the line {line} only") == [line]

    @pytest.mark.parametrize(
        "text",
        ["<" * 44, "A<B<C", "IF A<B AND C<D", "ABCDEFGHIJ" * 4 + "<<<<", TD3[1].replace("L898902C3", "L898902C4")],
    )
    def test_rows_of_signs_are_none(self, text):
        assert found("mrz", text) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "unit",
    ["1.", "1.1.1.1-", "1.1.1.1,", "a:", "::", "ab:", "aa-", "mac ", "mac 00", "imei ", "imei 49 ", "vin A1",
     "P<UTO<<A<", TD3[0] + "\n", TD1[0] + " ", TD3[1] + "  "],
)  # fmt: skip
def test_hostile_repetition_takes_linear_time(name, unit):
    assert_linear(lambda size: RECOGNIZERS.get(name)().detect(unit * (size // len(unit))), 5_000, 40_000)
