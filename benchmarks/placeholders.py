"""Does the model keep to its placeholders? ``python -m benchmarks.placeholders [--generations 10000] [--record]``

Answers of the served model to the service's own tasks, and to one that wants the message repeated, sampled at
temperatures up to 1.5, bound to the placeholders of their request as the service binds them; and a tenth as many
unbound, to see what the model would write. What counts as wrong: anything that reads like a placeholder and was not
issued to the request, whole, in brackets, letter for letter.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import facts
from finslm.config import EngineSettings
from finslm.engine.local import LocalEngine
from finslm.models.registry import Registry
from finslm.tasks import TASKS
from finslm.tasks.base import conversation
from finslm.types import Prompt, SamplingParams
from redaction.ner.weights import default_models_dir
from redaction.restore import StreamRestorer
from redaction.text import RedactedText

RESULTS = Path(__file__).parent / "results" / "placeholders.json"
TEMPERATURES = (0.7, 1.0, 1.5)
TASK_NAMES = ("assist", "complaint_reply", "complaint_summary")
TYPES = ("PERSON", "ORGANIZATION", "IBAN_CODE", "CREDIT_CARD", "EMAIL_ADDRESS", "PHONE_NUMBER", "STREET_ADDRESS")
SENTENCES = (
    "My name is {}, and I wrote to {} last week.",
    "The transfer from {} to {} has not arrived.",
    "Please send the letter for {} to {}.",
    "I called {} twice about {} and nobody answered.",
    "{} says that {} is not known to you.",
    "Why was {} charged, and not {}?",
)
WRONG = re.compile(
    r"<[A-Z][A-Za-z0-9_ -]*>?"  # brackets, and a capital behind the first
    rf"|(?<![<A-Za-z0-9_])(?i:{'|'.join(TYPES)})_[0-9]+"  # a name and number without them
    rf"|<(?i:{'|'.join(TYPES)})_[0-9]+"
)
AT_ONCE, MAX_TOKENS = 32, 24


def message(random: np.random.Generator) -> tuple[str, list[str]]:
    """A customer's message after redaction, and its placeholders."""
    names = list(random.choice(TYPES, size=int(random.integers(1, 4)), replace=False))
    issued = [f"<{name}_{n}>" for name in names for n in range(1, int(random.integers(1, 4)) + 1)]
    asked = [str(random.choice(SENTENCES)).format(*random.choice(issued, size=2)) for _ in range(3)]
    text = " ".join(asked)
    return text, [each for each in issued if each in text]


def _repeat(text: RedactedText) -> Prompt:
    """Where every word of the answer should be one of the message."""
    return conversation("Repeat the customer's message word for word, with all its tags.", text)


def wrong(answer: str, issued: Sequence[str]) -> list[str]:
    """What reads like a placeholder and is none of the request's."""
    return [match[0] for match in WRONG.finditer(answer) if match[0] not in issued]


async def one(engine: LocalEngine, seed: int, *, bound: bool) -> tuple[Counter[str], list[str]]:
    """Generate once; return counts, and what was wrong."""
    random = np.random.default_rng(seed)
    text, issued = message(random)
    renders = [*(TASKS.get(name).render for name in TASK_NAMES), _repeat]
    prompt = renders[seed % len(renders)](RedactedText(text))
    temperature = TEMPERATURES[seed // len(renders) % len(TEMPERATURES)]
    params = SamplingParams(max_tokens=MAX_TOKENS, temperature=temperature, seed=seed)
    restorer = StreamRestorer({each: each for each in issued})
    chunks = engine.generate(prompt, params, placeholders=issued if bound else None)
    pieces = [restorer.feed(chunk.text) async for chunk in chunks]
    answer = "".join(pieces) + restorer.close(cut=True)
    found = wrong(answer, issued)
    counts = Counter(
        generations=1,
        placeholders=sum(answer.count(each) for each in issued),
        wrong=len(found),
        answers_with_a_wrong_one=bool(found),
    )
    return counts, found


async def run(engine: LocalEngine, seeds: range, *, bound: bool) -> dict[str, Any]:
    """Generate ``AT_ONCE`` at a time."""
    total: Counter[str] = Counter(generations=0, placeholders=0, wrong=0, answers_with_a_wrong_one=0)
    examples: Counter[str] = Counter()
    left = iter(seeds)

    async def work() -> None:
        for seed in left:
            counts, found = await one(engine, seed, bound=bound)
            total.update(counts)
            examples.update(found)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return {**total, "for example": dict(examples.most_common(8))}


async def measure(generations: int) -> dict[str, Any]:
    """Bound and unbound."""
    base = Registry(default_models_dir()).resolve("smollm2-135m-instruct", verify=True)
    engine = LocalEngine(base.path, base.identity, {}, EngineSettings())
    await engine.start()
    started = time.perf_counter()
    bound = await run(engine, range(generations), bound=True)
    unbound = await run(engine, range(-(-generations // 10)), bound=False)
    await engine.close()
    return {"bound": bound, "unbound": unbound, "temperatures": TEMPERATURES, "s": time.perf_counter() - started}


def main() -> None:
    """Measure, print, exit with 1 if a bound answer holds a wrong one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generations", type=int, default=10_000)
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.name}")
    arguments = parser.parse_args()
    result = {"benchmark": "placeholders", "machine": facts(), **asyncio.run(measure(arguments.generations))}
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.record:
        RESULTS.write_text(text + "\n", "utf-8")
    raise SystemExit(result["bound"]["wrong"] > 0)


if __name__ == "__main__":
    main()
