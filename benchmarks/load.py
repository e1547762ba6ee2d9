"""Our engine under load: many adapters at once, the first token at 80 % of the peak, ten times too many requests.

``python -m benchmarks.load [--parts adapters,latency,overload] [--seconds 60] [--threads N] [--record]``

All runs are ours against ours, so the figures are ratios and limits, not a comparison with others
(``python -m benchmarks.engine`` is that). Requests are made and timed in the engine's own process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.engine import workload
from benchmarks.engine.ours import prompt, write_endless
from benchmarks.engine.wire import Request
from benchmarks.machine import facts
from finslm.config import EngineSettings
from finslm.engine.adapters import AdapterCard, weights_sha256
from finslm.engine.local import LocalEngine
from finslm.errors import DeadlineExceeded, Overloaded
from finslm.types import ModelIdentity, SamplingParams
from redaction.ner.weights import default_models_dir

RESULTS = Path(__file__).parent / "results" / "load.json"
MODEL = "smollm2-135m-instruct"
ADAPTERS, RANK, ROUNDS = 8, 16, 5
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
DEADLINE_S, CALLERS = 10.0, 48


@dataclass
class Seen:
    """What happened to the requests of a run; times in seconds."""

    done: list[tuple[float, int]] = field(default_factory=list)
    """When an answer was whole, and its tokens."""
    late: int = 0
    first_s: list[float] = field(default_factory=list)
    rejected_s: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)


async def ask(
    engine: LocalEngine, request: Request, seen: Seen, *, adapter: str = "", limit_s: float | None = None
) -> None:
    """Send one request and note what came of it."""
    begun = time.monotonic()
    deadline = None if limit_s is None else begun + limit_s
    params = SamplingParams(max_tokens=request.new)
    tokens = 0
    try:
        answering = engine.generate(prompt(request.system, request.user), params, adapter=adapter, deadline=deadline)
        async with contextlib.aclosing(answering) as chunks:
            async for chunk in chunks:
                if not tokens and chunk.token_count:
                    seen.first_s.append(time.monotonic() - begun)
                tokens += chunk.token_count
    except Overloaded:
        seen.rejected_s.append(time.monotonic() - begun)
        seen.outcomes["rejected"] += 1
        return
    except DeadlineExceeded:
        seen.outcomes["dropped"] += 1
        return
    if limit_s is not None and time.monotonic() - begun > limit_s:
        seen.late += 1
        return
    seen.outcomes["answered"] += 1
    seen.done.append((time.monotonic(), tokens))


def rate(seen: Seen, begun: float, seconds: float) -> float:
    """Tokens a second of whole answers, in the middle of a run: without its begin and its end."""
    left, right = begun + min(DEADLINE_S, seconds / 3), begun + seconds
    return sum(tokens for moment, tokens in seen.done if left < moment <= right) / (right - left)


async def closed(engine: LocalEngine, requests: Sequence[Request], seconds: float) -> Seen:
    """So many callers, each with a new request as soon as it has its answer."""
    seen, until = Seen(), time.monotonic() + seconds

    async def caller(number: int) -> None:
        rng = random.Random(number)
        while time.monotonic() < until:
            await ask(engine, rng.choice(requests), seen)

    await asyncio.gather(*map(caller, range(CALLERS)))
    return seen


async def arriving(engine: LocalEngine, requests: Sequence[Request], per_s: float, seconds: float) -> Seen:
    """Requests at random moments (Poisson), whatever became of those before."""
    seen, rng, tasks = Seen(), random.Random(7), []
    moment = begun = time.monotonic()
    while moment < begun + seconds:
        moment += rng.expovariate(per_s)
        await asyncio.sleep(max(0.0, moment - time.monotonic()))
        tasks.append(asyncio.create_task(ask(engine, rng.choice(requests), seen, limit_s=DEADLINE_S)))
    await asyncio.gather(*tasks)
    return seen


def requests(encode: workload.Encode) -> list[Request]:
    """256 tokens each, of which one of five tasks' 200 are shared; answers of 16 to 128 tokens."""
    made = [request for task in range(5) for request in workload.seen(encode, f"task {task}")]
    news = [16 + round(n * 112 / (len(made) - 1)) for n in range(len(made))]
    random.Random(1).shuffle(news)
    return [Request(r.system, r.user, r.ids, new) for r, new in zip(made, news, strict=True)]


