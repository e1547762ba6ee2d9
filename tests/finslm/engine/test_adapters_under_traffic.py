"""Adapters come, go and change while requests run: nobody ever gets another version than the one that was bound."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import shutil
import weakref
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from finslm.engine.local import LocalEngine
from finslm.errors import ConfigError, EngineUnavailable, Overloaded, UnknownAdapter
from finslm.types import LabelScore, Message, ModelIdentity, Prompt, SamplingParams
from redaction.text import RedactedText

Served = dict[str, tuple[Path, ModelIdentity]]
TEXTS = tuple(f"{n} Why did the transfer of <AMOUNT_1> to <PERSON_{n}> not arrive? " * (1 + n % 3) for n in range(6))
LABELS = [RedactedText(label) for label in ("card", "card payment", "fee")]


def prompt(text: str) -> Prompt:
    return Prompt((Message("user", RedactedText(text)),))


def served(name: str, folder: Path, digest: str) -> Served:
    return {name: (folder, ModelIdentity(name, digest * 64))}


async def answer(engine: LocalEngine, text: str, adapter: str = "", tenant: str = "t", tokens: int = 24) -> str:
    chunks = engine.generate(prompt(text), SamplingParams(max_tokens=tokens), adapter=adapter, tenant=tenant)
    return "".join([chunk.text async for chunk in chunks])


@pytest.fixture
async def engine(build: Callable[..., LocalEngine], runner: str) -> AsyncIterator[LocalEngine]:
    made = build(runner=runner)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def expected(
    build: Callable[..., LocalEngine], runner: str, writers: list[Path]
) -> dict[tuple[int | None, str], str]:
    """What a cold engine with that adapter alone answers; None is the base."""
    answers: dict[tuple[int | None, str], str] = {}
    for number in (None, *range(len(writers))):
        cold = build(runner=runner)
        cold._first_adapters = {} if number is None else served("one", writers[number], str(number))
        await cold.start()
        for text in TEXTS:
            answers[number, text] = await answer(cold, text, "" if number is None else "one")
        await cold.close()
    assert len(set(answers.values())) == len(answers)  # else a mix-up would not be seen
    return answers


async def test_every_answer_is_that_of_a_cold_engine_with_its_adapter(
    engine: LocalEngine, writers: list[Path], expected: dict[tuple[int | None, str], str]
) -> None:
    """Two names, whose adapters change again and again while requests for them run."""
    rng = random.Random(3)
    wrong: list[tuple[int | None, str]] = []
    asked = 0
    going = True

    def versions(now: dict[str, int]) -> Served:
        return {name: (writers[n], ModelIdentity(name, str(n) * 64)) for name, n in now.items()}

    def now() -> dict[str, int]:
        """What the engine itself says that it serves at this moment."""
        return {identity.name: int(identity.digest[0]) for identity in engine.adapters}

    async def caller(number: int) -> None:
        nonlocal asked
        while going:
            name = rng.choice(["left", "right", ""])
            text = rng.choice(TEXTS)
            bound = now().get(name)  # nothing else runs between this and the binding
            if await answer(engine, text, name, tenant=f"t{number % 2}") != expected[bound, text]:
                wrong.append((bound, text))
            asked += 1

    await engine.set_adapters(versions({"left": 0, "right": 1}))
    callers = [asyncio.create_task(caller(number)) for number in range(8)]
    for turn in range(30):
        await engine.set_adapters(versions({**now(), rng.choice(["left", "right"]): turn % len(writers)}))
        await asyncio.sleep(0.02)
    going = False
    await asyncio.gather(*callers)
    assert wrong == []
    assert asked > 10
    assert engine.statistics().adapter_loads >= 20
    await engine._adapters.settle()  # type: ignore[union-attr]
    assert engine.statistics().adapters_loaded == 2


async def test_a_request_keeps_the_version_it_was_admitted_with(
    engine: LocalEngine, writers: list[Path], expected: dict[tuple[int | None, str], str]
) -> None:
    await engine.set_adapters(served("one", writers[0], "0"))
    begun = engine.generate(prompt(TEXTS[0]), SamplingParams(max_tokens=24), adapter="one", tenant="t")
    pieces = [(await anext(begun)).text]
    await engine.set_adapters(served("one", writers[1], "1"))
    assert await answer(engine, TEXTS[0], "one") == expected[1, TEXTS[0]]
    assert engine.statistics().adapters_loaded == 2
    pieces += [chunk.text async for chunk in begun]
    assert "".join(pieces) == expected[0, TEXTS[0]]
    await engine._adapters.settle()  # type: ignore[union-attr]
    assert engine.statistics().adapters_loaded == 1


async def test_what_is_taken_away_is_refused_and_what_runs_ends(engine: LocalEngine, writers: list[Path]) -> None:
    await engine.set_adapters(served("one", writers[0], "0"))
    whole = await answer(engine, TEXTS[1], "one")
    running = asyncio.create_task(answer(engine, TEXTS[1], "one"))
    while not engine.statistics().running:
        await asyncio.sleep(0)
    await engine.set_adapters({})
    with pytest.raises(UnknownAdapter, match="none"):
        await answer(engine, TEXTS[1], "one")
    assert await running == whole
    await engine._adapters.settle()  # type: ignore[union-attr]
    assert (engine.statistics().adapters_loaded, engine.adapters) == (0, ())


async def test_an_abandoned_request_frees_what_it_held(engine: LocalEngine, writers: list[Path]) -> None:
    await engine.set_adapters(served("one", writers[0], "0"))
    begun = engine.generate(prompt(TEXTS[0]), SamplingParams(max_tokens=300), adapter="one")
    await anext(begun)
    await engine.set_adapters({})
    await begun.aclose()
    await engine._adapters.settle()  # type: ignore[union-attr]
    assert engine.statistics().adapters_loaded == 0
    assert await answer(engine, TEXTS[0])


async def test_adapters_that_write_and_classify_and_score_share_steps(
    engine: LocalEngine, writers: list[Path], adapter_dir: Path, expected: dict[tuple[int | None, str], str]
) -> None:
    classifies = served("toy", adapter_dir, "a")
    for number, folder in enumerate(writers):
        classifies |= served(f"w{number}", folder, str(number))
    await engine.set_adapters(classifies)
    alone, _ = await engine.classify(prompt("hello"), "toy")
    scored: list[tuple[list[LabelScore], int]] = [
        (list(s), n) for s, n in [await engine.score(prompt(TEXTS[0]), LABELS, adapter=name) for name in ("", "w1")]
    ]
    assert scored[0][0] != scored[1][0]
    names = ["", *(f"w{n}" for n in range(len(writers)))]
    results = await asyncio.gather(
        *(answer(engine, text, name) for text in TEXTS for name in names),
        *(engine.classify(prompt("hello"), "toy") for _ in range(3)),
        *(engine.score(prompt(TEXTS[0]), LABELS, adapter=name) for name in ("", "w1")),
    )
    keys = [(None if not name else int(name[1]), text) for text in TEXTS for name in names]
    assert results[: len(keys)] == [expected[key] for key in keys]
    for labels, _ in results[len(keys) : len(keys) + 3]:
        assert [(s.label, pytest.approx(s.score, abs=1e-5)) for s in alone] == [(s.label, s.score) for s in labels]
    for (labels, _), (before, _) in zip(results[-2:], scored, strict=True):
        assert [(s.label, pytest.approx(s.logprob, abs=1e-3)) for s in before] == [(s.label, s.logprob) for s in labels]


async def test_a_cached_beginning_is_read_by_the_same_version_only(engine: LocalEngine, writers: list[Path]) -> None:
    long = TEXTS[2] * 2

    async def reused(adapter: str, tenant: str = "t") -> int:
        before = engine.statistics().reused_tokens
        await answer(engine, long, adapter, tenant)
        return engine.statistics().reused_tokens - before

    await engine.set_adapters(served("one", writers[0], "0"))
    assert await reused("one") == 0
    assert await reused("one") > 0
    assert await reused("") == 0
    assert await reused("one", "other") == 0
    await engine.set_adapters(served("one", writers[1], "1"))
    assert await reused("one") == 0
    await engine.set_adapters(served("one", writers[0], "0"))
    assert await reused("one") > 0


@pytest.mark.parametrize("damage", ["nan", "other base", "dora", "cut", "no card"])
async def test_a_bad_one_changes_nothing(
    engine: LocalEngine, writers: list[Path], tmp_path: Path, damage: str, expected: dict[tuple[int | None, str], str]
) -> None:
    bad = shutil.copytree(writers[1], tmp_path / "bad")
    weights, config, card = (
        bad / name for name in ("adapter_model.safetensors", "adapter_config.json", "finslm_adapter.json")
    )
    if damage == "nan":
        tensors = load_file(weights)
        tensors[next(iter(tensors))][0, 0] = np.nan
        save_file(tensors, weights)
    elif damage == "other base":
        card.write_text(json.dumps({**json.loads(card.read_text()), "base_weights_sha256": "0" * 64}))
    elif damage == "dora":
        config.write_text(json.dumps({**json.loads(config.read_text()), "use_dora": True}))
    elif damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    else:
        card.unlink()
    await engine.set_adapters(served("one", writers[0], "0"))
    with pytest.raises(ConfigError):
        await engine.set_adapters(served("one", writers[2], "2") | served("two", bad, "9"))
    await engine._adapters.settle()  # type: ignore[union-attr]
    assert [identity.digest[0] for identity in engine.adapters] == ["0"]
    assert engine.statistics().adapters_loaded == 1
    assert await answer(engine, TEXTS[0], "one") == expected[0, TEXTS[0]]


class TestBudget:
    @pytest.fixture
    async def tight(self, build: Callable[..., LocalEngine], runner: str) -> AsyncIterator[LocalEngine]:
        """Room for the largest of the tiny adapters, and no more."""
        made = build(runner=runner, adapter_mib=1)
        await made.start()
        yield made
        await made.close()

    async def test_who_is_not_in_memory_is_read_again(
        self, tight: LocalEngine, writers: list[Path], expected: dict[tuple[int | None, str], str]
    ) -> None:
        adapters = tight._adapters
        assert adapters is not None
        await tight.set_adapters(served("w3", writers[3], "3"))
        adapters._budget = adapters.nbytes  # the largest alone
        every: Served = {}
        for number, folder in enumerate(writers):
            every |= served(f"w{number}", folder, str(number))
        await tight.set_adapters(every)
        for number in (0, 3, 1, 2, 3, 0):
            assert await answer(tight, TEXTS[0], f"w{number}") == expected[number, TEXTS[0]]
            assert adapters.nbytes <= adapters._budget
        assert tight.statistics().adapter_evictions >= 3

    async def test_other_files_are_never_read_under_an_old_digest(
        self, tight: LocalEngine, writers: list[Path], tmp_path: Path, expected: dict[tuple[int | None, str], str]
    ) -> None:
        adapters = tight._adapters
        assert adapters is not None
        place = shutil.copytree(writers[3], tmp_path / "place")
        await tight.set_adapters(served("w3", place, "3"))
        adapters._budget = adapters.nbytes
        await tight.set_adapters(served("w3", place, "3") | served("w2", writers[2], "2"))
        await answer(tight, TEXTS[0], "w2")  # w3 goes
        shutil.copytree(writers[1], place, dirs_exist_ok=True)
        with pytest.raises(EngineUnavailable, match="w3 could not be read again"):
            await answer(tight, TEXTS[0], "w3")
        await tight.set_adapters(served("w3", place, "1"))
        assert await answer(tight, TEXTS[0], "w3") == expected[1, TEXTS[0]]

    async def test_closing_leaves_nobody_waiting(self, tight: LocalEngine, writers: list[Path]) -> None:
        await tight.set_adapters(served("w0", writers[0], "0"))
        swapping = asyncio.create_task(tight.set_adapters(served("w0", writers[1], "1")))
        waiting = asyncio.create_task(answer(tight, TEXTS[0], "w0", tokens=300))
        await asyncio.sleep(0.01)
        await tight.close()
        ends = await asyncio.gather(waiting, swapping, return_exceptions=True)
        assert all(isinstance(end, EngineUnavailable | None) for end in ends)
        with pytest.raises(EngineUnavailable):
            await tight.set_adapters({})

    async def test_one_in_use_is_never_put_out(self, tight: LocalEngine, writers: list[Path]) -> None:
        adapters = tight._adapters
        assert adapters is not None
        await tight.set_adapters(served("w3", writers[3], "3"))
        adapters._budget = adapters.nbytes
        await tight.set_adapters(served("w3", writers[3], "3") | served("w2", writers[2], "2"))
        begun = tight.generate(prompt(TEXTS[0]), SamplingParams(max_tokens=300), adapter="w3")
        await anext(begun)
        with pytest.raises(Overloaded, match="adapter_mib"):
            await answer(tight, TEXTS[0], "w2")
        await begun.aclose()
        assert await answer(tight, TEXTS[0], "w2")

    async def test_one_that_can_never_fit_is_refused(self, tight: LocalEngine, writers: list[Path]) -> None:
        adapters = tight._adapters
        assert adapters is not None
        adapters._budget = 1000
        with pytest.raises(ConfigError, match="adapter_mib"):
            await tight.set_adapters(served("w0", writers[0], "0"))


async def test_nothing_holds_the_weights_of_one_that_is_gone(engine: LocalEngine, writers: list[Path]) -> None:
    runner = engine._parts.runner  # type: ignore[union-attr]
    seen = []
    prepare = runner.prepare

    def watched(key: str, folder: Path):  # type: ignore[no-untyped-def]
        made = prepare(key, folder)
        seen.append(weakref.ref(getattr(made, "matrices", made)))
        return made

    class Watch:
        def __init__(self) -> None:
            self.prepare = watched

        def __getattr__(self, name: str) -> object:
            return getattr(runner, name)

    engine._adapters._runner = Watch()  # type: ignore[union-attr, assignment]
    await engine.set_adapters(served("one", writers[0], "0"))
    await answer(engine, TEXTS[0], "one")
    if hasattr(runner, "_classifiers"):
        assert any("lora" in name for name, _ in runner._model.named_parameters())
    await engine.set_adapters({})
    await engine._adapters.settle()  # type: ignore[union-attr]
    await answer(engine, TEXTS[0])
    gc.collect()
    assert [ref() for ref in seen] == [None]
    if hasattr(runner, "_classifiers"):
        assert not any("lora" in name for name, _ in runner._model.named_parameters())
