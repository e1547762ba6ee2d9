"""The workloads, and their rounds: every system in turn, then every system again."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks.engine import workload
from benchmarks.engine.report import Figure, summary
from benchmarks.engine.systems import Options, System
from benchmarks.engine.wire import Request
from benchmarks.engine.worker import Worker, WorkerFailed
from benchmarks.engine.workload import Encode

Make = Callable[[Encode, str], list[Request]]
Values = dict[str, float]


@dataclass(frozen=True)
class Workload:
    """A question. ``make`` gives the requests of a round, ``small`` those to warm up and to choose options by."""

    what: str
    slots: int
    figures: tuple[Figure, ...]
    make: Make
    small: Make
    measure: Callable[[Worker, Sequence[Request]], Values]


def _stream(worker: Worker, requests: Sequence[Request]) -> Values:
    """The rate of one stream, with its prompt and without. A tool that tells only the latter has no wall time."""
    run = worker.send(requests)
    (answer,) = run.answers
    values: Values = {}
    if answer.first_s is not None and answer.last_s is not None and answer.last_s > answer.first_s:
        values["decode"] = (answer.tokens - 1) / (answer.last_s - answer.first_s)
    if run.wall_s is not None:
        values["whole"] = answer.tokens / run.wall_s
    return values


def _together(worker: Worker, requests: Sequence[Request]) -> Values:
    run = worker.send(requests)
    return {"whole": run.tokens / run.wall_s} if run.wall_s else {}


def _one_by_one(worker: Worker, requests: Sequence[Request]) -> Values:
    """Time to the first token, ms: of the first request, and the median of those that share its beginning."""
    firsts = [run.answers[0].first_s for run in (worker.send([request]) for request in requests)]
    new, *seen = [first * 1000 for first in firsts if first is not None]
    return {"new": new, "seen": statistics.median(seen)}


TRIALS = 2
"""Trials of each choice; the best counts, for one may meet other work on the machine."""
RATE = Figure("whole", "tokens/s")
_SMALL_LENGTHS, _SMALL_NEWS = (32, 100), (8, 32)


def _small_one(encode: Encode, seed: str) -> list[Request]:
    return workload.many(encode, seed, 1, (64, 64), (32, 32))


def _many(slots: int) -> Workload:
    return Workload(
        f"{slots} requests at once, prompts of 32 to 400 tokens, answers of 16 to 128",
        slots,
        (RATE,),
        lambda encode, seed: workload.many(encode, seed, slots),
        lambda encode, seed: workload.many(encode, seed, slots, _SMALL_LENGTHS, _SMALL_NEWS),
        _together,
    )


WORKLOADS: dict[str, Workload] = {
    "one": Workload(
        "one stream, prompt of 256 tokens, 128 generated",
        1,
        (Figure("decode", "tokens/s after the first"), Figure("whole", "tokens/s with the prompt")),
        workload.one,
        _small_one,
        _stream,
    ),
    "many16": _many(16),
    "many64": _many(64),
    "first": Workload(
        "time to first token, prompt of 256 tokens",
        1,
        (Figure("seen", "ms, first 200 tokens seen before", True), Figure("new", "ms, nothing seen before", True)),
        workload.seen,
        _small_one,
        _one_by_one,
    ),
}


class Comparison:
    """Runs workloads on systems and keeps what each said of itself."""

    def __init__(self, systems: Sequence[System], encode: Encode, rounds: int, seed: int) -> None:
        self._encode, self._rounds, self._seed = encode, rounds, seed
        self._here = [system for system in systems if not system.missing]
        self.systems: dict[str, dict[str, Any]] = {
            system.name: {
                "weights": system.weights,
                "state": f"not here: {system.missing}" if system.missing else "here",
            }
            for system in systems
        }

    def run(self, name: str) -> dict[str, Any]:
        """One workload: options chosen, rounds in turns, summed up."""
        asked = WORKLOADS[name]
        systems = [system for system in self._here if name == "one" or not system.only_one]
        values: dict[str, list[Values]] = {system.name: [] for system in systems}
        failed: dict[str, str] = {}
        chosen: dict[str, Options] = {}
        with ExitStack() as stack:
            workers: dict[str, Worker] = {}
            for system in systems:
                try:
                    options = chosen[system.name] = self._choose(name, asked, system)
                    worker = workers[system.name] = stack.enter_context(_start(system, options, asked.slots))
                    self.systems[system.name] |= worker.about
                    worker.send(asked.small(self._encode, f"{self._seed} {name} warm"))
                except WorkerFailed as error:
                    failed[system.name] = str(error)
            for turn in range(self._rounds):
                requests = asked.make(self._encode, f"{self._seed} {name} {turn}")
                for system in (*systems[turn % len(systems) :], *systems[: turn % len(systems)]):
                    if system.name in failed:
                        continue
                    try:
                        values[system.name].append(asked.measure(workers[system.name], requests))
                    except WorkerFailed as error:
                        failed[system.name] = str(error)
                    _note(f"{name} round {turn + 1}: {system.name} {_short(values[system.name])}")
        measured = {system: rows for system, rows in values.items() if system not in failed}
        figures = {figure.key: summary(figure, measured) for figure in asked.figures}
        return {"what": asked.what, "options": chosen, "failed": failed, "figures": figures}

    def _choose(self, name: str, asked: Workload, system: System) -> Options:
        """The options that are best at the small form of the workload."""
        choices = system.choices(asked.slots)
        if len(choices) == 1:
            return choices[0]
        rates: list[float] = []
        requests = asked.small(self._encode, f"{self._seed} {name} choose")
        for options in choices:
            with _start(system, options, asked.slots) as worker:
                worker.send(asked.small(self._encode, f"{self._seed} {name} warm")[:1])
                rates.append(max(_together(worker, requests)["whole"] for _ in range(TRIALS)))
            _note(f"{name}: {system.name} {dict(options)} {rates[-1]:.1f} tokens/s")
        return choices[rates.index(max(rates))]


def _start(system: System, options: Options, slots: int) -> Worker:
    return Worker(system.command(options, slots), options["threads"])


def _short(rows: Sequence[Mapping[str, float]]) -> str:
    return ", ".join(f"{key} {value:.1f}" for key, value in rows[-1].items()) if rows else "failed"


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
