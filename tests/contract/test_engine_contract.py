"""What every engine promises, the fake included: :class:`finslm.engine.base.Engine`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from finslm.config import EngineSettings
from finslm.engine.base import Engine
from finslm.engine.local import LocalEngine
from finslm.errors import (
    DeadlineExceeded,
    EngineUnavailable,
    FinslmError,
    InvalidRequest,
    Overloaded,
    PromptTooLong,
    UnknownAdapter,
)
from finslm.testing import EchoEngine, write_tiny_encoder, write_tiny_model
from finslm.types import FinishReason, Message, ModelIdentity, Prompt, SamplingParams
from redaction.text import RedactedText

LONG = SamplingParams(max_tokens=400)
SETTINGS = EngineSettings.model_validate(
    {"weights": "float32", "threads": 1, "max_batch": 1, "max_queue": 1, "max_context_tokens": 500}
)
Build = Callable[[], Engine]


def prompt(text: str = "one two three", prefill: str = "") -> Prompt:
    return Prompt((Message("user", RedactedText(text)),), RedactedText(prefill))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(params=["echo", "openvino", "torch"])
def build(request: pytest.FixtureRequest, tiny: Path, encoder: Path) -> Build:
    if request.param == "echo":
        return lambda: EchoEngine(chunks=["word "] * 450, settings=SETTINGS, step_s=0.002)
    settings = SETTINGS.model_copy(update={"runner": request.param})
    return lambda: LocalEngine(tiny, ModelIdentity("tiny", "0" * 64), {}, settings, encoder_dir=encoder)


@pytest.fixture
async def engine(build: Build) -> AsyncIterator[Engine]:
    made = build()
    await made.start()
    yield made
    await made.close()


async def drain(engine: Engine, params: SamplingParams = LONG, deadline: float | None = None, text: str = "x") -> str:
    return "".join([c.text async for c in engine.generate(prompt(text), params, deadline=deadline)])


async def test_the_last_chunk_and_only_it_says_why_it_ended(engine: Engine) -> None:
    chunks = [chunk async for chunk in engine.generate(prompt(), SamplingParams(max_tokens=12))]
    assert [chunk.finish_reason is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].finish_reason in {FinishReason.STOP, FinishReason.LENGTH}
    assert sum(chunk.token_count for chunk in chunks) <= 12


async def test_the_prefill_opens_the_answer(engine: Engine) -> None:
    chunks = [chunk async for chunk in engine.generate(prompt(prefill="{"), SamplingParams(max_tokens=5))]
    assert "".join(chunk.text for chunk in chunks).startswith("{")


async def test_greedy_answers_repeat(engine: Engine) -> None:
    params = SamplingParams(max_tokens=20)
    assert await drain(engine, params) == await drain(engine, params)


async def test_a_passed_deadline_ends_a_running_request(engine: Engine) -> None:
    with pytest.raises(DeadlineExceeded):
        await drain(engine, deadline=time.monotonic() + 0.03)


async def test_a_passed_deadline_ends_a_queued_request(engine: Engine) -> None:
    running = engine.generate(prompt(), LONG)
    await anext(running)
    with pytest.raises(DeadlineExceeded):
        await drain(engine, deadline=time.monotonic() + 0.02)
    await running.aclose()


async def test_a_deadline_already_passed_yields_nothing(engine: Engine) -> None:
    with pytest.raises(DeadlineExceeded):
        await drain(engine, deadline=time.monotonic() - 1)


async def test_a_full_queue_refuses_at_once_with_a_retry_hint(engine: Engine) -> None:
    running = engine.generate(prompt(), LONG)
    await anext(running)
    queued = asyncio.create_task(drain(engine))
    await asyncio.sleep(0.03)
    with pytest.raises(Overloaded) as refusal:
        await drain(engine)
    assert refusal.value.retry_after_s > 0
    queued.cancel()
    await running.aclose()
    assert await asyncio.wait_for(drain(engine, SamplingParams(max_tokens=3)), 10)


async def test_closing_the_iterator_frees_the_slot(engine: Engine) -> None:
    running = engine.generate(prompt(), LONG)
    await anext(running)
    await running.aclose()
    started = time.monotonic()
    await asyncio.wait_for(drain(engine, SamplingParams(max_tokens=2)), 10)
    assert time.monotonic() - started < 0.3


async def test_cancelling_the_task_frees_the_slot(engine: Engine) -> None:
    task = asyncio.create_task(drain(engine))
    await asyncio.sleep(0.03)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.wait_for(drain(engine, SamplingParams(max_tokens=2)), 10)


async def test_a_prompt_over_the_window_is_refused(engine: Engine) -> None:
    with pytest.raises(PromptTooLong, match="500"):
        await drain(engine, text="word " * 200)


async def test_parameters_out_of_range_are_refused(engine: Engine) -> None:
    with pytest.raises(InvalidRequest):
        await drain(engine, SamplingParams(temperature=-1))


async def test_an_unknown_adapter_is_refused_without_echoing_its_name(engine: Engine) -> None:
    with pytest.raises(UnknownAdapter) as refusal:
        await engine.classify(prompt(), "canary-name")
    assert "canary" not in str(refusal.value)


def labels(*texts: str) -> list[RedactedText]:
    return [RedactedText(text) for text in texts]


async def test_scores_of_labels_sum_to_one_and_fall(engine: Engine) -> None:
    scores, tokens = await engine.score(prompt(), labels("two", "card", "card payment"))
    assert {score.label for score in scores} == {"two", "card", "card payment"}
    assert [s.score for s in scores] == sorted((s.score for s in scores), reverse=True)
    assert sum(s.score for s in scores) == pytest.approx(1)
    assert all(s.logprob is not None for s in scores)
    assert tokens > engine.count_tokens(prompt())


async def test_the_order_of_labels_does_not_matter(engine: Engine) -> None:
    names = ("two", "card", "card payment")
    first, _ = await engine.score(prompt(), labels(*names))
    again, _ = await engine.score(prompt(), labels(*names[::-1]))
    assert [s.label for s in again] == [s.label for s in first]


@pytest.mark.parametrize("wrong", [[], ["a"], ["a", "a"], ["a", ""]])
async def test_labels_among_which_there_is_nothing_to_choose_are_refused(engine: Engine, wrong: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="labels"):
        await engine.score(prompt(), labels(*wrong))


async def test_a_passed_deadline_ends_a_scoring(engine: Engine) -> None:
    with pytest.raises(DeadlineExceeded):
        await engine.score(prompt(), labels("a", "b"), deadline=time.monotonic() - 1)


async def test_texts_are_read_in_their_order(engine: Engine) -> None:
    """The same text, the same states; marks at both ends of each, of an empty one too."""
    first, tokens = await engine.read(labels("two words", "", "card"))
    again, _ = await engine.read(labels("card"))
    assert tokens == sum(len(each.ids) for each in first)
    assert len(first[1].ids) == 2
    assert all(each.hidden.shape[0] == len(each.ids) for each in first)
    assert again[0].hidden == pytest.approx(first[2].hidden, abs=1e-4)


async def test_a_passed_deadline_ends_a_reading(engine: Engine) -> None:
    with pytest.raises(DeadlineExceeded):
        await engine.read(labels("a"), deadline=time.monotonic() - 1)


async def test_longer_prompts_count_more_tokens(engine: Engine) -> None:
    assert 0 < engine.count_tokens(prompt("one")) < engine.count_tokens(prompt("one two three"))


async def _generate(engine: Engine) -> object:
    return await drain(engine)


async def _classify(engine: Engine) -> object:
    return await engine.classify(prompt(), "toy")


async def _score(engine: Engine) -> object:
    return await engine.score(prompt(), labels("a", "b"))


async def _read(engine: Engine) -> object:
    return await engine.read(labels("a"))


@pytest.mark.parametrize("use", [_generate, _classify, _score, _read])
@pytest.mark.parametrize("closed", [False, True])
async def test_before_start_and_after_close_it_is_unavailable(
    build: Build, use: Callable[[Engine], Awaitable[object]], closed: bool
) -> None:
    engine = build()
    if closed:
        await engine.start()
        await engine.close()
        await engine.close()  # once more does nothing
    with pytest.raises(EngineUnavailable):
        await use(engine)


async def test_closing_fails_what_runs_and_what_waits(build: Build) -> None:
    engine = build()
    await engine.start()
    tasks = [asyncio.create_task(drain(engine)) for _ in range(2)]
    await asyncio.sleep(0.03)
    await engine.close()
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
    assert [type(result) for result in results] == [EngineUnavailable] * 2


async def test_the_fake_fails_as_told() -> None:
    failing = EchoEngine(failure=EngineUnavailable("down for the test"))
    await failing.start()
    with pytest.raises(FinslmError, match="down for the test"):
        await drain(failing)


async def test_the_fake_echoes_and_scores() -> None:
    fake = EchoEngine(labels={"toy": ["a", "b"]})
    await fake.start()
    assert await drain(fake, text="hello there") == "hello there"
    scores, tokens = await fake.classify(prompt("two words"), "toy")
    assert ([s.label for s in scores], tokens) == (["a", "b"], 2)
    assert sum(s.score for s in scores) == pytest.approx(1)
