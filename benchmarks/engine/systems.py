"""The systems that are compared: where each is, how its process is started, what may be chosen for it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

OURS = "finslm"
QUANTS = ("Q8_0", "Q4_1")
BATCHES = (8, 16, 32)
FLAGS = {
    "llama": "folder with llama-server and llama-bench",
    "gguf": "folder with the model as *Q8_0.gguf and *Q4_1.gguf",
    "genai_python": "a Python that has openvino-genai",
    "genai_model": "folder with the model for OpenVINO, weights in 8 bits",
}

Options = Mapping[str, int]
"""What is chosen for a system by trying: threads, batch."""


@dataclass(frozen=True)
class System:
    """One system.

    Args:
        missing: why it cannot be measured here; empty when it can.
        command: the process for these options and this many requests at once.
        choices: the options to try for this many requests at once.
        only_one: measures one stream and nothing else.
    """

    name: str
    weights: str
    missing: str
    command: Callable[[Options, int], list[str]]
    choices: Callable[[int], Sequence[Options]]
    only_one: bool = False


@dataclass(frozen=True)
class Places:
    """Where the parts are; None where nobody said. ``settings`` is JSON for our engine."""

    model: Path
    endless: Path
    settings: str
    llama: Path | None
    gguf: Path | None
    genai_python: Path | None
    genai_model: Path | None


def add_flags(parser: argparse.ArgumentParser) -> None:
    """One flag for each place of a peer; BENCH_<NAME> in the environment says the same."""
    for name, what in FLAGS.items():
        place = os.environ.get(f"BENCH_{name.upper()}")
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=Path, default=place and Path(place), help=f"{what} (or BENCH_{name.upper()})")


def all_systems(places: Places, threads: Sequence[int]) -> list[System]:
    """Ours first, then every peer, here or not."""
    return [_ours(places, threads), _transformers(places, threads), *_llama(places, threads), _genai(places, threads)]


def _ours(places: Places, threads: Sequence[int]) -> System:
    def command(options: Options, slots: int) -> list[str]:
        return _python("ours", places.endless, options, f"--slots={slots}", f"--settings={places.settings}")

    return System(OURS, "", "", command, lambda _: _each(threads))


def _transformers(places: Places, threads: Sequence[int]) -> System:
    def choices(slots: int) -> Sequence[Options]:
        if slots == 1:
            return _each(threads)
        return [{"threads": max(threads), "batch": batch} for batch in BATCHES if batch < 2 * slots]

    def command(options: Options, _: int) -> list[str]:
        return _python("hf", places.model, options)

    return System("transformers", "bf16", "", command, choices)


def _llama(places: Places, threads: Sequence[int]) -> list[System]:
    made = []
    for quant in QUANTS:
        model = next(iter(sorted(places.gguf.glob(f"*{quant}.gguf"))), None) if places.gguf else None
        for bench in (False, True):
            program = "llama-bench" if bench else "llama-server"
            missing = _absent(places.llama, program, "--llama") or ("" if model else f"no *{quant}.gguf (--gguf)")

            def command(options: Options, slots: int, model: Path | None = model, bench: bool = bench) -> list[str]:
                asked = ["--bench"] if bench else [f"--slots={slots}"]
                return _python("llama", places.llama, options, str(model), *asked)

            choices = _each([max(threads)] if bench else threads)  # llama-bench tries the counts itself
            made.append(System(f"{program} {quant}", quant, missing, command, lambda _, c=choices: c, bench))  # type: ignore[misc]
    return made


def _genai(places: Places, threads: Sequence[int]) -> System:
    missing = _absent(places.genai_python, "", "--genai-python")
    missing = missing or _absent(places.genai_model, "openvino_model.xml", "--genai-model")

    def command(options: Options, _: int) -> list[str]:
        return [str(places.genai_python), *_python("genai", places.genai_model, options)[1:]]

    return System("OpenVINO GenAI", "int8", missing, command, lambda _: _each(threads))


def _python(module: str, place: Path | None, options: Options, *more: str) -> list[str]:
    chosen = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", f"benchmarks.engine.{module}", str(place), *more, *chosen]


def _each(threads: Sequence[int]) -> list[Options]:
    return [{"threads": count} for count in threads]


def _absent(place: Path | None, inside: str, flag: str) -> str:
    if place is None:
        return f"{flag} not given"
    return "" if (place / inside if inside else place).exists() else f"nothing at {flag} that was given"
