"""How a text is read to be tagged, and how labels of its tokens become spans; the same numbers from every runner."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from finslm.config import EngineSettings
from finslm.engine.adapters import AdapterCard, weights_sha256
from finslm.engine.local import LocalEngine
from finslm.engine.ov_encoder import OpenVinoEncoder
from finslm.engine.tagging import OUTSIDE, Reading, candidates, in_windows, merged, read, windows
from finslm.engine.torch_encoder import TorchEncoder
from finslm.errors import ConfigError, UnknownAdapter
from finslm.testing import write_tiny_encoder
from finslm.types import Message, ModelIdentity, Prompt
from redaction.text import RedactedText

LABELS = (OUTSIDE, "B-t.a", "I-t.a", "B-t.b", "I-t.b")
TEXT = "Pay EUR250 to <PERSON_1>\nIBAN\t<IBAN_CODE_12_ABCD2345>. Thanks, müller"


@pytest.fixture(scope="module")
def encoder_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def tagger_dir(encoder_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tagging adapter of random weights."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModel

    from finslm.engine.tagger import TokenTagger

    folder = tmp_path_factory.mktemp("tagger")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        backbone = AutoModel.from_pretrained(encoder_dir)
        backbone.pooler = None
        config = LoraConfig(r=4, target_modules=["query", "dense"], modules_to_save=["score"], init_lora_weights=False)
        module = TokenTagger(backbone, len(LABELS))
        wrapped = get_peft_model(module, config)
        torch.nn.init.normal_(module.score.modules_to_save["default"].weight, std=1.0)
    wrapped.save_pretrained(str(folder))
    AdapterCard(
        name="tags", base_model="tiny", base_weights_sha256=weights_sha256(encoder_dir), task="t", labels=LABELS,
        bidirectional=True, temperature=1.5, max_tokens=32, head="tag", overlap=8,
    ).write(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def tokenizer(encoder_dir: Path) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast.from_pretrained(encoder_dir)


class TestReading:
    def test_units_are_placeholders_words_numbers_and_marks(self, tokenizer: PreTrainedTokenizerFast) -> None:
        reading = read(tokenizer, TEXT)
        units = [TEXT[start:end] for start, end in reading.spans]
        assert units[:5] == ["Pay", "EUR", "250", "to", "<PERSON_1>"]
        assert "<IBAN_CODE_12_ABCD2345>" in units
        assert {"\n", "\t", "müller"} <= {*units}
        assert len(reading.ids) == len(reading.units)
        assert sorted(set(reading.units)) == list(range(len(units)))

    def test_the_number_of_a_placeholder_is_not_read(self, tokenizer: PreTrainedTokenizerFast) -> None:
        assert read(tokenizer, "<PERSON_1> x").ids == read(tokenizer, "<PERSON_27_ABCD2345> x").ids

    def test_no_control_token_comes_from_the_text(self, tokenizer: PreTrainedTokenizerFast) -> None:
        ids = read(tokenizer, "[SEP] [CLS] a [PAD]").ids
        assert not {tokenizer.sep_token_id, tokenizer.cls_token_id, tokenizer.pad_token_id} & {*ids}

    @pytest.mark.parametrize("text", ["", " ", "\u00a0 "])
    def test_a_text_without_a_word_has_no_units(self, tokenizer: PreTrainedTokenizerFast, text: str) -> None:
        assert not [unit for unit in read(tokenizer, text).spans if text[slice(*unit)].strip()]

    @settings(max_examples=30, deadline=None)
    @given(st.text(alphabet="ab1.<>_ \n\tPERSON", max_size=60))
    def test_units_are_in_order_and_apart(self, text: str) -> None:
        reading = read(_letters(), text)
        ends = [0, *(end for _, end in reading.spans)]
        assert all(start >= before and end > start for before, (start, end) in zip(ends, reading.spans, strict=False))


class TestWindows:
    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.integers(1, 4), min_size=1, max_size=60), st.integers(8, 20), st.integers(0, 4))
    def test_every_token_is_in_a_window_and_none_is_too_long(self, sizes: list[int], most: int, overlap: int) -> None:
        reading = _of_sizes(sizes)
        parts = windows(reading, most, overlap)
        assert {place for start, end in parts for place in range(start, end)} == set(range(len(reading.ids)))
        assert all(0 < end - start <= most for start, end in parts)

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.integers(1, 4), min_size=1, max_size=60), st.integers(8, 20))
    def test_windows_put_together_give_what_one_would(self, sizes: list[int], most: int) -> None:
        reading = _of_sizes(sizes)
        whole = np.random.default_rng(1).normal(size=(len(reading.ids), 3)).astype(np.float32)
        parts = windows(reading, most, 4)
        together = merged(reading, parts, [whole[start:end] for start, end in parts])
        alone = merged(reading, [(0, len(reading.ids))], [whole])
        np.testing.assert_allclose(together, alone, rtol=1e-5)


class TestCandidates:
    SCORES = np.log(
        np.array([[0.9, 0.05, 0.03, 0.01, 0.01], [0.1, 0.3, 0.5, 0.05, 0.05], [0.2, 0.1, 0.6, 0.05, 0.05]])
    ).astype(np.float32)

    def test_every_span_that_begins_where_its_field_may(self) -> None:
        """``I-a`` is the likeliest label of the second unit, but only ``B-a`` begins a value."""
        found = candidates(_of_sizes([1, 1, 1]), self.SCORES, LABELS, ["t.a"], 1.0)
        assert [(span.start, span.end) for span in found] == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
        assert all(0 < span.score < 1 and span.field == "t.a" for span in found)
        assert max(found, key=lambda span: span.gain) in found[2:5]

    def test_what_goes_on_is_no_whole_value(self) -> None:
        scores = np.log(np.array([[0.01, 0.97, 0.01, 0.005, 0.005], [0.01, 0.01, 0.97, 0.005, 0.005]]))
        half, whole = candidates(_of_sizes([1, 1]), scores.astype(np.float32), LABELS, ["t.a"], 1.0)[:2]
        assert whole.score > 0.9 > 0.1 > half.score
        assert whole.gain > half.gain > 0

    def test_fields_that_are_not_asked_for_have_no_share(self) -> None:
        reading, scores = _of_sizes([1]), np.log(np.array([[0.2, 0.001, 0.1, 0.5, 0.1]])).astype(np.float32)
        assert [span.field for span in candidates(reading, scores, LABELS, ["t.a", "t.b"], 1.0)] == ["t.b"]
        (alone,) = candidates(reading, scores, LABELS, ["t.b"], 1.0)
        assert alone.score == pytest.approx(0.5 / 0.8, abs=1e-3)

    def test_what_is_unlikely_is_left_out(self) -> None:
        scores = np.log(np.array([[0.998, 0.0005, 0.0005, 0.0005, 0.0005]])).astype(np.float32)
        assert candidates(_of_sizes([1]), scores, LABELS, ["t.a", "t.b"], 1.0) == []

    def test_an_unknown_field_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"no label B-t\.c"):
            candidates(_of_sizes([1]), np.zeros((1, 5), np.float32), LABELS, ["t.c"], 1.0)


def test_both_runners_give_the_same_numbers(encoder_dir: Path, tagger_dir: Path, tokenizer) -> None:
    """Also where texts of other lengths share a batch; 8-bit matrices come close."""
    card = AdapterCard.read(tagger_dir)
    rows = [row for text in (TEXT, "a b", "x" * 20) for row in in_windows(tokenizer, text, card).windows]
    jobs = [("k", row) for row in rows]
    results = {}
    for name, encoder in (
        ("float32", OpenVinoEncoder(encoder_dir, threads=1, quantised=False)),
        ("int8", OpenVinoEncoder(encoder_dir, threads=1, quantised=True)),
        ("torch", TorchEncoder(encoder_dir, 0)),
    ):
        encoder.adopt(encoder.prepare("k", tagger_dir))
        results[name] = encoder.tag(jobs)
        assert [len(logits) for logits in results[name]] == [len(row) - 2 for row in rows]
        encoder.forget("k")
    for exact, other, close in zip(results["torch"], results["float32"], results["int8"], strict=True):
        np.testing.assert_allclose(other, exact, atol=2e-3)
        np.testing.assert_allclose(close, exact, atol=0.6)


class TestEngine:
    @pytest.fixture(params=["openvino", "torch"])
    async def engine(self, request, tiny_dir: Path, encoder_dir: Path, tagger_dir: Path):
        chosen = EngineSettings.model_validate(
            {"weights": "float32", "threads": 1, "max_context_tokens": 512, "runner": request.param}
        )
        adapters = {"tags": (tagger_dir, ModelIdentity("tags", "1" * 64))}
        made = LocalEngine(tiny_dir, ModelIdentity("tiny", "0" * 64), adapters, chosen, encoder_dir=encoder_dir)
        await made.start()
        yield made
        await made.close()

    async def test_spans_hold_placeholders_whole(self, engine: LocalEngine) -> None:
        """In a text of several windows, and in one without a word."""
        text = TEXT * 5
        spans, tokens = await engine.tag(_prompt(text), "tags", ["t.a", "t.b"])
        assert spans
        assert tokens > 64
        assert spans == sorted(spans, key=lambda span: (span.start, span.end, span.field))
        for span in spans:
            value = text[span.start : span.end]
            assert value.count("<") == value.count(">")
        assert await engine.tag(_prompt(" "), "tags", ["t.a"]) == ([], 0)

    async def test_only_an_adapter_that_tags_does(self, engine: LocalEngine) -> None:
        with pytest.raises(UnknownAdapter, match="can tag is served; served: tags"):
            await engine.tag(_prompt("x"), "other", ["t.a"])
        with pytest.raises(UnknownAdapter, match="can classify is served; served: none"):
            await engine.classify(_prompt("x"), "tags")
        with pytest.raises(ConfigError, match="no label"):
            await engine.tag(_prompt("x"), "tags", ["t.c"])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"labels": ["O", "B-a"]}, "the labels of a tagger are O"),
        ({"overlap": 30}, "overlap must be up to half"),
        ({"head": "guess"}, "head must be classify or tag"),
    ],
)
def test_a_card_that_makes_no_sense_is_refused(tagger_dir: Path, tmp_path: Path, change, problem: str) -> None:
    card = json.loads((tagger_dir / "finslm_adapter.json").read_text())
    (tmp_path / "finslm_adapter.json").write_text(json.dumps(card | change))
    with pytest.raises(ConfigError, match=problem):
        AdapterCard.read(tmp_path)


def _prompt(text: str) -> Prompt:
    return Prompt((Message("user", RedactedText(text)),))


def _of_sizes(sizes: Sequence[int]) -> Reading:
    """Units of so many tokens, each one character."""
    units = [unit for unit, size in enumerate(sizes) for _ in range(size)]
    return Reading(list(range(len(units))), units, [(unit, unit + 1) for unit in range(len(sizes))])


@cache
def _letters() -> PreTrainedTokenizerFast:
    """A tokenizer of single characters."""
    from tokenizers import Tokenizer, models

    vocabulary = {letter: n for n, letter in enumerate(["[UNK]", *"ab1.<>_PERSON|¶"])}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]")), unk_token="[UNK]"
    )
