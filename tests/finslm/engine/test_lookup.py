"""Guesses ahead: where they come from, and that they change no answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from finslm.engine.local import LocalEngine
from finslm.engine.lookup import Lookup
from finslm.types import FinishReason, Grammar, Message, Prompt, SamplingParams
from redaction.text import RedactedText

TEXT = "Pay <AMOUNT_1> to <PERSON_1>. Pay <AMOUNT_2> to <PERSON_2>. " * 3


def draft(tokens: list[int], most: int = 4, room: int = 100) -> list[int]:
    return Lookup(tokens, room).draft(most)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([1, 2, 3, 4, 5, 1, 2, 3], [4, 5, 1, 2]),
        ([7, 2, 3, 4, 9, 2, 3], [4, 9, 2, 3]),
        ([1, 2, 3, 4, 8, 2, 3, 5, 1, 2, 3], [4, 8, 2, 3]),  # three words that are the same beat two that are nearer
        ([2, 3, 4, 2, 3, 5, 2, 3], [5, 2, 3]),  # of equals the latest
        ([1, 2, 3], []),
        ([3, 1, 3], []),  # one word alone is no hint
        ([4, 4, 4, 4], [4]),
        ([5], []),
    ],
)
def test_the_words_go_on_as_they_did_before(tokens: list[int], expected: list[int]) -> None:
    assert draft(tokens) == expected


def test_what_was_written_counts_like_the_prompt() -> None:
    lookup = Lookup([1, 2, 3], 20)
    for token in (9, 1, 2):
        lookup.add(token)
    assert lookup.draft(2) == [3, 9]


@pytest.mark.parametrize(("room", "expected"), [(9, []), (10, [3]), (11, [3, 4]), (100, [3, 4, 5, 1])])
def test_there_is_never_a_guess_without_room(room: int, expected: list[int]) -> None:
    assert draft([0, 1, 2, 3, 4, 5, 1, 2], room=room) == expected[: room - 9]


async def answer(engine: LocalEngine, text: str, **params: Any) -> tuple[str, FinishReason | None, int]:
    prompt = Prompt((Message("user", RedactedText(text)),))
    chunks = [chunk async for chunk in engine.generate(prompt, SamplingParams(**{"max_tokens": 60, **params}))]
    return (
        "".join(chunk.text for chunk in chunks),
        chunks[-1].finish_reason,
        sum(chunk.token_count for chunk in chunks),
    )


FEW = tuple((token, 60.0) for token in range(20, 24))
"""A model with random weights repeats itself where it has few words."""
WAYS: list[dict[str, Any]] = [
    {},
    {"logit_bias": FEW},
    {"logit_bias": FEW, "temperature": 0.8, "seed": 3},
    {"repetition_penalty": 1.1},
    {"temperature": 0.7, "top_k": 3, "seed": 4},
    {"temperature": 0.3, "seed": 5, "frequency_penalty": 0.2},
]


async def test_no_answer_is_another_one_for_being_guessed(build: Callable[..., LocalEngine], runner: str) -> None:
    texts = [TEXT, "a b a b a b a b a b", "why? why? why?"]
    results = {}
    for tokens in (0, 4):
        engine = build(runner=runner, draft_tokens=tokens)
        await engine.start()
        try:
            answers = [await answer(engine, text, **way) for text in texts for way in WAYS]
            ends = answers[1][0][20:23]
            answers.append(await answer(engine, texts[0], stop=(ends,), logit_bias=FEW))
            answers += await asyncio.gather(*(answer(engine, text) for text in texts[:2]))
            results[tokens] = answers
            counters = engine.statistics()
            assert (counters.accepted_tokens > 20) is (tokens > 0)
            assert counters.accepted_tokens <= counters.draft_tokens
            assert counters.decode_tokens >= sum(count for _, _, count in answers)
            assert counters.cache_used == 0
        finally:
            await engine.close()
    assert results[4] == results[0]


async def test_guesses_keep_the_grammar(build: Callable[..., LocalEngine], runner: str) -> None:
    grammar = Grammar("regex", (RedactedText("(ab|ac|ad){12}x"),))
    prompt = Prompt((Message("user", RedactedText(TEXT)),))
    texts: dict[int, list[str]] = {0: [], 4: []}
    for tokens, of in texts.items():
        engine = build(runner=runner, draft_tokens=tokens)
        await engine.start()
        try:
            for seed in range(4):
                params = SamplingParams(max_tokens=60, temperature=0.8, seed=seed)
                of.append("".join([c.text async for c in engine.generate(prompt, params, grammar=grammar)]))
            assert (engine.statistics().accepted_tokens > 0) is (tokens > 0)
        finally:
            await engine.close()
    assert texts[4] == texts[0]
    assert all(re.fullmatch("(ab|ac|ad){12}x", text) for text in texts[4])


async def test_many_at_once_are_not_guessed_for(build: Callable[..., LocalEngine], runner: str) -> None:
    engine = build(runner=runner)
    await engine.start()
    try:
        texts = [f"{n} {TEXT}" for n in range(12)]
        begun = engine.statistics().draft_tokens
        together = await asyncio.gather(*(answer(engine, text, max_tokens=30) for text in texts))
        guessed = engine.statistics().draft_tokens - begun
        alone = [await answer(engine, text, max_tokens=30) for text in texts]
        assert engine.statistics().draft_tokens - begun - guessed > guessed
        assert together == alone
    finally:
        await engine.close()
