"""The generator of training text for the name classifier."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from finslm.train.names import generate, noise, prose
from finslm.train.names.compose import Composer
from finslm.train.names.grammar import BREAK, Grammar, Scene, assemble, digits
from finslm.train.names.makers import Makers
from finslm.train.names.people import romanised
from finslm.train.names.pools import pools
from finslm.train.names.sample import Sample
from finslm.train.names.slots import Slots
from redaction.ner.weights import shipped_models_dir

TYPES = {
    "PERSON", "LOCATION", "ORGANIZATION", "STREET_ADDRESS", "NRP", "DATE_TIME", "AGE", "PHONE_NUMBER", "ZIP_CODE",
    "US_DRIVER_LICENSE", "OTHER_ID",
}  # fmt: skip


@pytest.fixture(scope="module")
def makers(names_cache: Path) -> Makers:
    return Makers(names_cache)


@pytest.fixture(scope="module")
def samples(makers: Makers) -> list[Sample]:
    return list(generate.generate(3, 4000, makers=makers))


@pytest.fixture(scope="module")
def composer(tmp_path_factory: pytest.TempPathFactory) -> Composer:
    tokenizer = Tokenizer.from_file(str(shipped_models_dir() / "finance-names" / "tokenizer.json"))
    made = pools(tmp_path_factory.mktemp("templates") / "pools.json")
    return Composer(Slots(random.Random(1), made, tokenizer))


def _sound(sample: Sample) -> None:
    before = 0
    for start, end, _ in sample.spans:
        assert before <= start < end <= len(sample.text)
        assert sample.text[start:end] == sample.text[start:end].strip()
        before = end


class TestGenerate:
    def test_spans_lie_in_the_text_in_order_and_apart(self, samples):
        for sample in samples:
            _sound(sample)
            assert BREAK not in sample.text

    def test_every_type_occurs_and_no_other(self, samples):
        assert {type_ for sample in samples for *_, type_ in sample.spans} == TYPES

    def test_about_three_in_ten_hold_nothing(self, samples):
        assert 0.25 < sum(not sample.spans for sample in samples) / len(samples) < 0.38

    def test_a_seed_gives_the_same_again_and_another_something_else(self, makers, samples):
        assert list(generate.generate(3, 50, makers=makers)) == samples[:50]
        assert list(generate.generate(4, 50, makers=makers)) != samples[:50]

    def test_texts_hardly_ever_repeat(self, samples):
        assert len({sample.text for sample in samples}) > len(samples) * 0.97

    def test_without_pools_it_says_so(self):
        with pytest.raises(ValueError, match="folder of the pools"):
            next(generate.generate(1, 1))

    def test_the_command_writes_lines_of_json(self, makers, tmp_path, monkeypatch):
        monkeypatch.setattr(generate, "Makers", lambda _: makers)
        out = tmp_path / "out.jsonl"
        generate.main(["--count", "5", "--seed", "3", "--cache", str(tmp_path), "--out", str(out)])
        rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
        assert [set(row) for row in rows] == [{"text", "spans"}] * 5


class TestLabels:
    def test_titles_stand_outside_of_names(self, makers):
        for seed in range(50):
            (title, none), (_, type_) = makers.grammar.expand("slot_titled", Scene(random.Random(seed)))
            assert none is None
            assert type_ == "PERSON"
            assert title.strip() in makers.grammar.lines("title")

    def test_an_address_is_one_span_over_all_its_lines(self, makers):
        for seed in range(200):
            (_, type_), *rest = makers.grammar.expand("addr", Scene(random.Random(seed)))
            assert type_ == "STREET_ADDRESS"
            assert not rest

    def test_no_negative_holds_a_label(self, makers):
        for seed in range(500):
            for rule in ("negative", "machine"):
                assert not assemble(makers.grammar.expand(rule, Scene(random.Random(seed)))).spans

    @pytest.mark.parametrize(
        ("written", "latin"),
        [
            ("Щербаков", "Shcherbakov"),
            ("Παπαδόπουλος", "Papadopoulos"),
            ("აბაშიძე", "Abashidze"),
            ("Анна-Мария", "Anna-Mariya"),
        ],
    )
    def test_names_are_romanised_sound_for_sound(self, written, latin):
        assert romanised(written) == latin


class TestGrammar:
    def _grammar(self, tmp_path: Path, text: str) -> Grammar:
        file = tmp_path / "rules.txt"
        file.write_text(text, "utf-8")
        return Grammar([file], {"who": lambda scene: [(str(scene.rng.random()), "PERSON")]})

    def test_a_numbered_slot_says_the_same_each_time(self, tmp_path):
        grammar = self._grammar(tmp_path, ":: a\n{who1} {who1} {who2}")
        one, _, two, _, three = (text for text, _ in grammar.expand("a", Scene(random.Random(1))))
        assert one == two != three

    def test_a_typed_part_is_one_span_and_escapes_are_plain(self, tmp_path):
        grammar = self._grammar(tmp_path, ':: a\n{"k": \\[{PHONE_NUMBER:{~%#}-[x|x]}\\]}')
        sample = assemble(grammar.expand("a", Scene(random.Random(1))))
        ((start, end, type_),) = sample.spans
        assert sample.text[:start] + sample.text[end:] == '{"k": []}'
        assert type_ == "PHONE_NUMBER"
        assert sample.text[start:end].endswith("-x")

    @pytest.mark.parametrize("line", ["{nobody}", "<nothing> {no_rule}", "[a|b", "{PERSON:a"])
    def test_a_slip_in_a_rule_is_found_when_it_is_read(self, tmp_path, line):
        with pytest.raises(ValueError, match="no rule or slot|not closed"):
            self._grammar(tmp_path, f":: a\n{line}").check()

    def test_a_rule_may_not_stand_twice(self, tmp_path):
        with pytest.raises(ValueError, match="stands twice"):
            self._grammar(tmp_path, ":: a\nx\n:: a\ny")

    def test_digits_follow_their_pattern(self):
        text = digits("%#-??@", random.Random(2))
        assert text[0] in "123456789"
        assert text[1].isdigit()
        assert text[3:5].isupper()
        assert text[5].islower()


class TestNoise:
    def test_spans_keep_what_they_hold(self):
        sample = Sample("say  Ann Lee, now", ((5, 12, "PERSON"),))
        doubled = noise.rebuilt(sample, [char * 2 for char in sample.text])
        assert doubled.text[slice(*doubled.spans[0][:2])] == "AAnnnn  LLeeee"
        assert noise.rebuilt(sample, ["" if 5 <= at < 12 else char for at, char in enumerate(sample.text)]).spans == ()

    def test_spoiled_text_has_sound_spans(self, samples):
        rng = random.Random(5)
        for sample in samples[:1500]:
            _sound(noise.spoiled(sample, rng, share=0.9))


class TestProse:
    def test_sentences_labelled_by_people_keep_sound_spans(self, shared_data):
        found = prose.labelled(shared_data)
        assert len(found) > 3000
        for sample in found:
            _sound(sample)
        assert {"PERSON", "ORGANIZATION", "LOCATION"} <= {type_ for sample in found for *_, type_ in sample.spans}

    def test_roles_of_a_contract_are_nobody(self, shared_data):
        held = {s.text[a:b].lower() for s in prose.labelled(shared_data) for a, b, _ in s.spans}
        assert not held & {"lender", "borrower", "tenant", "employee"}

    def test_passages_are_of_the_promised_length_and_unmasked(self, shared_data):
        passages = prose.passages(shared_data, random.Random(1))
        assert len(passages) > 10_000
        assert all(60 <= len(text) <= 450 and "XX" not in text for text in passages)


class TestSwap:
    def test_names_are_replaced_and_spans_follow(self, composer):
        sample = Sample("Ann Lee of Leeds", ((0, 7, "PERSON"), (11, 16, "LOCATION")))
        assert composer.swap(sample, 0) == sample
        for _ in range(50):
            swapped = composer.swap(sample, 1)
            (a, b, one), (c, d, two) = swapped.spans
            assert (one, two) == ("PERSON", "LOCATION")
            assert swapped.text == f"{swapped.text[a:b]} of {swapped.text[c:d]}"
            assert a == 0
            assert d == len(swapped.text)

    def test_templates_give_sound_spans(self, composer):
        for _ in range(500):
            sample = composer.sample()
            assert all(0 <= a < b <= len(sample.text) for a, b, _ in sample.spans)
