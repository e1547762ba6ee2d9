"""The redactor as its users see it, with the real models."""

from __future__ import annotations

import re
import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import redaction
from redaction import Detection, Policy, RawText, Redacted, RedactedText, Redactor
from redaction.errors import DetectionFailed, InvalidText, RedactionError, TextTooLarge
from redaction.recognizers.scan import Recognizers

COMPLAINT = (
    "My name is Margaret Okonkwo, born 3 May 1980, of 12 High Street, Leeds. On 12 March 2024 my card "
    "4111 1111 1111 1111 was charged $1,250.00 twice. Refund it to IBAN DE89370400440532013000 (BIC DEUTDEFF). "
    "Call +44 20 7946 0958 or write to margaret.okonkwo@example.co.uk. Margaret Okonkwo"
)
SECRETS = ("Margaret", "Okonkwo", "1980", "High Street", "Leeds", "4111", "DE89", "DEUTDEFF", "7946", "@example")
HOSTILE = ["<PERSON_1>", "<LITERAL_1>", "<IBAN_CODE_", "1>", "<", ">", "_1", "Ada Lovelace", "DE89370400440532013000",
           "4111111111111111", "ada@example.com", "3 May 2024", "\x00", "\ud800", "\udfff", "\u202e", "é", "e\u0301",
           "𝟜", "한국", " ", "\n", "\u200b", "LITERAL", "12 High Street"]  # fmt: skip
hostile = st.lists(st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=()), max_size=6), max_size=12)


@pytest.fixture(scope="module")
def patterns() -> Redactor:
    """The pattern-only path: every recognizer, no model."""
    recognizers = Recognizers()
    return Redactor(Policy.builtin(), [recognizers], [recognizers])


def test_the_package_exports_exactly_its_api():
    assert sorted(redaction.__all__) == sorted(
        ["Redactor", "Policy", "Detection", "Redacted", "RawText", "RedactedText", "MemoryVault", "errors"]
    )


class TestComplaint:
    def test_nothing_confidential_is_left_and_the_rest_can_be_understood(self, redactor):
        text = redactor.redact(COMPLAINT).text
        assert not [secret for secret in SECRETS if secret in text]
        for rest in ("My name is", "$1,250.00 twice", "12 March 2024", "Refund it to IBAN <IBAN_CODE_1>"):
            assert rest in text

    def test_every_piece_has_its_type(self, redactor):
        redacted = redactor.redact(RawText(COMPLAINT))
        types = {
            value: placeholder.strip("<>").rpartition("_")[0] for placeholder, value in redacted.placeholders.items()
        }
        assert types["DE89370400440532013000"] == "IBAN_CODE"
        assert types["4111 1111 1111 1111"] == "CREDIT_CARD"
        assert types["Margaret Okonkwo"] == "PERSON"
        assert types["3 May 1980"] == "DATE_OF_BIRTH"
        assert types["12 High Street, Leeds"] == "STREET_ADDRESS"
        assert types["margaret.okonkwo@example.co.uk"] == "EMAIL_ADDRESS"

    def test_one_value_has_one_placeholder(self, redactor):
        assert redactor.redact(COMPLAINT).text.count("<PERSON_1>") == 2

    def test_counts_and_detections_agree(self, redactor):
        redacted = redactor.redact(COMPLAINT)
        assert sum(redacted.entity_counts.values()) == len(redacted.detections) == redacted.action_counts["placeholder"]
        assert redacted.action_counts["keep"] == 1
        assert "DATE_TIME" not in redacted.entity_counts
        assert all(COMPLAINT[d.start : d.end] in redacted.placeholders.values() for d in redacted.detections)

    def test_it_comes_back_exactly_whole_and_in_a_stream(self, redactor):
        redacted = redactor.redact(COMPLAINT)
        stream = redactor.stream_restore(redacted)
        assert redactor.restore(redacted.text, redacted) == COMPLAINT
        assert "".join(map(stream.feed, redacted.text)) + stream.close() == COMPLAINT
        assert redactor.restore_from("Dear <PERSON_1>", redacted.placeholders) == "Dear Margaret Okonkwo"

    def test_no_repr_shows_text(self, redactor):
        redacted = redactor.redact(COMPLAINT)
        shown = repr(redacted) + repr(redacted.detections) + repr(redacted.redacted_text) + str(redacted)
        assert not [secret for secret in SECRETS if secret in shown]
        assert redacted.redacted_text == RedactedText(redacted.text)