def write_adapters(model: Path, into: Path) -> dict[str, tuple[Path, ModelIdentity]]:
    """LoRA of rank 16 on every linear layer, with random weights."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    found = {}
    for number in range(ADAPTERS):
        torch.manual_seed(number)
        config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=list(TARGETS), init_lora_weights=False)
        folder = into / f"adapter-{number}"
        get_peft_model(AutoModelForCausalLM.from_pretrained(model), config).save_pretrained(str(folder))
        AdapterCard(
            f"adapter-{number}", MODEL, weights_sha256(model), "assist", (), bidirectional=False, temperature=1.0,
            max_tokens=2048,
        ).write(folder)  # fmt: skip
        found[folder.name] = (folder, ModelIdentity(folder.name, f"{number:064x}"))
    return found


async def adapters(model: Path, scratch: Path, settings: EngineSettings, encode: workload.Encode) -> dict[str, Any]:
    """Throughput of 32 requests at once: without adapter, with one, with eight in turn; every round has all three."""
    engine = LocalEngine(model, ModelIdentity(MODEL, "0" * 64), write_adapters(model, scratch), settings)
    await engine.start()
    rates: dict[str, list[float]] = {"none": [], "one": [], "eight": []}
    for turn in range(ROUNDS + 1):
        sent = workload.many(encode, f"adapters {turn}", 32)
        for way, of in rates.items():
            seen, begun = Seen(), time.monotonic()
            names = {"none": [""], "one": ["adapter-0"], "eight": [f"adapter-{n}" for n in range(ADAPTERS)]}[way]
            await asyncio.gather(*(ask(engine, r, seen, adapter=names[n % len(names)]) for n, r in enumerate(sent)))
            of.append(sum(tokens for _, tokens in seen.done) / (time.monotonic() - begun))
    await engine.close()
    rates = {way: of[1:] for way, of in rates.items()}  # the first round warms up
    share = [eight / one for eight, one in zip(rates["eight"], rates["one"], strict=True)]
    return {"tokens_per_s": {way: spread(of) for way, of in rates.items()}, "eight_to_one": spread(share)}


async def load(model: Path, settings: EngineSettings, encode: workload.Encode, parts: set[str], seconds: float) -> Any:
    """The peak, then 80 % of it, then ten times as many requests."""
    engine = LocalEngine(model, ModelIdentity(MODEL, "0" * 64), {}, settings)
    await engine.start()
    sent = requests(encode)
    await closed(engine, sent, 10)
    begun = time.monotonic()
    peak = await closed(engine, sent, seconds)
    per_s = peak.outcomes["answered"] / (time.monotonic() - begun)
    tokens_per_s = rate(peak, begun, seconds)
    result: dict[str, Any] = {"peak": {"requests_per_s": per_s, "tokens_per_s": tokens_per_s}}
    if "latency" in parts:
        idle = Seen()
        for request in sent:
            await ask(engine, request, idle)
        busy = await arriving(engine, sent, 0.8 * per_s, seconds)
        result["first_token_ms"] = {"idle": quantiles(idle.first_s), "at_80_percent": quantiles(busy.first_s)}
        result["first_token_ms"]["outcomes"] = dict(busy.outcomes)
    if "overload" in parts:
        before = resident_mib()
        begun = time.monotonic()
        flood = await arriving(engine, sent, 10 * per_s, seconds)
        result["overload"] = {
            "times_the_peak": 10,
            "goodput_to_peak": rate(flood, begun, seconds) / tokens_per_s,
            "outcomes": dict(flood.outcomes),
            "late": flood.late,
            "rejected_ms": quantiles(flood.rejected_s),
            "memory_mib": [before, resident_mib()],
        }
    await engine.close()
    return result


def resident_mib() -> int:
    """Memory this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and extremes."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p90, p99 and the largest, ms."""
    ordered = sorted(seconds) or [0.0]
    at = {f"p{p}": ordered[min(len(ordered) - 1, len(ordered) * p // 100)] for p in (50, 90, 99)}
    return {name: round(value * 1000, 2) for name, value in {**at, "max": ordered[-1]}.items()}


async def measure(chosen: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Run the parts that were asked for."""
    parts = set(chosen.parts.split(","))
    result: dict[str, Any] = {"benchmark": "load", "machine": facts(), "seconds": chosen.seconds}
    endless = write_endless(chosen.model, scratch / MODEL)
    encode = workload.encoder(chosen.model)
    settings = EngineSettings.model_validate({"threads": chosen.threads, **json.loads(chosen.settings)})
    if "adapters" in parts:
        result["adapters"] = await adapters(endless, scratch, settings, encode)
    if parts & {"latency", "overload"}:
        result["load"] = await load(endless, settings, encode, parts, chosen.seconds)
    return result


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=default_models_dir() / MODEL)
    parser.add_argument("--parts", default="adapters,latency,overload")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=0, help="engine.threads")
    parser.add_argument("--settings", default="{}", help="more engine settings, JSON")
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.name}")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        result = asyncio.run(measure(chosen, Path(scratch)))
    if chosen.record:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
