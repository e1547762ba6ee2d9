"""transformers.generate in a process: ``python -m benchmarks.engine.hf MODEL_DIR --threads N --batch N``.

Requests that do not fit into one batch wait. The longest answers share batches, and only the tokens that were asked
for count: generate goes on until the longest answer of its batch is done.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.engine import wire

PAD = 2


class _Times:
    """A streamer: when the first tokens came. Its first call is the prompt."""

    def __init__(self) -> None:
        self.calls: list[float] = []

    def put(self, _: Any) -> None:
        self.calls.append(time.perf_counter())

    def end(self) -> None:
        """Nothing to flush."""


class Generator:
    """The model in bfloat16."""

    def __init__(self, model_dir: Path, threads: int, batch: int) -> None:
        import torch
        from transformers import AutoModelForCausalLM, GenerationConfig

        torch.set_num_threads(threads)
        self._torch, self._batch = torch, batch
        place = {"dtype": torch.bfloat16, "local_files_only": True}
        self._model: Any = AutoModelForCausalLM.from_pretrained(str(model_dir), **place)
        settings: Any = GenerationConfig
        self._model.generation_config = settings(do_sample=False, pad_token_id=PAD)  # no token ends an answer

    def send(self, requests: Sequence[wire.Request]) -> wire.Run:
        """All requests, in batches."""
        waiting = sorted(requests, key=lambda request: (request.new, len(request.ids)), reverse=True)
        started = time.perf_counter()
        answers: list[wire.Answer] = []
        for at in range(0, len(waiting), self._batch):
            answers += self._generate(waiting[at : at + self._batch], started)
        return wire.Run(answers, time.perf_counter() - started)

    def _generate(self, batch: Sequence[wire.Request], started: float) -> list[wire.Answer]:
        width, new = max(len(r.ids) for r in batch), max(r.new for r in batch)
        ids = self._torch.tensor([[PAD] * (width - len(r.ids)) + r.ids for r in batch])
        mask = self._torch.tensor([[0] * (width - len(r.ids)) + [1] * len(r.ids) for r in batch])
        times = _Times() if len(batch) == 1 else None
        with self._torch.inference_mode():
            out = self._model.generate(ids, attention_mask=mask, max_new_tokens=new, streamer=times)
        if out.shape[1] - width != new:
            raise RuntimeError(f"{new} tokens asked for, {out.shape[1] - width} generated")
        first = times.calls[1] - started if times else None
        return [wire.Answer(r.new, first, time.perf_counter() - started) for r in batch]


def main() -> None:
    """Serve lines until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--batch", type=int, default=1)
    chosen = parser.parse_args()
    wire.quiet()
    generator = Generator(chosen.model, chosen.threads, chosen.batch)
    wire.serve({"version": version("transformers"), "weights": "bf16"}, generator.send)


if __name__ == "__main__":
    main()
