"""What does redaction cost the answers? ``python -m benchmarks.quality --data FOLDER [--rows 3080] [--payments 300]``

The same tasks on the same texts, once as they are and once redacted and restored, as the service does it: accuracy on
the published test rows of BANKING77, and fields of payment orders (generated here) that are extracted exactly.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from benchmarks.accuracy import ADAPTER, accuracy
from benchmarks.machine import facts
from benchmarks.written_orders import WRITTEN_ORDER
from finslm.config import EngineSettings
from finslm.engine.adapters import AdapterCard, encode
from finslm.engine.loading import load_runner
from finslm.engine.local import LocalEngine
from finslm.errors import InvalidOutput
from finslm.models.registry import Registry
from finslm.tasks.extraction import parse
from redaction import Redacted, RedactedText, Redactor
from redaction.ner.weights import default_models_dir
from redaction.restore import restore

RESULTS = Path(__file__).parent / "results" / "quality.json"
GIVEN = ("Margaret", "Tomas", "Aisha", "Henrik", "Lucia", "Pavel", "Noor", "Emily", "Kenji", "Sofia")
FAMILY = ("Holloway", "Lindqvist", "Okafor", "Brandt", "Moreau", "Novak", "Haddad", "Whitfield", "Tanaka", "Ferreira")
COUNTRIES = {"DE": 18, "FR": 23, "NL": 14, "ES": 20, "AT": 16, "IE": 18}
"""Digits of the rest of an IBAN; where letters belong, the check digits alone make it right for a reader."""
ORDERS = (
    "Please transfer {amount} to {beneficiary}, IBAN {account}, reference {reference}.",
    "Kindly pay {beneficiary} {amount}. Account {account}. Please quote {reference}.",
    "Hello, I want to send {amount} to {beneficiary}. The account is {account} and the reference {reference}. Thanks!",
    "Payment order: beneficiary {beneficiary}, account {account}, amount {amount}, reference {reference}",
    "{amount} should go to the account {account} of {beneficiary} (reference: {reference}).",
)
FIELDS = ("amount", "currency", "beneficiary", "account", "reference")
AT_ONCE = 16


def iban(random: np.random.Generator) -> str:
    """One with right check digits (ISO 13616)."""
    country = str(random.choice(list(COUNTRIES)))
    rest = "".join(map(str, random.integers(0, 10, COUNTRIES[country])))
    number = int(rest + "".join(str(ord(letter) - 55) for letter in country) + "00")
    return f"{country}{98 - number % 97:02d}{rest}"


def order(random: np.random.Generator) -> tuple[str, dict[str, str]]:
    """A payment order in words, and its fields."""
    currency = str(random.choice(["EUR", "USD", "GBP", "CHF"]))
    amount = f"{random.integers(10, 99_000):,}.{random.integers(0, 100):02d}"
    fields = {
        "amount": amount,
        "currency": currency,
        "beneficiary": f"{random.choice(GIVEN)} {random.choice(FAMILY)}",
        "account": iban(random),
        "reference": f"{random.choice(['invoice', 'rent', 'order', 'INV'])} {random.integers(100, 99_999)}",
    }
    return str(random.choice(ORDERS)).format(**{**fields, "amount": f"{currency} {amount}"}), fields


def classified(data: Path, count: int, redactor: Redactor) -> dict[str, float]:
    """Accuracy on the texts as they are, and redacted."""
    registry = Registry(default_models_dir())
    base, adapter = registry.resolve("smollm2-135m-instruct"), registry.resolve(ADAPTER)
    tokenizer = AutoTokenizer.from_pretrained(base.path)
    limit = AdapterCard.read(adapter.path).max_tokens
    with (data / "banking77" / "test.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows = rows[:: max(1, len(rows) // count)][:count]
    runner = load_runner(base.path, (AdapterCard.read(adapter.path),), EngineSettings(), 2, lambda: 0)
    runner.adopt(runner.prepare(ADAPTER, adapter.path))
    found = {}
    redacted = [each.text for each in redactor.redact_batch([row["text"] for row in rows])]
    for way, texts in (("as they are", [row["text"] for row in rows]), ("redacted", redacted)):
        pairs = [(encode(tokenizer, t)[:limit], row["category"]) for t, row in zip(texts, rows, strict=True)]
        found[way] = accuracy(runner, pairs)
    changed = sum(t != row["text"] for t, row in zip(redacted, rows, strict=True))
    return {**found, "rows": len(rows), "rows in which something was replaced": changed}


async def extracted(engine: LocalEngine, text: str, redacted: Redacted | None) -> Mapping[str, Any]:
    """The fields, restored."""
    task = WRITTEN_ORDER
    assert task.schema is not None
    seen = RedactedText(text) if redacted is None else redacted.redacted_text
    placeholders = {} if redacted is None else redacted.placeholders
    answering = engine.generate(task.render(seen), task.defaults, grammar=task.grammar, placeholders=placeholders)
    try:
        answer = "".join([chunk.text async for chunk in answering])
        document = json.loads(parse(answer, task.schema, seen))
    except InvalidOutput:
        return {}
    return {k: restore(v, placeholders) if isinstance(v, str) else v for k, v in document.items()}


async def orders(count: int, redactor: Redactor) -> dict[str, dict[str, float]]:
    """Share of fields, and of orders as a whole, that are exactly right."""
    random = np.random.default_rng(5)
    made = [order(random) for _ in range(count)]
    base = Registry(default_models_dir()).resolve("smollm2-135m-instruct")
    engine = LocalEngine(base.path, base.identity, {}, EngineSettings())
    await engine.start()
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(text: str, redacted: Redacted | None) -> Mapping[str, Any]:
        async with gate:
            return await extracted(engine, text, redacted)

    found = {}
    texts = [text for text, _ in made]
    for way, maps in (("as they are", [None] * count), ("redacted", redactor.redact_batch(texts))):
        answers = await asyncio.gather(*(one(t, m) for t, m in zip(texts, maps, strict=True)))
        found[way] = _right(answers, [fields for _, fields in made])
    await engine.close()
    return found


def _right(answers: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, str]]) -> dict[str, float]:
    right: Counter[str] = Counter()
    for answer, fields in zip(answers, wanted, strict=True):
        same = [field for field in FIELDS if answer.get(field) == fields[field]]
        right.update(same)
        right["whole order"] += len(same) == len(FIELDS)
    return {field: round(right[field] / len(answers), 4) for field in (*FIELDS, "whole order")}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with banking77")
    parser.add_argument("--rows", type=int, default=3080)
    parser.add_argument("--payments", type=int, default=300)
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.name}")
    chosen = parser.parse_args()
    redactor = Redactor.from_policy(None, budget_s=60)
    result = {
        "benchmark": "quality",
        "machine": facts(),
        "banking77_accuracy": classified(chosen.data, chosen.rows, redactor),
        "payment_orders_exact": asyncio.run(orders(chosen.payments, redactor)),
        "payment_orders": chosen.payments,
    }
    text = json.dumps(result, indent=1)
    print(text)
    if chosen.record:
        RESULTS.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
