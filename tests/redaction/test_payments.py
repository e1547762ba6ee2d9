"""Numbers of payments: found behind their word, in the forms that banks print; times and other ids are none."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.recognizers import RECOGNIZERS
from redaction.recognizers.scan import Recognizers
from tests.pace import assert_linear

UETR = "eb6305c9-1f7f-49de-aed0-16487c27b42d"
NAMES = ("uetr", "ach_trace", "fedwire", "payment_reference")
ALL = {name: Recognizers([RECOGNIZERS.get(name)()]) for name in NAMES}


def found(name, text):
    return [(d.type, text[d.start : d.end]) for d in ALL[name].detect(text)]


class TestUetr:
    @pytest.mark.parametrize(
        "text",
        [
            f"UETR: {UETR}", f"uetr={UETR.upper()}", f"{{3:{{121:{UETR}}}}}", f"<UETR>{UETR}</UETR>",
            f'"endToEndId":"{UETR}"', f"EndToEndIdentification {UETR}", f"end-to-end id {UETR}", f"gpi {UETR}",
            f"the payment {UETR} (UETR)",
        ],
    )  # fmt: skip
    def test_it_is_found_as_messages_write_it(self, text):
        (detection,) = ALL["uetr"].detect(text)
        assert (detection.type, text[detection.start : detection.end].lower()) == ("UETR", UETR)
        assert detection.validated

    @given(st.uuids())
    def test_any_uuid_is_one_but_only_version_4_is_a_uetr(self, made):
        assert found("uetr", f"session {made}.") == [("UUID", str(made))]
        expected = "UETR" if made.version == 4 else "UUID"
        assert found("uetr", f"UETR {made}.") == [(expected, str(made))]

    @pytest.mark.parametrize("text", [UETR[:-1], f"{UETR}0", f"0{UETR}", f"{UETR}-1", uuid.UUID(UETR).hex])
    def test_more_or_less_of_it_is_none(self, text):
        assert found("uetr", f"UETR {text}") == []


class TestAchTrace:
    @pytest.mark.parametrize(
        "text",
        [
            "ACH trace {}", "trace_number: {}", "traceNumber={}", "Trace No. {}", "ach_trace={}", "{} is the ACH trace",
            '"trace":"{}"', "trace nr {}.", "({}) trace",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("number", ["021000021234567", "091000019000001", "12100035 0000123"])
    def test_it_is_found_near_its_word(self, text, number):
        assert found("ach_trace", text.format(number)) == [("ACH_TRACE", number)]

    @given(st.integers(0, 99), st.integers(0, 10**6 - 1), st.integers(0, 10**7 - 1))
    def test_it_begins_like_a_routing_number(self, district, bank, number):
        text = f"{district:02}{bank:06}{number:07}"
        right = district <= 12 or 21 <= district <= 32 or 61 <= district <= 72 or district == 80
        expected = [("ACH_TRACE", text)] if right and int(text[:8]) else []
        assert found("ach_trace", f"trace {text}") == expected

    @pytest.mark.parametrize(
        "text",
        [
            "paid 021000021234567", "ach batch 12", "trace 02100002123456", "trace 0210000212345678",
            "stack trace 1706707200123456", "ACH of 021000021234567.50 USD", "each 021000021234567",
        ],
    )  # fmt: skip
    def test_other_numbers_and_words_are_none(self, text):
        assert found("ach_trace", text) == []


class TestFedwire:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("IMAD 20240115MMQFMP2U000123", ("IMAD", "20240115MMQFMP2U000123")),
            ("IMAD: 20240115 MMQFMP2U 000123", ("IMAD", "20240115 MMQFMP2U 000123")),
            ("Imad: 0115B1QGC08C001234 Trn: 4", ("IMAD", "0115B1QGC08C001234")),
            ("imad_number=20240229I1B7031R000042", ("IMAD", "20240229I1B7031R000042")),
            ("OMAD: 20240115MMQFMPU900123401151034FT03", ("OMAD", "20240115MMQFMPU900123401151034FT03")),
            ("omad no. 20240115 MMQFMPU9 001234 0115 1034 FT03", ("OMAD", "20240115 MMQFMPU9 001234 0115 1034 FT03")),
            ("by wire 20240115B1QGC08C001234 today", ("IMAD", "20240115B1QGC08C001234")),
            ("Fedwire 2024011512345678123456", ("IMAD", "2024011512345678123456")),
        ],
    )
    def test_it_is_found_as_statements_print_it(self, text, expected):
        assert found("fedwire", text) == [expected]

    @pytest.mark.parametrize("date", ["20241315", "20240230", "20230229", "18991231", "20240100"])
    def test_the_date_must_be_one(self, date):
        assert found("fedwire", f"IMAD {date}MMQFMP2U000123") == []

    @given(st.dates(), st.integers(0, 10**14 - 1))
    def test_a_date_with_digits_is_no_wire(self, day, number):
        assert found("fedwire", f"at {day:%Y%m%d}{number:014}") == []

    @pytest.mark.parametrize(
        "text",
        [
            "order 20240115ABCDEFGH000123", "20240115T103000Z", "0115B1QGC08C001234", "file 20240115_000123",
            "20240115MMQFMP2U00012", "20240115 MMQFMP2U 000123", "the IMAD is missing",
        ],
    )  # fmt: skip
    def test_order_numbers_times_and_half_ones_are_none(self, text):
        assert found("fedwire", text) == []


class TestPaymentReference:
    @pytest.mark.parametrize(
        "frame",
        [
            "transaction ref: {}", "transaction_id={}", '"transactionId":"{}"', "payment-reference {}", ":20:{}",
            ":21:{}", "TRN {}", "trn: {},", "swift ref no. {}", "sender's reference is {}.", "MT103 ref {}",
            "wire id {}", "related_reference: {}", "sender’s ref {}",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("value", ["FT24015ABCD12", "TRX20240115-0042", "TX_2024_000123", "A1/2.3-4", "9" * 35])
    def test_it_is_found_whole_behind_its_word(self, frame, value):
        assert found("payment_reference", frame.format(value)) == [("PAYMENT_REFERENCE", value)]

    @pytest.mark.parametrize(
        "text",
        [
            "TRNAVA123456", "payment references 2", "payment idea123456", "ref FT24015ABCD12",
            "transaction id is unknown", "payment reference: 12", "transferred 1000000 EUR", "at 13:20:34.227018",
        ],
    )  # fmt: skip
    def test_words_that_only_begin_like_its_word_are_none(self, text):
        assert found("payment_reference", text) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "unit", ["trn", "trn-", "trn: ", "payment ref ", ":20:", "0123abcd-", "20240115", "0115 ", "trace 1", "02100002 "]
)
def test_hostile_repetition_takes_linear_time(name, unit):
    assert_linear(lambda size: RECOGNIZERS.get(name)().detect(unit * (size // len(unit))), 5_000, 40_000)