class TestRoundTrip:
    @given(hostile.map("".join))
    @settings(max_examples=60, deadline=None)
    def test_restoring_the_redacted_text_gives_the_text(self, redactor, text):
        redacted = redactor.redact(text)
        assert redactor.restore(redacted.text, redacted) == text

    @given(hostile.map("".join))
    @settings(max_examples=40, deadline=None)
    def test_every_placeholder_shape_in_a_redacted_text_was_issued(self, redactor, text):
        redacted = redactor.redact(text)
        shapes = re.findall(r"<[A-Z][A-Z0-9_]*_[0-9]+>", redacted.text)
        assert set(shapes) == set(redacted.placeholders)

    def test_a_lookalike_is_replaced_and_cannot_fetch_another_value(self, redactor):
        text = "<IBAN_CODE_1> is DE89370400440532013000, <LITERAL_1>"
        redacted = redactor.redact(text)
        assert redacted.text == "<LITERAL_1> is <IBAN_CODE_1>, <LITERAL_2>"
        assert redactor.restore(redacted.text, redacted) == text
        assert redacted.entity_counts["LITERAL"] == 2

    @pytest.mark.parametrize("text", ["", " ", "\x00" * 50, "\ud800\udc00\udfff", "\U0010ffff", "é" * 300 + "\r\n"])
    def test_odd_text_does_no_harm(self, redactor, text):
        redacted = redactor.redact(text)
        assert redactor.restore(redacted.text, redacted) == text
        assert redactor.second_look(redacted) == []


class TestAnalyze:
    def test_detections_are_sorted_apart_and_inside(self, redactor):
        found = redactor.analyze(COMPLAINT)
        assert all(a.end <= b.start for a, b in zip(found, found[1:], strict=False))
        assert {"DATE_TIME", "PERSON", "IBAN_CODE"} <= {d.type for d in found}

    def test_offsets_are_code_points_of_the_original(self, redactor):
        text = "𝔘😀 e\u0301 \ud800 한국: pay DE89370400440532013000 to Margaret Okonkwo"
        pieces = {d.type: text[d.start : d.end] for d in redactor.analyze(text)}
        assert pieces["IBAN_CODE"] == "DE89370400440532013000"
        assert pieces["PERSON"] == "Margaret Okonkwo"

    def test_a_batch_says_what_each_text_says_alone(self, redactor):
        texts = [COMPLAINT, "", "Ada Lovelace lives in Leeds.", RawText("pay 4111111111111111"), COMPLAINT * 3]
        assert redactor.analyze_batch(texts) == [redactor.analyze(text) for text in texts]

    def test_long_text_is_looked_at_to_its_end(self, redactor):
        filler = "The payment was late and nobody at the branch could say why it was. "
        text = filler * 80 + "Margaret Okonkwo, 12 High Street" + filler * 80 + "Margaret Okonkwo"
        names = [text[d.start : d.end] for d in redactor.analyze(text) if d.type == "PERSON"]
        assert names.count("Margaret Okonkwo") == 2


