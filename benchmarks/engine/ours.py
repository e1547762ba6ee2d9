"""Our engine in a process: ``python -m benchmarks.engine.ours MODEL_DIR --threads N --slots N``."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.engine import wire
from finslm.config import EngineSettings
from finslm.engine.base import Engine
from finslm.types import Message, ModelIdentity, Prompt, SamplingParams
from redaction.text import RedactedText

WEIGHTS = {"openvino": "int8", "torch": "bf16"}
"""What our runners make of ``weights: auto``."""


def build(model_dir: Path, threads: int, slots: int, more: dict[str, Any]) -> tuple[Engine, dict[str, Any]]:
    """The engine that is measured, and what to say of it. The one place to change for another engine."""
    from finslm.engine.local import LocalEngine

    chosen = {"threads": threads, "max_batch": slots, "runner": "openvino", **more}
    settings = EngineSettings.model_validate(chosen)
    identity = ModelIdentity("measured", "0" * 64)
    weights = settings.weights if settings.weights != "auto" else WEIGHTS.get(settings.runner, "auto")
    about = {"version": version("finslm"), "weights": weights, "settings": chosen}
    return LocalEngine(model_dir, identity, {}, settings), about


def prompt(system: str, user: str) -> Prompt:
    """The prompt of two messages."""
    turns = (Message("system", RedactedText.trusted(system)), Message("user", RedactedText.trusted(user)))
    return Prompt(turns)


def write_endless(model_dir: Path, into: Path) -> Path:
    """Copy the model so that its answers never end by themselves; peers are told to ignore the end.

    The rows of the control tokens become zero; embeddings are tied, so their logits are zero too, never the largest.
    Sizes and work stay the same.
    """
    shutil.copytree(model_dir, into, dirs_exist_ok=True)
    special = [t["id"] for t in json.loads((into / "tokenizer.json").read_text("utf-8"))["added_tokens"]]
    with (into / "model.safetensors").open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        table = json.loads(file.read(size))["model.embed_tokens.weight"]
        begin, end = table["data_offsets"]
        row = (end - begin) // int(table["shape"][0])
        for token in special:
            file.seek(8 + size + begin + token * row)
            file.write(bytes(row))
    return into


async def _one(engine: Engine, request: wire.Request, started: float) -> wire.Answer:
    tokens, first = 0, None
    params = SamplingParams(max_tokens=request.new)
    async for chunk in engine.generate(prompt(request.system, request.user), params, deadline=None):
        tokens += chunk.token_count
        if first is None and tokens:
            first = time.perf_counter() - started
    return wire.Answer(tokens, first, time.perf_counter() - started)


async def _send(engine: Engine, requests: Sequence[wire.Request]) -> wire.Run:
    started = time.perf_counter()
    answers = await asyncio.gather(*(_one(engine, request, started) for request in requests))
    return wire.Run(list(answers), time.perf_counter() - started)


def main() -> None:
    """Serve lines until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--settings", type=json.loads, default={}, help="more engine settings, JSON")
    chosen = parser.parse_args()
    wire.quiet()
    engine, about = build(chosen.model, chosen.threads, chosen.slots, chosen.settings)
    with asyncio.Runner() as runner:
        runner.run(engine.start())
        try:
            wire.serve(about, lambda requests: runner.run(_send(engine, requests)))
        finally:
            runner.run(engine.close())


if __name__ == "__main__":
    main()
