"""The guard on a draft: an identifier is withheld, and streaming holds back no more than it must."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction import Policy, Redacted, Redactor
from redaction.detection import Detection
from redaction.guard import HOLD_BACK_CHARS, STEP_CHARS, LeakFound, StreamGuard, check
from redaction.recognizers import RECOGNIZERS
from redaction.recognizers.scan import Recognizers

CARD = "4111 1111 1111 1111"


def look(text: str) -> list[Detection]:
    """A detector small enough to know: sixteen digits in fours."""
    return [Detection(m.start(), m.end(), "CREDIT_CARD", 1.0, "test") for m in re.finditer(r"\d{4}(?: \d{4}){3}", text)]


class TestCheck:
    def test_a_finding_is_raised_by_type_only(self):
        """The message has no digit of it."""
        with pytest.raises(LeakFound) as leak:
            check(f"your card {CARD} is", look)
        assert leak.value.types == ("CREDIT_CARD",)
        assert "4111" not in str(leak.value)

    def test_ordinary_text_passes(self):
        """Numbers that are nothing are nothing."""
        check("a fee of GBP 35.00 on 3 May", look)


class TestStreamGuard:
    @given(st.text(alphabet="ab 1@\n<>_", max_size=200), st.lists(st.integers(1, 9), max_size=60))
    def test_what_goes_in_comes_out(self, text, sizes):
        """Whatever the chunks, the pieces add up to the text when there is nothing to find."""
        guard, out, at = StreamGuard(lambda _: []), "", 0
        for size in sizes:
            out += guard.feed(text[at : at + size])
            at += size
        assert out + guard.feed(text[at:]) + guard.close() == text

    @pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 19, 100])
    @pytest.mark.parametrize("lead", ["", "Dear customer, your card ", "x" * 60 + " ", "1 2 3 4 5 6 7 8 9 "])
    def test_no_digit_of_a_finding_gets_out(self, size, lead):
        """In chunks of any size, the card is stopped before its first digit."""
        guard, out = StreamGuard(look), ""
        text = f"{lead}{CARD} was charged."
        with pytest.raises(LeakFound):
            for at in range(0, len(text), size):
                out += guard.feed(text[at : at + size])
            out += guard.close()
        assert "4111" not in out
        assert lead.startswith(out)

    def test_ordinary_words_wait_for_a_line_at_most(self):
        """The first words go out at once, without the last, which may go on; later ones by the line."""
        guard = StreamGuard(look)
        assert guard.feed("We are sorry for the del") == "We are sorry for the "
        given, said = len("We are sorry for the "), 24
        for word in ["ay in", *[" the settlement"] * 40]:
            said += len(word)
            given += len(guard.feed(word))
            assert said - given <= STEP_CHARS + len(" the settlement")
        assert given + len(guard.close()) == said

    def test_a_number_long_past_is_let_go(self):
        """The hold-back is bounded."""
        guard = StreamGuard(look)
        assert guard.feed("fee 35.00") == "fee "
        assert guard.feed(" " + "and so on " * 10).startswith("35.00")
        assert len(guard.close()) <= HOLD_BACK_CHARS

    @pytest.mark.parametrize(
        "secret",
        [
            "MT84 M A L T 0 1 1 0 0 0 0 1 2 3 4 5 M T L C A S T 0 0 1 S",  # as long as an IBAN can be drawn out
            "BIC: DEUTDEFF",  # neither a digit nor an @
        ],
    )
    @pytest.mark.parametrize("size", [1, 4, 100])
    def test_what_the_real_patterns_know_is_stopped_before_it_begins(self, secret, size):
        """The longest one, and the one that is letters only."""
        recognizers = [RECOGNIZERS.get(name)() for name in ("iban", "bic")]
        guard = StreamGuard(lambda draft: [d for recognizer in recognizers for d in recognizer.detect(draft)])
        text, out = f"it goes to {secret} and that is what we know about it, with kind regards", ""
        with pytest.raises(LeakFound):
            for at in range(0, len(text), size):
                out += guard.feed(text[at : at + size])
            guard.close()
        assert "it goes to BIC: ".startswith(out)

    @pytest.mark.parametrize(
        "secret",
        [
            "four one one one " + "one one one one " * 3,
            "NDExMTExMTExMTExMTExMQ==",
            "４１１１　１１１１　１１１１　１１１１",
            "4\u200b111111111111111",
            "4111<b>1111</b>11111111",
        ],
    )
    @pytest.mark.parametrize("size", [1, 5, 100])
    def test_a_disguised_card_is_stopped_before_it_begins(self, secret, size):
        """Spelled out, wrapped, or in other digits."""
        recognizers = Recognizers()
        redactor = Redactor(Policy.builtin(), [recognizers], [recognizers])
        guard = StreamGuard(lambda draft: redactor.second_look(Redacted(draft, (), {}, {}, {})))
        text, out = f"it goes to {secret} and that is what we know about it, with kind regards from us", ""
        with pytest.raises(LeakFound):
            for at in range(0, len(text), size):
                out += guard.feed(text[at : at + size])
            guard.close()
        assert "it goes to ".startswith(out)

    def test_a_part_of_a_longer_number_is_not_taken_for_a_whole_one(self):
        """The window begins with a word."""
        guard = StreamGuard(lambda text: [Detection(0, 1, "X", 1.0, "t")] if text.startswith("1111") else [])
        text = "ref 2" + "1" * 200 + " end"
        assert "".join(guard.feed(char) for char in text) + guard.close() == text