class TestViews:
    @pytest.mark.parametrize(
        ("text", "redacted"),
        [
            ("card NDExMTExMTExMTExMTExMQ== ok", "card <CREDIT_CARD_1> ok"),
            ("card 4\u200b111 1111 1111 1111 ok", "card <CREDIT_CARD_1> ok"),
            ("card ４１１１　１１１１　１１１１　１１１１ ok", "card <CREDIT_CARD_1> ok"),
            ("card &#52;111&nbsp;1111 1111 1111 ok", "card <CREDIT_CARD_1> ok"),
            ("card %34111111111111111 ok", "card <CREDIT_CARD_1> ok"),
            ("card 4111<b>1111</b>11111111 ok", "card <CREDIT_CARD_1> ok"),
            ("card four" + " one" * 15 + " ok", "card <CREDIT_CARD_1> ok"),
            ("to DЕ89 3704 0044 0532 0130 00 ok", "to <IBAN_CODE_1> ok"),
            ("to ada [at] example [dot] com ok", "to <EMAIL_ADDRESS_1> ok"),
        ],
    )
    def test_the_carrier_is_replaced_and_comes_back(self, patterns, text, redacted):
        done = patterns.redact(text)
        assert done.text == redacted
        assert patterns.restore(done.text, done) == text
        assert patterns.second_look(done) == []

    def test_the_second_look_sees_them_too(self, patterns):
        draft = Redacted("it is NDExMTExMTExMTExMTExMQ==", (), {}, {}, {})
        assert [d.type for d in patterns.second_look(draft)] == ["CREDIT_CARD"]

    def test_a_name_found_once_is_found_in_its_other_forms(self, redactor):
        text = (
            "Dear Margaret Okonkwo, we wrote to you. Signed for OKONKWO, MARGARET by the branch; okonkwo is informed."
        )
        assert "okonkwo" not in redactor.redact(text).text.lower()


class TestManyTexts:
    def test_a_stream_says_what_each_text_says_alone(self, redactor):
        texts = [COMPLAINT, "", "pay 4111111111111111", RawText("Ada Lovelace lives in Leeds.")] * 3
        assert list(redactor.analyze_stream(iter(texts), batch_size=5)) == [redactor.analyze(text) for text in texts]

    def test_a_stream_is_read_as_its_results_are(self, redactor):
        read = []
        texts = (read.append(n) or f"pay {n}" for n in range(100))
        stream = redactor.analyze_stream(texts, batch_size=4)
        next(stream)
        assert len(read) == 4

    def test_each_text_of_a_batch_has_its_own_placeholders(self, patterns):
        first, second = patterns.redact_batch(["pay 4111111111111111", "pay 5500005555555559"])
        assert first.text == second.text == "pay <CREDIT_CARD_1>"
        assert first.placeholders != second.placeholders

    def test_another_policy_shares_the_models(self, patterns):
        lenient = patterns.with_policy(Policy.parse("name: mine\nentities: {CREDIT_CARD: keep}"))
        assert lenient.redact("pay 4111111111111111").text == "pay 4111111111111111"
        assert lenient.digest != patterns.digest == patterns.with_policy(patterns.policy).digest
        assert lenient._detectors == patterns._detectors


class TestLists:
    def test_a_policy_brings_its_own_lists(self, patterns):
        deny = "deny: [{values: [Project Falcon], type: CODE_NAME, reason: deal}]"
        allow = "allow: [{values: [help@bank.example], reason: ours, even_if_validated: true}]"
        listed = patterns.with_policy(Policy.parse(f"name: mine\n{deny}\n{allow}"))
        redacted = listed.redact("about project falcon, ask help@bank.example or ada@bank.example")
        assert redacted.text == "about <CODE_NAME_1>, ask help@bank.example or <EMAIL_ADDRESS_1>"
        assert listed.second_look(redacted) == []


class TestBadInput:
    def test_too_long_a_text_is_refused_with_both_numbers(self, redactor):
        strict = Redactor(redactor.policy, redactor._detectors, redactor._checkers, max_chars=10)
        assert strict.redact("x" * 10).text == "x" * 10
        for call in (strict.analyze, strict.redact, lambda t: list(strict.analyze_stream(["", t]))):
            with pytest.raises(TextTooLarge, match="has 11 characters, limit 10"):
                call("CANARY-7291")

    @pytest.mark.parametrize("wrong", [None, b"CANARY-7291", 7, ["CANARY-7291"]])
    def test_what_is_no_text_is_named_by_its_type_only(self, redactor, wrong):
        for call in (redactor.analyze, redactor.redact):
            with pytest.raises(InvalidText, match=f"got {type(wrong).__name__}$"):
                call(wrong)

    def test_one_text_is_no_batch(self, redactor):
        with pytest.raises(InvalidText, match="a sequence of texts is wanted, got one str"):
            redactor.analyze_batch("CANARY-7291")
        with pytest.raises(RedactionError, match="batch_size must be at least 1, got 0"):
            list(redactor.analyze_stream([], batch_size=0))

    def test_a_bad_text_in_a_batch_gives_nothing_at_all(self, redactor):
        with pytest.raises(InvalidText):
            redactor.redact_batch(["pay 4111111111111111", 7])


