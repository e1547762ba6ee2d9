"""Texts read by the encoder itself: through both ways to compute, and in the engine beside other requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import torch

from finslm.config import EngineSettings
from finslm.engine import bases
from finslm.engine.loading import load_encoder
from finslm.engine.local import LocalEngine
from finslm.engine.states import batches
from finslm.errors import DeadlineExceeded, UnknownAdapter
from finslm.testing import write_tiny_encoder
from finslm.types import Message, ModelIdentity, Prompt, SamplingParams
from redaction.text import RedactedText

TEXTS = [
    RedactedText(text) for text in ("revenue in 2019", "a", "", "costs 7 | 5", "the revenue of <ORGANIZATION_1>" * 9)
]


@pytest.fixture(scope="module")
def encoder_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder"))


def settings(runner: str, **more: object) -> EngineSettings:
    known = {"weights": "float32", "threads": 1, "max_context_tokens": 256, "runner": runner}
    return EngineSettings.model_validate(known | more)


@pytest.fixture
async def engine(tiny_dir: Path, encoder_dir: Path, runner: str) -> AsyncIterator[LocalEngine]:
    served = LocalEngine(
        tiny_dir, ModelIdentity("tiny", "0" * 64), {}, settings(runner, read_tokens=32), encoder_dir=encoder_dir
    )
    await served.start()
    yield served
    await served.close()


async def test_it_is_what_transformers_computes(engine: LocalEngine, encoder_dir: Path) -> None:
    """Each text alone, without padding; a long one up to the encoder's window."""
    states, tokens = await engine.read(TEXTS)
    assert tokens == sum(len(each.ids) for each in states)
    assert len(states[4].ids) == 64
    network, read = bases.backbone(encoder_dir).eval(), bases.tokenizer(encoder_dir)
    for text, each in zip(TEXTS, states, strict=True):
        assert list(each.ids) == [2, *read.encode(text.value, add_special_tokens=False), 3][:64]
        with torch.inference_mode():
            hidden = network(input_ids=torch.tensor([each.ids])).last_hidden_state[0].numpy()
        np.testing.assert_allclose(each.hidden, hidden, atol=2e-4)


async def test_others_are_served_between_its_batches(engine: LocalEngine) -> None:
    """A document is no burst: the first piece of another answer comes before the document is read."""
    ended: list[str] = []

    async def read() -> None:
        await engine.read(TEXTS * 40)
        ended.append("read")

    async def write() -> None:
        prompt = Prompt((Message("user", RedactedText("hello")),))
        async for _ in engine.generate(prompt, SamplingParams(max_tokens=2)):
            ended.append("piece")

    await asyncio.gather(read(), write())
    assert ended.index("piece") < ended.index("read")


async def test_a_passed_deadline_ends_it(engine: LocalEngine) -> None:
    with pytest.raises(DeadlineExceeded):
        await engine.read(TEXTS, deadline=time.monotonic() - 1)


async def test_without_a_ranker_nothing_reads(tiny_dir: Path, encoder_dir: Path, runner: str) -> None:
    """The encoder is not loaded for it."""
    served = LocalEngine(
        tiny_dir, ModelIdentity("tiny", "0" * 64), {}, settings(runner, ranker=""), encoder_dir=encoder_dir
    )
    await served.start()
    try:
        with pytest.raises(UnknownAdapter, match="no encoder is served that reads"):
            await served.read(TEXTS)
    finally:
        await served.close()


def test_eight_bits_are_near(encoder_dir: Path) -> None:
    rows = [[2, *np.random.default_rng(n).integers(5, 80, n + 1).tolist(), 3] for n in range(40)]
    exact, near = (
        load_encoder(encoder_dir, EngineSettings.model_validate({"runner": "openvino", "weights": weights}), 1)
        for weights in ("float32", "int8")
    )
    for encoder in (exact, near):
        encoder.open_reader()
    gaps = [float(np.abs(a - b).max()) for a, b in zip(exact.read(rows), near.read(rows), strict=True)]
    assert 0 < max(gaps) < 0.2


def test_a_ranker_needs_an_encoder() -> None:
    with pytest.raises(ValueError, match="ranker needs an encoder"):
        EngineSettings(encoder="")
    assert EngineSettings(encoder="", ranker="").ranker == ""


def test_batches_hold_every_row_once() -> None:
    rows = [[0] * length for length in (5, 1, 9, 3, 40, 2)]
    found = list(batches(rows, 10))
    assert sorted(place for batch in found for place in batch) == list(range(6))
    assert all(sum(len(rows[p]) for p in batch) <= 10 or len(batch) == 1 for batch in found)
    assert list(batches([], 10)) == []
