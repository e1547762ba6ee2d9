"""OpenVINO GenAI's continuous batching: ``PYTHON -m benchmarks.engine.genai MODEL_DIR --threads N``.

PYTHON is one that has ``openvino_genai``; nothing else of this project needs to be installed there.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.engine import wire

CACHE_GIB = 1


class Pipeline:
    """The pipeline on the processor, with its own defaults and the prefix cache on."""

    def __init__(self, model_dir: Path, threads: int) -> None:
        self._genai: Any = importlib.import_module("openvino_genai")
        self._openvino: Any = importlib.import_module("openvino")
        self._numpy: Any = importlib.import_module("numpy")
        scheduler = self._genai.SchedulerConfig()
        scheduler.cache_size, scheduler.enable_prefix_caching = CACHE_GIB, True
        properties = {"INFERENCE_NUM_THREADS": threads}
        self._pipeline = self._genai.ContinuousBatchingPipeline(str(model_dir), scheduler, "CPU", properties)
        self.version = str(self._genai.__version__)

    def send(self, requests: Sequence[wire.Request]) -> wire.Run:
        """All requests at once, step by step."""
        started = time.perf_counter()
        handles = [self._add(number, request) for number, request in enumerate(requests)]
        times: list[list[float]] = [[] for _ in handles]
        while self._pipeline.has_non_finished_requests():
            self._pipeline.step()
            now = time.perf_counter() - started
            for handle, seen in zip(handles, times, strict=True):
                while handle.can_read():
                    seen += [now] * sum(len(output.generated_ids) for output in handle.read().values())
        wall = time.perf_counter() - started
        return wire.Run([wire.Answer(len(seen), seen[0], seen[-1]) for seen in times], wall)

    def _add(self, number: int, request: wire.Request) -> Any:
        config = self._genai.GenerationConfig()
        config.max_new_tokens, config.ignore_eos, config.do_sample = request.new, True, False
        ids = self._openvino.Tensor(self._numpy.array([request.ids], dtype=self._numpy.int64))
        return self._pipeline.add_request(number, ids, config)


def main() -> None:
    """Serve lines until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    chosen = parser.parse_args()
    wire.quiet()
    pipeline = Pipeline(chosen.model, chosen.threads)
    wire.serve({"version": pipeline.version, "weights": "int8"}, pipeline.send)


if __name__ == "__main__":
    main()