class TestSecondLook:
    def test_a_redacted_text_is_clean(self, redactor):
        assert redactor.second_look(redactor.redact(COMPLAINT)) == []

    def test_what_can_be_proven_is_found_between_placeholders(self, redactor):
        redacted = redactor.redact("pay Margaret Okonkwo")
        draft = replace(redacted, text="<PERSON_1> pays 4111111111111111 from DE89370400440532013000")
        assert [d.type for d in redactor.second_look(draft)] == ["CREDIT_CARD", "IBAN_CODE"]

    def test_a_placeholder_does_not_bridge_two_halves_of_a_number(self, redactor):
        redacted = Redacted("4111 1111 <A_1> 1111 1111", (), {"<A_1>": "x"}, {}, {})
        assert redactor.second_look(redacted) == []

    def test_what_the_policy_keeps_is_no_finding(self, redactor):
        policy = Policy.parse("name: mine\nentities: {CREDIT_CARD: keep}")
        lenient = Redactor(policy, redactor._detectors, redactor._checkers)
        redacted = Redacted("card 4111111111111111", (), {}, {}, {})
        assert lenient.second_look(redacted) == []
        assert redactor.second_look(redacted)


class Failing:
    name, version = "failing", "1"

    def detect(self, text: str) -> list[Detection]:
        raise ValueError(f"bad text {text}")


class TestFailClosed:
    def test_no_detector_is_no_redactor(self):
        with pytest.raises(RedactionError, match="at least one"):
            Redactor(Policy.builtin(), [], [])

    def test_a_failing_detector_fails_the_call_without_a_word_of_the_text(self, redactor):
        broken = Redactor(Policy.builtin(), [Failing()], [Failing()])
        for call in (broken.analyze, broken.redact):
            with pytest.raises(DetectionFailed, match="detector failing failed with ValueError") as caught:
                call("CANARY-7291")
            assert "CANARY-7291" not in str(caught.value)
            assert caught.value.__cause__ is caught.value.__context__ is None
        with pytest.raises(DetectionFailed):
            broken.second_look(redactor.redact("x"))

    def test_time_that_is_up_fails_the_call(self, redactor):
        hurried = Redactor(redactor.policy, redactor._detectors, redactor._checkers, budget_s=1e-4)
        with pytest.raises(DetectionFailed, match="ran out of time"):
            hurried.redact(COMPLAINT)

    def test_a_kept_date_does_not_take_a_birth_date_along(self, redactor):
        text = redactor.redact("She was born on 3 May 1980 and paid on 3 May 2024.").text
        assert "1980" not in text
        assert "3 May 2024" in text


def test_the_digest_changes_with_policy_detectors_and_models(redactor):
    def digest(policy=redactor.policy, detectors=redactor._detectors, models=None):
        return Redactor(policy, detectors, redactor._checkers, models=models or {"m": "0"}).digest

    variants = {
        digest(),
        digest(policy=Policy.parse("name: other")),
        digest(detectors=redactor._detectors[1:]),
        digest(models={"m": "1"}),
        redactor.digest,
    }
    assert len(variants) == 5
    assert digest() == digest()
    assert re.fullmatch("[0-9a-f]{64}", redactor.digest)


def test_threads_get_the_same_answers(redactor):
    expected = redactor.redact(COMPLAINT)
    answers: list[Redacted] = []

    def work():
        answers.extend(redactor.redact(COMPLAINT) for _ in range(4))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [expected] * 8
