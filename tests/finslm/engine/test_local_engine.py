"""The real engine on a tiny random model: batches, adapters, limits, failures, memory."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from finslm.engine.local import LocalEngine
from finslm.engine.runner import Logits, Part
from finslm.engine.torch_runner import TorchRunner
from finslm.errors import ConfigError, EngineUnavailable, InvalidRequest, PromptTooLong
from finslm.types import FinishReason, Message, Prompt, SamplingParams, TokenChunk
from redaction.text import RedactedText

ADAPTER_LABELS = {"alpha", "beta", "gamma"}
TEXTS = ("a", "The transfer of <AMOUNT_1> did not arrive. " * 3, "Why?", "Please close my account. " * 8)


def prompt(text: str, prefill: str = "") -> Prompt:
    return Prompt((Message("user", RedactedText(text)),), RedactedText(prefill))


async def answer(engine: LocalEngine, text: str, prefill: str = "", **params: Any) -> tuple[str, list[TokenChunk]]:
    chunks = [c async for c in engine.generate(prompt(text, prefill), SamplingParams(**{"max_tokens": 40, **params}))]
    return "".join(chunk.text for chunk in chunks), chunks


class TestBatches:
    async def test_an_answer_does_not_depend_on_who_shares_the_batch(self, engine: LocalEngine) -> None:
        alone = [(await answer(engine, text, max_tokens=20 + 7 * n))[0] for n, text in enumerate(TEXTS)]
        together = await asyncio.gather(
            *(answer(engine, text, max_tokens=20 + 7 * n) for n, text in enumerate(TEXTS)),
            engine.classify(prompt("x"), "toy"),
        )
        assert [text for text, _ in together[:-1]] == alone

    async def test_requests_share_one_forward_pass(self, engine: LocalEngine) -> None:
        start = engine.statistics()
        await asyncio.gather(*(answer(engine, text) for text in TEXTS))
        done = engine.statistics()
        assert done.decode_tokens - start.decode_tokens <= 4 * 40
        assert done.steps - start.steps < 2 * 40

    async def test_a_late_request_joins_answers_in_progress(self, engine: LocalEngine) -> None:
        expected = [(await answer(engine, text))[0] for text in TEXTS[:2]]
        first = engine.generate(prompt(TEXTS[0]), SamplingParams(max_tokens=40))
        begun = await anext(first)
        late, _ = await answer(engine, TEXTS[1])
        rest = [chunk.text async for chunk in first]
        assert [begun.text + "".join(rest), late] == expected

    async def test_a_seed_gives_the_same_text_alone_and_in_a_full_batch(self, engine: LocalEngine) -> None:
        warm = {"temperature": 0.9, "top_p": 0.95, "top_k": 40, "seed": 11}
        alone, _ = await answer(engine, TEXTS[1], **warm)
        together = await asyncio.gather(
            *(answer(engine, TEXTS[1], **warm), *(answer(engine, t, temperature=1.3) for t in TEXTS))
        )
        assert together[0][0] == alone

    async def test_the_engine_writes_what_transformers_writes(self, engine: LocalEngine, tiny_dir: Path) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(tiny_dir)
        model = AutoModelForCausalLM.from_pretrained(tiny_dir, dtype=torch.float32)
        turns = [{"role": "user", "content": TEXTS[1]}]
        inputs = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with torch.inference_mode():
            output = model.generate(**inputs, max_new_tokens=40, do_sample=False)
        reference = tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        assert (await answer(engine, TEXTS[1]))[0] == reference.rstrip("\ufffd")


class TestAnswers:
    async def test_the_prefill_is_part_of_the_answer(self, engine: LocalEngine) -> None:
        text, chunks = await answer(engine, "x", prefill='{"a')
        assert text.startswith('{"a')
        assert sum(chunk.token_count for chunk in chunks) <= 40

    async def test_a_stop_string_ends_the_answer_before_itself(self, engine: LocalEngine) -> None:
        whole, _ = await answer(engine, TEXTS[1])
        stop = whole[5:8]
        text, chunks = await answer(engine, TEXTS[1], stop=(stop,))
        assert text == whole[: whole.index(stop)]
        assert chunks[-1].finish_reason is FinishReason.STOP

    async def test_every_token_is_counted_once(self, engine: LocalEngine) -> None:
        _, chunks = await answer(engine, TEXTS[1], max_tokens=17)
        assert chunks[-1].finish_reason is FinishReason.LENGTH
        assert sum(chunk.token_count for chunk in chunks) == 17

    async def test_parameters_out_of_range_are_refused(self, engine: LocalEngine) -> None:
        with pytest.raises(InvalidRequest, match="max_tokens"):
            await answer(engine, "x", max_tokens=513)

    async def test_a_prompt_over_the_window_is_refused_with_counts(self, engine: LocalEngine) -> None:
        tokens = engine.count_tokens(prompt("y" * 600))
        with pytest.raises(PromptTooLong, match=f"{tokens} tokens and 40 .* limit of 512"):
            await answer(engine, "y" * 600)


class TestClassification:
    async def test_labels_come_by_falling_probability(self, engine: LocalEngine) -> None:
        scores, tokens = await engine.classify(prompt("hello"), "toy")
        assert {score.label for score in scores} == ADAPTER_LABELS
        assert [s.score for s in scores] == sorted((s.score for s in scores), reverse=True)
        assert sum(s.score for s in scores) == pytest.approx(1, abs=1e-5)
        assert tokens == 6  # five letters and the end token

    async def test_padding_of_a_shared_prefill_changes_nothing(self, engine: LocalEngine) -> None:
        texts = [f"{'long ' * n}question {n}" for n in range(6)]
        alone = [(await engine.classify(prompt(text), "toy"))[0] for text in texts]
        together = await asyncio.gather(*(engine.classify(prompt(text), "toy") for text in texts))
        for one, (other, _) in zip(alone, together, strict=True):
            assert [s.label for s in one] == [s.label for s in other]
            assert [s.score for s in one] == pytest.approx([s.score for s in other], abs=1e-5)

    async def test_a_text_longer_than_the_adapter_was_trained_on_is_refused(self, engine: LocalEngine) -> None:
        with pytest.raises(PromptTooLong, match="101 tokens .* limit of 64"):
            await engine.classify(prompt("z" * 100), "toy")

    async def test_control_tokens_in_the_text_are_text(self, engine: LocalEngine) -> None:
        _, tokens = await engine.classify(prompt("<|im_end|>"), "toy")
        assert tokens == len("<|im_end|>") + 1

    async def test_a_conversation_is_refused(self, engine: LocalEngine) -> None:
        with pytest.raises(InvalidRequest, match="one message"):
            await engine.classify(Prompt(prompt("a").messages * 2), "toy")

    async def test_generation_is_the_same_bit_for_bit_with_adapters_loaded(
        self, engine: LocalEngine, build: Callable[..., LocalEngine], runner: str
    ) -> None:
        bare = build(runner=runner)
        await bare.start()
        try:
            await engine.classify(prompt("x"), "toy")
            part = Part(list(range(3, 60)), 0, [3, 1, 2, 0], wanted=1)
            with_adapters, without = (e._parts.runner.step([part]).copy() for e in (engine, bare))  # type: ignore[union-attr]
            assert np.array_equal(with_adapters, without)
            assert (await answer(engine, TEXTS[1]))[0] == (await answer(bare, TEXTS[1]))[0]
        finally:
            await bare.close()

    async def test_the_torch_classifier_holds_no_second_set_of_base_weights(self, engine: LocalEngine) -> None:
        runner = engine._parts.runner  # type: ignore[union-attr]
        if not isinstance(runner, TorchRunner):
            pytest.skip("of torch only")
        base = {p.data_ptr() for p in runner._model.parameters()}
        (module,) = (each.module for each in runner._classifiers.values())
        own = [name for name, p in module.named_parameters() if p.data_ptr() not in base]
        assert own
        assert all("lora_" in name or "score" in name for name in own)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux only")
async def test_what_computes_gives_way_to_what_answers(engine: LocalEngine) -> None:
    """The worker and whatever threads its libraries started under it; nobody else."""
    await answer(engine, "hello", max_tokens=4)
    worker = engine._worker
    assert worker is not None
    assert worker.native_id is not None
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())  # above 0 where the tests themselves give way
    assert os.getpriority(os.PRIO_PROCESS, worker.native_id) > own


class TestMemory:
    async def test_nothing_is_held_after_many_requests(self, engine: LocalEngine) -> None:
        for _ in range(15):
            await asyncio.gather(*(answer(engine, text, max_tokens=8) for text in TEXTS))
        while engine.statistics().running:
            await asyncio.sleep(0.01)
        await answer(engine, "x", max_tokens=1)
        await asyncio.sleep(0.05)
        gc.collect()
        done = engine.statistics()
        assert (done.running, done.waiting, done.cache_used) == (0, 0, 0.0)

    async def test_an_abandoned_answer_gives_its_row_back(self, engine: LocalEngine) -> None:
        answering = engine.generate(prompt("x"), SamplingParams(max_tokens=400))
        await anext(answering)
        await answering.aclose()
        await answer(engine, "y", max_tokens=1)
        await asyncio.sleep(0.05)
        assert engine.statistics().cache_used == 0.0
        assert engine.statistics().decode_tokens < 400


class TestFailure:
    async def test_a_failing_step_fails_everybody_and_shows_no_text(
        self, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def broken(_: object) -> None:
            raise RuntimeError("canary-4111")

        monkeypatch.setattr(engine._parts.runner, "step", broken)  # type: ignore[union-attr]
        results = await asyncio.gather(*(answer(engine, text) for text in TEXTS), return_exceptions=True)
        assert [type(result) for result in results] == [EngineUnavailable] * 4
        assert not engine.healthy
        with pytest.raises(EngineUnavailable):
            await answer(engine, "again")
        shown = capsys.readouterr()
        assert "canary" not in f"{results}{shown.out}{shown.err}"

    async def test_numbers_that_are_not_finite_fail_one_request_only(
        self, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runner = engine._parts.runner  # type: ignore[union-attr]
        step = runner.step
        poisoned = engine.count_tokens(prompt("poison"))

        def sometimes(parts: Sequence[Part]) -> Logits:
            logits = step(parts).copy()
            bad = [len(part.tokens) == poisoned for part in parts]
            logits[np.repeat(bad, [part.wanted for part in parts])] = np.nan
            return logits

        expected, _ = await answer(engine, TEXTS[1])
        monkeypatch.setattr(runner, "step", sometimes)
        bad, good = await asyncio.gather(answer(engine, "poison"), answer(engine, TEXTS[1]), return_exceptions=True)
        assert isinstance(bad, EngineUnavailable)
        assert not isinstance(good, BaseException)
        assert good[0] == expected
        assert engine.healthy

    async def test_a_folder_without_a_model_refuses_the_start(self, engine: LocalEngine, tmp_path: Path) -> None:
        broken = LocalEngine(tmp_path, engine.model, {}, engine._settings)
        with pytest.raises(ConfigError, match="models pull"):
            await broken.start()
        assert not broken.healthy
        await broken.close()

    async def test_an_adapter_of_other_weights_refuses_the_start(
        self, engine: LocalEngine, adapter_dir: Path, tmp_path: Path
    ) -> None:
        from finslm.testing import write_tiny_model

        other = LocalEngine(
            write_tiny_model(tmp_path, seed=5), engine.model, {"toy": (adapter_dir, engine.model)}, engine._settings
        )
        with pytest.raises(ConfigError, match="trained on weights"):
            await other.start()

    async def test_loading_may_begin_before_the_start(self, build: Callable[..., LocalEngine]) -> None:
        engine = build()
        engine.begin()
        with pytest.raises(EngineUnavailable, match="make a new one"):
            engine.begin()
        await engine.start()
        assert (await answer(engine, "a"))[0]
        await engine.close()

    async def test_what_was_begun_can_be_abandoned(self, build: Callable[..., LocalEngine], tmp_path: Path) -> None:
        for engine in (build(), LocalEngine(tmp_path, build().model, {}, build()._settings)):  # the other cannot load
            engine.begin()
            engine.abandon()
            assert engine._worker is not None
            assert not engine._worker.is_alive()
            with pytest.raises(EngineUnavailable):
                await engine.start()
        never_begun = build()
        never_begun.abandon()
        with pytest.raises(EngineUnavailable):
            await never_begun.start()

    async def test_closing_fails_what_is_in_progress(self, build: Callable[..., LocalEngine]) -> None:
        engine = build()
        await engine.start()
        answering = asyncio.create_task(answer(engine, "x", max_tokens=400))
        while not engine.statistics().running:
            await asyncio.sleep(0.001)
        await engine.close()
        with pytest.raises(EngineUnavailable, match="closed"):
            await answering
