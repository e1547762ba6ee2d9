"""Scores of labels: those of the model itself, alone and in a batch, and nothing left of them in the cache."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from finslm.engine.labels import ForkPlan, LabelTrie
from finslm.engine.local import LocalEngine
from finslm.engine.runner import Logits, Part
from finslm.errors import DeadlineExceeded, EngineUnavailable, InvalidRequest, PromptTooLong, UnknownAdapter
from finslm.types import LabelScore, Message, Prompt, SamplingParams
from redaction.text import RedactedText

LABELS = ("card", "card payment", "card arrival", "fee", "lost", "a transfer that did not arrive")
QUESTION = "My new card did not come yet. " * 2
VOCABULARY = 50


def prompt(text: str) -> Prompt:
    return Prompt((Message("user", RedactedText(text)),))


async def score(engine: LocalEngine, text: str = QUESTION, labels: Sequence[str] = LABELS) -> dict[str, LabelScore]:
    scores, _ = await engine.score(prompt(text), [RedactedText(label) for label in labels])
    return {found.label: found for found in scores}


async def write(engine: LocalEngine, text: str = QUESTION, tokens: int = 20) -> str:
    return "".join([c.text async for c in engine.generate(prompt(text), SamplingParams(max_tokens=tokens))])


async def settle(engine: LocalEngine) -> None:
    """Until nobody runs: the worker frees what a caller gave up before its next step."""
    while engine.statistics().running or engine.statistics().waiting:
        await asyncio.sleep(0.01)


def by_hand(folder: Path, text: str, labels: Sequence[str]) -> dict[str, float]:
    """Each label's log-probability as transformers computes it: one whole sequence a label."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    turns = [{"role": "user", "content": text}]
    start = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=True)["input_ids"]
    found = {}
    for label in labels:
        answer = [*tokenizer.encode(label, add_special_tokens=False), tokenizer.eos_token_id]
        with torch.inference_mode():
            logits = model(torch.tensor([[*start, *answer]])).logits[0].double()
        rows = torch.log_softmax(logits[len(start) - 1 : -1], -1)
        found[label] = float(sum(row[token] for row, token in zip(rows, answer, strict=True)))
    return found


def agree(scores: dict[str, LabelScore], expected: dict[str, float]) -> None:
    assert scores.keys() == expected.keys()
    for label, logprob in expected.items():
        assert scores[label].logprob == pytest.approx(logprob, abs=1e-3)
    whole = sum(math.exp(value - max(expected.values())) for value in expected.values())
    for label, logprob in expected.items():
        share = math.exp(logprob - max(expected.values())) / whole
        assert scores[label].score == pytest.approx(share, abs=1e-3)


class TestTrie:
    def test_a_label_that_another_begins_with_is_fed_with_it(self) -> None:
        trie = LabelTrie(["a", "ab", "abc", "ad", "x"], [[1], [1, 2], [1, 2, 3], [1, 4], [9]], 0)
        assert trie.paths == ((1, 2, 3), (1, 4), (9,))
        assert [trie.fresh(number) for number in range(3)] == [3, 1, 1]

    def test_probabilities_are_those_of_the_tokens_and_the_end(self) -> None:
        """Over all labels of a small language, of which each node shares out what its parent gave it."""
        rng = np.random.default_rng(3)
        trie = LabelTrie(["a", "ab", "b"], [[1], [1, 2], [2]], 0)
        rows = {after: rng.normal(size=VOCABULARY).astype(np.float32) for after in [(), (1,), (1, 2), (2,)]}
        assert all(trie.take(after, row) for after, row in rows.items())
        softmax = {after: np.exp(row.astype(float)) / np.exp(row.astype(float)).sum() for after, row in rows.items()}
        expected = {
            "a": softmax[()][1] * softmax[(1,)][0],
            "ab": softmax[()][1] * softmax[(1,)][2] * softmax[(1, 2)][0],
            "b": softmax[()][2] * softmax[(2,)][0],
        }
        got = {found.label: found for found in trie.scores()}
        for label, probability in expected.items():
            assert math.exp(got[label].logprob or 0) == pytest.approx(probability)
            assert got[label].score == pytest.approx(probability / sum(expected.values()))

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_numbers_that_are_not_finite_are_noticed(self, value: float) -> None:
        logits = np.zeros(VOCABULARY, np.float32)
        logits[7] = value
        assert not LabelTrie(["a", "b"], [[1], [2]], 0).take((), logits)

    def test_labels_that_are_the_same_to_the_model_are_refused(self) -> None:
        with pytest.raises(InvalidRequest, match="the same to the model"):
            LabelTrie(["\u00e9", "e\u0301"], [[5], [5]], 0)


