"""When an answer ends, and what its chunks carry."""

from __future__ import annotations

from typing import Any

from finslm.engine.answer import Answer
from finslm.engine.jobs import Generation, Outcome
from finslm.types import FinishReason, SamplingParams, TokenChunk

END = 256


def ignore(_: Outcome) -> None:
    """Nobody listens in these tests."""


def decode(ids: list[int]) -> str:
    return bytes(ids).decode("utf-8", errors="replace")


def answer(lead: str = "", **params: Any) -> Answer:
    tokens = list(lead.encode())
    job = Generation(tokens=tokens, deliver=ignore, params=SamplingParams(**params), lead=lead, lead_tokens=len(tokens))
    return Answer(job, decode, frozenset({END}))


def feed(running: Answer, data: bytes) -> list[TokenChunk]:
    return [chunk for token in data if (chunk := running.accept(token)) is not None]


def test_an_end_token_ends_it_and_is_not_counted() -> None:
    running = answer()
    assert feed(running, b"ok") == [TokenChunk("o", 1), TokenChunk("k", 1)]
    assert running.accept(END) == TokenChunk("", 0, FinishReason.STOP)


def test_an_end_token_at_once_still_gives_the_prefill() -> None:
    assert answer(lead="{").accept(END) == TokenChunk("{", 0, FinishReason.STOP)


def test_max_tokens_end_it() -> None:
    assert feed(answer(max_tokens=2), b"ab") == [TokenChunk("a", 1), TokenChunk("b", 1, FinishReason.LENGTH)]


def test_tokens_inside_a_character_are_counted_with_it() -> None:
    assert feed(answer(), "€".encode()) == [TokenChunk("€", 3)]


def test_held_text_comes_out_with_the_end() -> None:
    running = answer(stop=("##",))
    assert feed(running, b"a#") == [TokenChunk("a", 1)]
    assert running.accept(END) == TokenChunk("#", 1, FinishReason.STOP)


def test_a_stop_string_is_cut() -> None:
    assert feed(answer(stop=("##",)), b"a##")[-1] == TokenChunk("", 2, FinishReason.STOP)
