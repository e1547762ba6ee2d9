"""``python -m benchmarks.guard [--json] [--record] [--data DIR] [--requests 60] [--answers 10000]``

Per disguise: how many planted values are found, beside looking for the value itself and without case and signs.
False alarms on ordinary answers made by seed and, with DIR, on texts of data sets. What a KB costs.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

from benchmarks.guard import corpus
from benchmarks.machine import facts
from redaction.guard import StreamGuard, Watch
from redaction.leaks import Fingerprints
from redaction.policy.answer import AnswerAction

RESULTS: Final = Path(__file__).parent.parent / "results" / "guard.json"
VALUES: Final = 40
ROUNDS: Final = 7
KB: Final = 1000


def recall(requests: int, seed: int = 1) -> dict[str, Any]:
    """Each disguise of each value of some requests, each in an answer of its own."""
    rng = Random(seed)
    planted: Counter[str] = Counter()
    caught: dict[str, Counter[str]] = {"ours": Counter(), "same text": Counter(), "letters and digits": Counter()}
    for _ in range(requests):
        values = corpus.values(rng, VALUES)
        prints = Fingerprints(values)
        for value in values:
            for name, disguise in corpus.disguises(value).items():
                draft = corpus.planted(disguise(value[1], rng), rng)
                planted[name] += 1
                caught["ours"][name] += bool(prints.find(draft))
                caught["same text"][name] += any(text in draft for _, text in values)
                caught["letters and digits"][name] += any(_bare(text) in _bare(draft) for _, text in values)
    total = sum(planted.values())
    return {
        "planted": total,
        "caught": {peer: round(sum(of.values()) / total, 5) for peer, of in caught.items()},
        "by_disguise": {
            name: {"planted": count, **{peer: round(of[name] / count, 5) for peer, of in caught.items()}}
            for name, count in planted.items()
        },
    }


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()


def false_alarms(answers: Iterator[str], seed: int = 2) -> dict[str, Any]:
    """Each answer against the values of a request that it has nothing to do with; a new request each 50."""
    rng, count, wrong = Random(seed), 0, 0
    types: Counter[str] = Counter()
    prints = Fingerprints()
    for answer in answers:
        if count % 50 == 0:
            prints = Fingerprints(corpus.values(rng, VALUES))
        found = prints.find(answer)
        count, wrong = count + 1, wrong + bool(found)
        types.update(d.type for d in found)
    return {"answers": count, "alarms": wrong, "rate": round(wrong / max(1, count), 6), "types": dict(types)}


def texts(data: Path) -> Iterator[str]:
    """Complaints, statements of filings, questions of customers."""
    with (data / "cfpb_complaints" / "cfpb_narratives.jsonl").open() as file:
        for line in itertools.islice(file, 3000):
            tree = json.loads(line)
            yield max((v for v in tree.values() if isinstance(v, str)), key=len)[:2000]
    with (data / "finqa" / "flare_valid.jsonl").open() as file:
        for line in file:
            tree = json.loads(line)
            yield max((v for v in tree.values() if isinstance(v, str)), key=len)[:4000]
    with (data / "banking77" / "test.csv").open(newline="") as file:
        yield from (row[0] for row in csv.reader(file))


def cost(seed: int = 3) -> dict[str, Any]:
    """Milliseconds per 1000 characters; and to make the fingerprints of a request with 40 values."""
    rng = Random(seed)
    values = corpus.values(rng, VALUES)
    prints = Fingerprints(values)
    ordinary = _filled(lambda: corpus.clean(rng))
    wrapped = _filled(lambda: corpus.planted(corpus.ANY["base64"](corpus.name(rng), rng), rng))
    spoken = _filled(lambda: corpus.ANY["read out, alphabet"](corpus.card(rng), rng) + " ")
    return {
        "whole": {
            "ordinary": _ms(lambda: prints.find(ordinary)),
            "encoded": _ms(lambda: prints.find(wrapped)),
            "read out": _ms(lambda: prints.find(spoken)),
            "8 KB, per KB": _ms(lambda: prints.find(ordinary * 8), 8),
        },
        "stream, pieces of 4": _ms(lambda: _stream(prints, ordinary)),
        "stream, pieces of 40": _ms(lambda: _stream(prints, ordinary, 40)),
        "making 40 values": _ms(lambda: Fingerprints(values)),
    }


def _filled(make: Callable[[], str]) -> str:
    text = ""
    while len(text) < KB:
        text += make() + " "
    return text[:KB]


def _stream(prints: Fingerprints, text: str, size: int = 4) -> None:
    guard = StreamGuard([Watch("leaks", prints.find, AnswerAction.FLAG, prints.pending)])
    for at in range(0, len(text), size):
        guard.feed(text[at : at + size])
    guard.close()


def _ms(call: Callable[[], object], per: int = 1) -> dict[str, float]:
    call()
    took = []
    for _ in range(ROUNDS):
        runs = 5
        start = time.perf_counter()
        for _ in range(runs):
            call()
        took.append((time.perf_counter() - start) * 1000 / runs / per)
    return {"median": round(statistics.median(took), 3), "min": round(min(took), 3), "max": round(max(took), 3)}


def _table(measured: dict[str, Any]) -> Iterator[str]:
    found = measured["recall"]
    peers = list(found["caught"])
    yield f"| disguise | planted | {' | '.join(peers)} |"
    yield "|---" * (len(peers) + 2) + "|"
    for name, row in found["by_disguise"].items():
        yield f"| {name} | {row['planted']} | {' | '.join(f'{row[peer]:.2%}' for peer in peers)} |"
    yield f"| all | {found['planted']} | {' | '.join(f'{rate:.2%}' for rate in found['caught'].values())} |"
    for name, of in measured["false_alarms"].items():
        yield f"\nfalse alarms, {name}: {of['alarms']} of {of['answers']} ({of['rate']:.3%}) {of['types']}"
    yield f"\n{json.dumps(measured['cost_ms'], indent=1)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--requests", type=int, default=10)
    parser.add_argument("--answers", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true")
    chosen = parser.parse_args()
    rng = Random(4)
    measured: dict[str, Any] = {"machine": facts(), "recall": recall(chosen.requests)}
    made = (corpus.clean(rng) for _ in range(chosen.answers))
    measured["false_alarms"] = {"made by seed": false_alarms(made)}
    if chosen.data:
        measured["false_alarms"]["data sets"] = false_alarms(texts(chosen.data))
    measured["cost_ms"] = cost()
    if chosen.record:
        RESULTS.write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n", "utf-8")
    sys.stdout.write((json.dumps(measured, indent=1) if chosen.json else "\n".join(_table(measured))) + "\n")


if __name__ == "__main__":
    main()