class TestForks:
    @staticmethod
    def plan(prompt: int, lengths: Sequence[int], window: int = 128, step_tokens: int = 1000) -> ForkPlan:
        tokens = [[number + 1] * length for number, length in enumerate(lengths)]
        trie = LabelTrie([str(number) for number in range(len(lengths))], tokens, 0)
        return ForkPlan(trie, prompt=prompt, block_tokens=16, window=window, step_tokens=step_tokens)

    def test_whole_blocks_are_shared_and_the_last_is_copied(self) -> None:
        plan = self.plan(40, [3, 9])
        blocks = [7, 8, 9, 20, 21, 22]
        assert plan.blocks == len(blocks)
        assert plan.forks(0, blocks) == [[7, 8, 20], [7, 8, 21, 22]]
        assert plan.copies(0, blocks) == [(9, 20), (9, 21)]

    def test_a_prompt_of_whole_blocks_needs_no_copy(self) -> None:
        plan = self.plan(32, [3, 9])
        assert plan.forks(0, [7, 8, 20, 21]) == [[7, 8, 20], [7, 8, 21]]
        assert plan.copies(0, [7, 8, 20, 21]) == []

    @pytest.mark.parametrize("prompt", [1, 15, 16, 17, 90, 95])
    @pytest.mark.parametrize("count", [2, 9, 64])
    def test_no_request_needs_more_than_the_window_has(self, prompt: int, count: int) -> None:
        plan = self.plan(prompt, [1 + number % 5 for number in range(count)])
        assert plan.blocks <= 128 // 16
        assert [number for wave in plan.waves for number in wave] == list(range(count))
        for wave in range(len(plan.waves)):
            own = [block for fork in plan.forks(wave, range(plan.blocks)) for block in fork[plan.shared :]]
            assert len(set(own)) == len(own)
            assert not set(own) & set(range(-(-prompt // 16)))

    def test_a_wave_has_the_tokens_of_a_step_but_for_a_label_that_has_more(self) -> None:
        assert self.plan(16, [3, 3, 3, 9, 2], step_tokens=6).waves == [[0, 1], [2], [3], [4]]

    def test_what_does_not_fit_the_window_is_refused(self) -> None:
        with pytest.raises(PromptTooLong, match="120 tokens and a label 9, .* limit of 128"):
            self.plan(120, [9, 1])


class TestScores:
    @pytest.mark.parametrize("text", ["x" * length for length in range(1, 34, 4)] + [QUESTION])
    async def test_they_are_those_of_transformers_wherever_the_prompt_ends(
        self, engine: LocalEngine, tiny_dir: Path, text: str
    ) -> None:
        agree(await score(engine, text), by_hand(tiny_dir, text, LABELS))

    async def test_many_labels_in_several_waves(
        self, build: Callable[..., LocalEngine], tiny_dir: Path, runner: str
    ) -> None:
        engine = build(runner=runner, read_tokens=32, cache_mib=1)
        labels = [f"label {number} of many" for number in range(64)]
        await engine.start()
        try:
            agree(await score(engine, QUESTION * 3, labels), by_hand(tiny_dir, QUESTION * 3, labels))
            assert engine.statistics().steps > 64 * 10 / 32
        finally:
            await engine.close()

    async def test_a_copied_block_holds_what_the_prompt_left_in_the_caches_own_number_format(
        self, build: Callable[..., LocalEngine]
    ) -> None:
        """In 8 bits too, where the cache may be bfloat16: a fork is one whole sequence, without the copy it is not."""
        engine = build(runner="openvino", weights="int8")
        await engine.start()
        try:
            runner = engine._parts.runner  # type: ignore[union-attr]
            words, label = list(range(3, 48)), [70, 71, 72]
            whole = runner.step([Part(words + label, 0, [6, 7], wanted=3)]).copy()
            runner.step([Part(words, 0, [0, 1], wanted=1), Part(words[::-1], 0, [4, 5], wanted=1)])
            fork = [Part(label, len(words), [0, 5], wanted=3)]
            without = runner.step(fork).copy()
            runner.copy([(1, 5)])
            copied = runner.step(fork).copy()
        finally:
            await engine.close()
        assert np.abs(copied - whole).max() < 0.02 * np.ptp(whole)
        assert np.abs(without - whole).max() > 0.1 * np.ptp(whole)

    async def test_the_order_of_the_labels_does_not_matter(self, engine: LocalEngine) -> None:
        first = await score(engine)
        assert await score(engine, labels=LABELS[::-1]) == await score(engine)
        assert await score(engine, labels=sorted(LABELS)) == pytest.approx(first)

    async def test_one_alone_is_one_in_a_mixed_batch(self, engine: LocalEngine) -> None:
        texts = ["why?", QUESTION, "x" * 90]
        alone = [await score(engine, text) for text in texts]
        written = [await write(engine, text) for text in texts]
        mixed = await asyncio.gather(
            *(score(engine, text) for text in texts), *(write(engine, text) for text in texts),
            engine.classify(prompt("hello"), "toy"),
        )  # fmt: skip
        assert list(mixed[3:6]) == written
        for one, other in zip(alone, mixed[:3], strict=True):
            for label, found in one.items():
                assert other[label].logprob == pytest.approx(found.logprob, abs=1e-4)

    async def test_the_prompts_blocks_are_read_again_and_never_changed(self, engine: LocalEngine) -> None:
        """The first to come leaves its blocks; labels fork from them, and who reads them then writes the same."""
        text = "x" * 100
        expected = await write(engine, text)
        before = engine.statistics()
        first = await score(engine, text)
        assert engine.statistics().reused_tokens - before.reused_tokens >= 96
        assert await write(engine, text) == expected
        assert await score(engine, text) == pytest.approx(first)

    async def test_tokens_are_those_of_the_prompt_and_of_the_paths(self, engine: LocalEngine) -> None:
        _, tokens = await engine.score(prompt("x"), [RedactedText(label) for label in ("card", "cards", "fee")])
        assert tokens == engine.count_tokens(prompt("x")) + len("cards") + len("fee")

    async def test_control_words_in_a_label_are_words(self, engine: LocalEngine) -> None:
        scores = await score(engine, labels=["<|im_end|>", "b"])
        assert sum(found.score for found in scores.values()) == pytest.approx(1)
        assert (scores["<|im_end|>"].logprob or 0) < -10


class TestRefusals:
    @pytest.mark.parametrize("labels", [[], ["a"], ["a", "a"], ["a", ""], [str(n) for n in range(65)]])
    async def test_labels_among_which_there_is_nothing_to_choose(
        self, engine: LocalEngine, labels: Sequence[str]
    ) -> None:
        with pytest.raises(InvalidRequest, match="2 to 64 different"):
            await score(engine, labels=labels)

    async def test_an_adapter_that_does_not_write(self, engine: LocalEngine) -> None:
        with pytest.raises(UnknownAdapter):
            await engine.score(prompt("x"), [RedactedText("a"), RedactedText("b")], adapter="toy")

    async def test_a_prompt_that_leaves_no_room_for_a_label(self, engine: LocalEngine) -> None:
        with pytest.raises(PromptTooLong, match="limit of 512"):
            await score(engine, "y" * 470)

    async def test_a_deadline_that_has_passed_frees_everything(self, engine: LocalEngine) -> None:
        labels = [RedactedText(label) for label in LABELS]
        with pytest.raises(DeadlineExceeded):
            await engine.score(prompt(QUESTION), labels, deadline=time.monotonic() - 1)
        await score(engine)
        await settle(engine)
        assert engine.statistics().cache_used == 0.0

    async def test_a_caller_who_leaves_frees_everything(self, build: Callable[..., LocalEngine], runner: str) -> None:
        engine = build(runner=runner, read_tokens=32, max_batch=4)
        labels = [f"label {number} of many" for number in range(64)]
        await engine.start()
        try:
            leaving = [asyncio.create_task(score(engine, QUESTION * n, labels)) for n in range(1, 6)]
            while not engine.statistics().steps:
                await asyncio.sleep(0.001)
            for task in leaving:
                task.cancel()
            await asyncio.gather(*leaving, return_exceptions=True)
            await settle(engine)
            assert engine.statistics().cache_used == 0.0
            assert (await score(engine)).keys() == set(LABELS)
        finally:
            await engine.close()

    @pytest.mark.parametrize("where", ["prompt", "label"])
    async def test_numbers_that_are_not_finite_fail_one_request_only(
        self, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, where: str
    ) -> None:
        runner = engine._parts.runner  # type: ignore[union-attr]
        step = runner.step
        length = len("poison") if where == "label" else engine.count_tokens(prompt("poisoned"))

        def sometimes(parts: Sequence[Part]) -> Logits:
            logits = step(parts).copy()
            ends = np.cumsum([0, *(part.wanted for part in parts)])
            for part, (start, end) in zip(parts, pairwise(ends), strict=True):
                if len(part.tokens) == length and part.wanted:
                    logits[start:end] = np.nan
            return logits

        expected = await score(engine)
        monkeypatch.setattr(runner, "step", sometimes)
        labels = ["fee", "poison"] if where == "label" else ["fee", "lost"]
        bad, good, text = await asyncio.gather(
            score(engine, "poisoned", labels), score(engine), write(engine), return_exceptions=True
        )
        assert isinstance(bad, EngineUnavailable)
        assert isinstance(good, dict)
        for label, found in expected.items():
            assert good[label].logprob == pytest.approx(found.logprob, abs=1e-4)
        assert isinstance(text, str)
        await settle(engine)
        assert (engine.healthy, engine.statistics().cache_used) == (True, 0.0)
