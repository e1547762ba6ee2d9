"""Fingerprints of a request's values: what finds them in a draft, what does not, and what they hold."""

from __future__ import annotations

import gc
import pickle
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.guard import corpus
from redaction.guard import MARK, LeakFound, StreamGuard, Watch, forbidden, screen, watches
from redaction.leaks import CANARY, PROMPT, Fingerprints
from redaction.policy.answer import Answer, AnswerAction
from tests.pace import assert_linear

VALUES = corpus.values(Random(11), 40)
PRINTS = Fingerprints(VALUES)
NAME, CARD, IBAN = (next(text for type_, text in VALUES if type_ == t) for t in ("PERSON", "CREDIT_CARD", "IBAN_CODE"))
SYSTEM = (
    "You are the assistant of a bank. Answer in two sentences, never name a colleague, and close every letter kindly."
)

DISGUISES = sorted({*corpus.ANY, *corpus.NUMBERS, *corpus.PARTS, *corpus.NAMES})


def guard(action: AnswerAction = AnswerAction.MASK) -> StreamGuard:
    """One that knows the values."""
    return StreamGuard([Watch("leaks", PRINTS.find, action, PRINTS.pending)])


class TestRecall:
    @pytest.mark.parametrize("disguise", DISGUISES)
    def test_each_disguise_is_seen_through(self, disguise):
        """All planted values but one are found, with their type; `python -m benchmarks.guard` plants thousands."""
        rng = Random(disguise)
        fitting = [value for value in VALUES if disguise in corpus.disguises(value)]
        missed = []
        for type_, text in fitting:
            draft = corpus.planted(corpus.disguises((type_, text))[disguise](text, rng), rng)
            if type_ not in {found.type for found in PRINTS.find(draft)}:
                missed.append(type_)
        assert len(missed) <= 1, missed

    def test_there_are_more_than_twenty_disguises(self):
        """The corpus does not shrink unseen."""
        assert len(DISGUISES) >= 45

    @pytest.mark.parametrize("disguise", ["identical", "spaced", "reversed", "base64", "HTML entities", "zero width"])
    def test_the_finding_covers_all_of_the_disguise(self, disguise):
        """So that masking leaves nothing of it."""
        leak = corpus.ANY[disguise](CARD, Random(1))
        (found,) = PRINTS.find(f"it is {leak} as asked")
        assert (found.start, found.end) == (6, 6 + len(leak))


class TestFalseAlarms:
    def test_ordinary_answers_have_none(self):
        """Amounts, dates, references of others, tables."""
        rng = Random(5)
        assert sum(bool(PRINTS.find(corpus.clean(rng))) for _ in range(2000)) <= 2

    @pytest.mark.parametrize(
        "text",
        [
            "<PERSON_1> and <CREDIT_CARD_2>",
            f"1{CARD[:6]}",  # six digits in the middle of seven others
            f"{int(CARD[:6]):,}.00",
            f"{CARD[:6]}.50 pounds",
            f"0.{CARD[:6]}",
            "111111 123456 250000 202611",
            "",
            "\ud800 \ufdfa ﷺ ß İ",
        ],
    )
    def test_what_is_no_leak(self, text):
        """Placeholders, amounts that have the digits, numbers that stand everywhere, odd characters."""
        assert PRINTS.find(text) == []

    def test_what_the_model_was_shown_is_none(self):
        """It stood in the redacted prompt, because the policy keeps it or its detector missed it."""
        shown = PRINTS.without(f"the case of {NAME}, digits {CARD[:6]}")
        assert shown.find(NAME.upper()) == []
        assert shown.find(f"digits {CARD[:6]}") == []
        assert [found.type for found in shown.find(CARD)] == ["CREDIT_CARD"]
        assert PRINTS.find(NAME.upper())

    @pytest.mark.parametrize(
        "value", [("AGE", "42 years old"), ("LOCATION", "France"), ("PERSON", "Grace"), ("X", "7")]
    )
    def test_what_others_say_too_is_not_looked_for(self, value):
        """A country, an age, a word that is a name too."""
        assert Fingerprints([value]).find(f"so {value[1]} it is") == []


class TestWhatIsHeld:
    def test_no_value_is(self):
        """Nothing reachable from them has a value, a run of its digits, or a word of a name."""
        reachable, todo = [], [vars(Fingerprints(VALUES))]
        seen = set()
        while todo:
            thing = todo.pop()
            if id(thing) not in seen and not isinstance(thing, type):
                seen.add(id(thing))
                reachable += [thing] if isinstance(thing, str | bytes) else []
                todo += gc.get_referents(thing)
        held = " ".join(item if isinstance(item, str) else item.decode("latin-1") for item in reachable).lower()
        assert CARD[:6] not in held
        assert NAME.split()[1].lower() not in held
        assert NAME.split()[1].lower()[::-1] not in held

    def test_the_repr_has_numbers_only(self):
        """It may stand in a log."""
        assert repr(PRINTS).startswith("<Fingerprints of 40 values, ")
        assert not any(text in repr(PRINTS) for _, text in VALUES)

    def test_each_has_a_key_of_its_own(self):
        """The hashes of one request say nothing of another's."""
        a, b = Fingerprints(VALUES), Fingerprints(VALUES)
        assert pickle.dumps(sorted(a._known)) != pickle.dumps(sorted(b._known))
        assert not set(a._known) & set(b._known)


