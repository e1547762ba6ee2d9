"""How good written answers are: what they say of what a reference says, and what they invent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, final

import numpy as np

from finslm.engine.base import Engine
from finslm.evaluate.rouge import rouge
from finslm.grounding import covered, unsupported
from finslm.tasks import TASKS
from redaction.operators import PLACEHOLDER
from redaction.text import RedactedText

_AT_ONCE: Final = 32
"""Answers that are written at the same time."""
_RESAMPLES: Final = 1000


@final
@dataclass
class WritingTally:
    """Counts over answers."""

    rows: list[tuple[float, ...]] = field(default_factory=list)
    """Of each: facts said, facts that the reference says, facts invented, ROUGE-L, words, words of its text."""

    def add(self, text: str, answer: str, reference: str = "") -> None:
        """Count an answer; without a reference, only what it invents."""
        said, wanted = covered(answer, reference)
        near = rouge(reference, answer).rouge_l if reference else 0.0
        self.rows.append((said, wanted, len(unsupported(text, answer)), near, len(answer.split()), len(text.split())))

    def as_dict(self) -> dict[str, float]:
        """Shares and means; intervals are 95 % bootstrap percentiles over answers."""
        table = np.array(self.rows, float)
        said, wanted, invented, near, words, of_text = table.T
        draws = np.random.default_rng(0).integers(0, len(table), (_RESAMPLES, len(table)))
        clean = (invented == 0)[draws].mean(1)
        recall = said[draws].sum(1) / np.maximum(1, wanted[draws].sum(1))
        return {
            "answers": len(table),
            "facts_said": float(said.sum() / max(1.0, wanted.sum())),
            **dict(
                zip(("facts_said_low", "facts_said_high"), map(float, np.percentile(recall, [2.5, 97.5])), strict=True)
            ),
            "nothing_invented": float((invented == 0).mean()),
            **dict(
                zip(
                    ("nothing_invented_low", "nothing_invented_high"),
                    map(float, np.percentile(clean, [2.5, 97.5])),
                    strict=True,
                )
            ),
            "invented_facts": float(invented.sum()),
            "rouge_l": float(near.mean()),
            "words": float(words.mean()),
            "share_of_text": float(words.sum() / of_text.sum()),
        }


async def written(engine: Engine, texts: Sequence[tuple[str, str]], adapter: str = "") -> list[str]:
    """What the engine writes, as it does in serving.

    Args:
        texts: task and redacted text.
        adapter: its name; empty: the base itself.
    """
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(task: str, text: str) -> str:
        found = TASKS.get(task)
        prompt = found.render(RedactedText.trusted(text))
        shown = set(PLACEHOLDER.findall(text))
        async with room:
            answering = engine.generate(prompt, found.defaults, placeholders=shown, adapter=adapter)
            return "".join([chunk.text async for chunk in answering]).strip()

    return list(await asyncio.gather(*(one(*each) for each in texts)))


def lead(text: str, sentences: int = 2) -> str:
    """The first sentences of a text: the baseline that news summaries are measured by."""
    import re

    return " ".join(re.split(r"(?<=[.!?])\s+", text.strip())[:sentences])
