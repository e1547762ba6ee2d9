"""False positives: timestamps, amounts, order numbers and the like, and sentences of SEC filings.

None of the generated lines holds anything personal, so every finding in them is one too many.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.redaction.systems import Find

PUBLIC = frozenset({"DATE_TIME", "ISIN", "LEI", "CUSIP", "SEDOL", "FIGI", "WKN", "ORGANIZATION", "LOCATION", "NRP"})
"""What a line may well hold, or what is public: not counted as false."""

FILINGS = Path("edgar_dapt") / "edgar_crawler_items.jsonl"
_BATCH = 2000

Line = tuple[str, str]
"""Kind and text."""


def _time(rng: random.Random) -> str:
    since = timedelta(seconds=rng.randint(0, 900_000_000), microseconds=rng.randint(0, 999_999))
    at = datetime(2000, 1, 1, tzinfo=UTC) + since
    seconds = int(at.timestamp())
    return rng.choice(
        (
            str(seconds),
            str(seconds * 1000 + rng.randint(0, 999)),
            str(seconds * 10**6 + rng.randint(0, 10**6 - 1)),
            str(seconds * 10**9 + rng.randint(0, 10**9 - 1)),
            f"{seconds}.{rng.randint(0, 999_999):06}",
            at.isoformat(),
            at.strftime("%Y%m%d%H%M%S"),
            at.strftime("%Y%m%d%H%M%S%f"),
            at.strftime("%Y%m%dT%H%M%SZ"),
            at.strftime("%Y-%m-%d %H:%M:%S,%f")[:23],
            at.strftime("%d%m%Y%H%M%S"),
            at.strftime("%Y%m%d-%H%M%S-") + f"{rng.randint(0, 9999):04}",
        )
    )


def _amount(rng: random.Random) -> str:
    whole, cents = rng.randint(0, 10 ** rng.randint(1, 9)), rng.randint(0, 99)
    sign = rng.choice(("", "-", "+", "$", "EUR ", "£", "USD "))
    return sign + rng.choice(
        (
            f"{whole:,}.{cents:02}",
            f"{whole}.{cents:02}",
            f"{whole:,}".replace(",", ".") + f",{cents:02}",
            f"{whole:,}".replace(",", " "),
        )
    )


def _order(rng: random.Random) -> str:
    number = rng.randint(10**5, 10**9 - 1)
    return rng.choice(
        (
            f"INV-{rng.randint(2015, 2026)}-{number}",
            f"order {number}",
            f"Ticket #{number}",
            f"PO{number}",
            f"{rng.choice('ABCDEFGHJK')}{rng.choice('ABCDEFGHJK')}-{number}",
            f"SKU {number}-{rng.choice('XYZ')}",
            f"case {rng.randint(2015, 2026)}/{rng.randint(1, 99_999):05}",
            f"v{rng.randint(0, 30)}.{rng.randint(0, 99)}.{rng.randint(0, 999)}",
            f"build {number}",
            f"{rng.uniform(0, 100):.4f}%",
            f"row {rng.randint(1, 10**6)} of {rng.randint(1, 10**7)}",
        )
    )


_FRAMES: tuple[tuple[str, Callable[[random.Random], str], tuple[str, ...]], ...] = (
    ("timestamp", _time, ("{}", "ts={}", "{} INFO started", "at {} the job ended", '{{"timestamp": {}}}', "[{}] done")),
    ("amount", _amount, ("{}", "total {}", "amount: {}", "{} was booked", "{}\t{}\t{}", "net of {} fees")),
    ("order", _order, ("{}", "see {}", "{} has shipped", "ref. {} is closed", "{}, {}", "re: {}")),
)


def lines(seed: int, count: int) -> Iterator[Line]:
    """Generated lines, a third each of timestamps, amounts and order numbers."""
    rng = random.Random(seed)
    for number in range(count):
        kind, make, frames = _FRAMES[number % len(_FRAMES)]
        frame = rng.choice(frames)
        holes = frame.replace("{{", "").count("{}")
        yield kind, frame.format(*(make(rng) for _ in range(holes)))


def sentences(data: Path, count: int) -> Iterator[Line]:
    """Sentences of SEC filings."""
    found = 0
    for row in (data / FILINGS).read_text("utf-8").splitlines():
        for sentence in re.split(r"(?<=[.;])\s+", json.loads(row)["text"]):
            if 30 < len(sentence) < 500:
                yield "filing", sentence
                found += 1
                if found == count:
                    return


def measure(find: Find, source: Iterator[Line]) -> dict[str, Any]:
    """Findings by kind of line and type, and how many there are in a thousand lines."""
    total: Counter[str] = Counter()
    false: Counter[tuple[str, str]] = Counter()
    while batch := list(islice(source, _BATCH)):
        kinds, texts = [kind for kind, _ in batch], [text for _, text in batch]
        total.update(kinds)
        for kind, spans in zip(kinds, find(texts), strict=True):
            false.update((kind, span.type) for span in spans if span.type not in PUBLIC)
    return {
        kind: {
            "lines": count,
            "per_1000_lines": round(1000 * sum(n for (k, _), n in false.items() if k == kind) / count, 3),
            "by_type": {type_: n for (k, type_), n in false.most_common() if k == kind},
        }
        for kind, count in total.items()
    }


def cards_from_timestamps(measured: dict[str, Any]) -> int:
    """How often a timestamp was taken for a card: must be 0."""
    return int(measured["timestamp"]["by_type"].get("CREDIT_CARD", 0))