class TestEchoes:
    prints = Fingerprints(prompts=[SYSTEM], canaries=["kestrel-7741-vane"])

    @pytest.mark.parametrize("disguise", ["identical", "upper case", "spaced", "reversed", "ROT13", "base64"])
    def test_a_prompt_that_is_repeated_is_found(self, disguise):
        """Also a part of forty letters."""
        for text in (SYSTEM, SYSTEM[23:80]):
            (found,) = self.prints.find(f"My rules: {corpus.ANY[disguise](text, Random(1))} That is all.")
            assert found.type == PROMPT

    def test_a_canary_is_found(self):
        """Whole, in any disguise."""
        assert [found.type for found in self.prints.find("it says KESTREL 7741 VANE here")] == [CANARY]

    def test_a_few_words_of_a_prompt_are_not_an_echo(self):
        """Everybody says them."""
        assert self.prints.find("The assistant of a bank answers kindly.") == []


class TestActions:
    def test_mask_puts_a_mark(self):
        """The rest of the answer comes through."""
        text, report = screen(f"Card {CARD}, thank you.", [Watch("leaks", PRINTS.find, AnswerAction.MASK)])
        assert text == f"Card {MARK}, thank you."
        assert [(f.kind, f.type, f.action, f.count) for f in report] == [("leaks", "CREDIT_CARD", "mask", 1)]

    def test_flag_counts(self):
        """And changes nothing."""
        draft = f"Card {CARD} of {NAME}."
        text, report = screen(draft, [Watch("leaks", PRINTS.find, AnswerAction.FLAG)])
        assert text == draft
        assert {(f.type, f.count) for f in report} == {("CREDIT_CARD", 1), ("PERSON", 1)}

    def test_refuse_says_types_and_no_text(self):
        """The report has it too."""
        refusing = guard(AnswerAction.REFUSE)
        with pytest.raises(LeakFound, match="CREDIT_CARD") as leak:
            refusing.feed(f"Card {CARD} ")
            refusing.close()
        assert CARD[:4] not in str(leak.value)
        assert [f.action for f in refusing.report] == ["refuse"]

    def test_the_placeholders_of_forbidden_types_are_masked(self):
        """A longer type that begins alike is another."""
        look = forbidden(["BANK"])
        text, _ = screen("<BANK_1> <BANK_ACCOUNT_1>", [Watch("forbidden", look, AnswerAction.MASK)])
        assert text == f"{MARK} <BANK_ACCOUNT_1>"

    def test_a_policy_says_which(self):
        """Each kind of finding has its own action."""
        answer = Answer(leaks=AnswerAction.MASK, echoes=AnswerAction.FLAG, forbid=("PERSON",))
        watched = watches(answer, lambda _: [], PRINTS, TestEchoes.prints)
        text, report = screen(f"<PERSON_1> has {CARD}. {SYSTEM}", watched)
        assert text == f"{MARK} has {MARK}. {SYSTEM}"
        assert {(f.kind, str(f.action)) for f in report} == {
            ("leaks", "mask"),
            ("echoes", "flag"),
            ("forbidden", "mask"),
        }


def _disguised(value: tuple[str, str], seed: int) -> str:
    disguises = corpus.disguises(value)
    return disguises[sorted(disguises)[seed % len(disguises)]](value[1], Random(seed)) + " "


WORDS = ["The fee of ", "GBP 35.00 ", "on 3 May 2026, ", "<PERSON_1> ", "\n", "ref 12345 ", NAME[:7] + " "]
pieces = st.sampled_from(WORDS) | st.builds(_disguised, st.sampled_from(VALUES[:8]), st.integers(0, 1000))


class TestStream:
    @settings(max_examples=150, deadline=None)
    @given(st.lists(pieces, max_size=8).map("".join), st.lists(st.integers(1, 30), max_size=60))
    @pytest.mark.parametrize("action", list(AnswerAction))
    def test_every_split_gives_what_the_whole_gives(self, action, draft, sizes):
        """The same text and the same counts, or both refuse; and nothing of what is refused or masked got out."""

        def run(chunks: list[str]) -> tuple[str | None, object]:
            one = guard(action)
            try:
                return "".join(map(one.feed, chunks)) + one.close(), one.report
            except LeakFound:
                return None, None

        chunks, at = [], 0
        for size in sizes:
            chunks.append(draft[at : at + size])
            at += size
        assert run([*chunks, draft[at:]]) == run([draft])

    @pytest.mark.parametrize("disguise", sorted(corpus.ANY))
    @pytest.mark.parametrize("text", [NAME, IBAN])
    def test_nothing_of_a_disguise_gets_out_before_it_is_found(self, disguise, text):
        """Character by character."""
        leak = corpus.ANY[disguise](text, Random(1))
        refusing, out = guard(AnswerAction.REFUSE), ""
        with pytest.raises(LeakFound):
            for char in f"So this is what was asked for: {leak} and so on, with kind regards from all of us here":
                out += refusing.feed(char)
            refusing.close()
        assert "So this is what was asked for: ".startswith(out.rstrip('*["'))

    def test_ordinary_words_wait_for_some_letters_only(self):
        """The hold-back is the last word, and what begins like a value."""
        one = guard()
        out = one.feed("We are sorry for the delay in our ans")
        assert "We are sorry for the delay in our ".startswith(out)
        assert len(out) > 20


class TestTime:
    @pytest.mark.parametrize("unit", ["ordinary words ", "one two ", "QWxs ", "4111 ", "é ż ", "%41", "dead beef "])
    def test_it_grows_with_the_draft(self, unit):
        """Whatever it is full of."""
        assert_linear(lambda size: PRINTS.find(unit * (size // len(unit))))
