"""Both runners, without an engine around them: the same parts give the same numbers, whatever the cache held before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from finslm.config import EngineSettings
from finslm.engine.loading import load_runner
from finslm.engine.lora import calls
from finslm.engine.ov_runner import OpenVinoRunner
from finslm.engine.quiet_openvino import ov
from finslm.engine.runner import Logits, Part, Runner
from finslm.engine.torch_runner import TorchRunner

PROMPT = [3 + 7 * n % 200 for n in range(70)]
OTHER = [5 + 11 * n % 180 for n in range(45)]
NEAR = 2e-4


def make(folder: Path, runner: str, weights: str = "float32", blocks: int = 24) -> Runner:
    made = load_runner(folder, [], EngineSettings.model_validate({"runner": runner, "weights": weights}), 1, lambda: 0)
    made.reserve(blocks)
    return made


def step(runner: Runner, parts: Sequence[Part]) -> Logits:
    return runner.step(parts).copy()


@pytest.fixture(scope="module")
def reference(tiny_dir: Path) -> dict[str, Logits]:
    """Every token's logits from transformers, whole sequences at once."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_dir, dtype=torch.float32)
    with torch.inference_mode():
        return {name: model(torch.tensor([tokens])).logits[0].numpy() for name, tokens in (("a", PROMPT), ("b", OTHER))}


def near(got: Logits, expected: Logits) -> bool:
    return got.shape == expected.shape and bool(np.allclose(got, expected, atol=NEAR, rtol=NEAR))


def test_pieces_and_neighbours_give_the_numbers_of_transformers(
    tiny_dir: Path, runner: str, reference: dict[str, Logits]
) -> None:
    """Blocks out of order, two sequences at different places, several rows of one part."""
    made = make(tiny_dir, runner)
    a, b = [9, 2, 17, 5, 11], [3, 20, 0, 7]
    first = step(made, [Part(PROMPT[:33], 0, a, 1), Part(OTHER[:5], 0, b, 5)])
    assert near(first, np.concatenate([reference["a"][32:33], reference["b"][:5]]))
    second = step(made, [Part(OTHER[5:44], 5, b, 2), Part(PROMPT[33:34], 33, a, 1)])
    assert near(second, np.concatenate([reference["b"][42:44], reference["a"][33:34]]))
    third = step(made, [Part(PROMPT[34:], 34, a, 4), Part(OTHER[44:], 44, b, 1)])
    assert near(third, np.concatenate([reference["a"][-4:], reference["b"][-1:]]))


def test_a_part_that_wants_nothing_gives_no_row(tiny_dir: Path, runner: str, reference: dict[str, Logits]) -> None:
    made = make(tiny_dir, runner)
    got = step(made, [Part(PROMPT[:40], 0, [0, 1, 2], 0), Part(OTHER, 0, [3, 4, 5], 1)])
    assert near(got, reference["b"][-1:])


def test_a_fork_goes_on_where_the_copy_was_made(tiny_dir: Path, runner: str, reference: dict[str, Logits]) -> None:
    """The whole blocks are shared and the last, partly filled one is copied, as for labels."""
    made = make(tiny_dir, runner)
    size = made.block_tokens
    filled = 40 // size
    blocks, spare = list(range(6)), 12
    step(made, [Part(PROMPT[:40], 0, blocks, 0)])
    made.copy([(blocks[filled], spare)])
    fork = [*blocks[:filled], spare, 13, 14]
    got = step(made, [Part([1, 2, 3], 40, blocks, 0), Part(PROMPT[40:], 40, fork, 1)])
    assert near(got, reference["a"][-1:])


def test_guesses_that_were_wrong_leave_no_trace(tiny_dir: Path, runner: str, reference: dict[str, Logits]) -> None:
    made = make(tiny_dir, runner)
    blocks = list(range(6))
    step(made, [Part(PROMPT[:60], 0, blocks, 1)])
    step(made, [Part([PROMPT[60], 9, 9, 9, 9], 60, blocks, 5)])
    got = step(made, [Part(PROMPT[61:], 61, blocks, 9)])
    assert near(got, reference["a"][61:])


@pytest.mark.parametrize(("kind", "weights"), [("openvino", "int8"), ("openvino", "float32"), ("torch", "float32")])
def test_what_a_block_held_before_is_never_read(tiny_dir: Path, kind: str, weights: str) -> None:
    """A request's numbers overflowed, and its blocks went to others: garbage beyond their end changes nothing."""
    rows = []
    for garbage in (False, True):
        made = make(tiny_dir, kind, weights)
        if garbage:
            fill(made, float("nan"))
        a, b = [9, 2, 17, 5, 11], [3, 20, 0]
        first = step(made, [Part(PROMPT[:33], 0, a, 1), Part(OTHER[:5], 0, b, 1)])
        second = step(made, [Part(PROMPT[33:], 33, a, 1), Part(OTHER[5:], 5, b, 1)])
        rows.append(np.concatenate([first, second, step(made, [Part([4], 70, a, 1), Part([4], 45, b, 1)])]))
    assert np.isfinite(rows[0]).all()
    assert np.array_equal(*rows)


def fill(runner: Runner, value: float) -> None:
    """Put a number everywhere into the cache."""
    if isinstance(runner, OpenVinoRunner):
        for cache in runner._caches.values():
            if cache.element_type == ov.Type.bf16:
                cache.data.view(np.uint16)[:] = np.array([value], np.float32).view(np.uint32) >> 16
            else:
                cache.data[:] = value
    else:
        assert isinstance(runner, TorchRunner)
        for pool in (pool for pools in runner._kept._pools for pool in pools):
            pool[:-1] = value


@pytest.mark.parametrize(
    ("keys", "counts", "expected"),
    [
        (["a", "b", "", "c"], [1, 1, 1, 1], [[0, 1, 2, 3]]),
        (["a", "b", "c", "d"], [256, 1, 1, 1], [[0, 1, 2, 3]]),  # 765 in vain: no more than a call costs
        (["a", "b", "c", "", "d", "a"], [259, 1, 1, 9, 1, 1], [[0, 5], [1, 2, 3, 4]]),
        (["a", "b", "c", "d", "e", "f"], [250, 240, 1, 1, 1, 1], [[0], [1], [2, 3, 4, 5]]),
        (["", ""], [300, 1], [[0, 1]]),
        (["a", ""], [300, 900], [[0, 1]]),
    ],
)
def test_who_reads_a_prompt_goes_apart_where_it_would_cost_the_others_more(
    keys: list[str], counts: list[int], expected: list[list[int]]
) -> None:
    assert calls(keys, counts) == expected


def test_a_step_of_several_calls_gives_each_part_its_own_rows(tiny_dir: Path, writers: list[Path], runner: str) -> None:
    made = make(tiny_dir, runner, blocks=64)
    for number, folder in enumerate(writers):
        made.adopt(made.prepare(f"w{number}", folder))
    long = [3 + 7 * n % 200 for n in range(420)]
    parts = [
        Part(OTHER[:5], 0, [0, 1], 5, "w1"),
        Part(long, 0, list(range(2, 29)), 2, "w0"),
        Part(OTHER[:3], 0, [56, 57], 1),
        Part(long[:410], 0, list(range(30, 56)), 1, "w2"),
        Part(OTHER[:9], 0, [58, 59], 0, "w3"),
        Part(OTHER[:2], 0, [60], 1, "w0"),
    ]
    if runner == "openvino":
        assert len(calls([part.adapter for part in parts], [len(part.tokens) for part in parts])) == 3
    together = step(made, parts)
    alone = np.concatenate([step(made, [part]) for part in parts if part.wanted])
    assert near(together, alone)
