"""How well are fields extracted, as served?

``python -m benchmarks.extraction --cache FOLDER [--documents 600] [--adapter FOLDER] [--written 100] [--record]``

Documents of the held-out structures, once redacted and restored as the service does it and once as they are, through
the engine with the shipped adapter: exact match by field, whole documents, answers that match their schema, and time
for one document at a time. ``--written`` adds the way without an adapter, on payment instructions: the base model
writes the document itself, under a grammar.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import facts
from benchmarks.written_orders import WRITTEN_ORDER
from finslm.config import EngineSettings
from finslm.engine.local import LocalEngine
from finslm.errors import InvalidOutput
from finslm.evaluate.extraction import Tally, answered, cells, gold
from finslm.models.registry import Registry
from finslm.tasks import TASKS
from finslm.tasks.choosing import choose
from finslm.tasks.extraction import check, parse
from finslm.tasks.forms import Form
from finslm.train.documents.generate import KINDS, Documents, pools
from finslm.train.documents.redacted import Seen, as_served
from finslm.types import ModelIdentity
from redaction import RedactedText, Redactor
from redaction.ner.weights import default_models_dir
from redaction.restore import restore

RESULTS = Path(__file__).parent / "results" / "extraction.json"
ADAPTER = "extract-payment"
WRITTEN = ("amount", "currency", "beneficiary", "account", "reference")


async def tagged(engine: LocalEngine, documents: Sequence[Seen], *, redacted: bool) -> dict[str, Any]:
    """Scores of the adapter."""
    tally, times, valid = Tally(), [], 0
    for each in documents:
        task = TASKS.get(KINDS[each.raw.kind].task)
        form, seen = task.form, each.seen if redacted else each.raw
        assert form is not None
        begun = time.perf_counter()
        found, _ = await engine.tag(task.render(RedactedText(seen.text)), ADAPTER, form.labels)
        spans = choose(form, seen.text, found)
        placeholders = each.redacted.placeholders if redacted and each.redacted else {}
        answer = answered(form, seen.text, spans, placeholders)
        times.append(time.perf_counter() - begun)
        valid += _valid(form, answer)
        tally.add(form, cells(form, gold(form, each.raw.text, each.raw.spans), answer), form.scores(spans))
    p50, p99 = (round(float(np.quantile(times, share)) * 1000, 1) for share in (0.5, 0.99))
    return tally.as_dict() | {"schema_valid": valid / len(documents), "p50_ms": p50, "p99_ms": p99}


async def written(engine: LocalEngine, documents: Sequence[Seen]) -> dict[str, Any]:
    """Scores of the base model, on the five fields that it was asked for."""
    tally, valid, form = Tally(), 0, Form("payment_instruction", WRITTEN)
    for each in documents:
        assert each.redacted is not None
        text, issued = each.redacted.redacted_text, each.redacted.placeholders
        answering = engine.generate(
            WRITTEN_ORDER.render(text), WRITTEN_ORDER.defaults, grammar=WRITTEN_ORDER.grammar, placeholders=issued
        )
        answer: dict[str, Any] = dict.fromkeys(WRITTEN)
        try:
            assert WRITTEN_ORDER.schema is not None
            found = json.loads(parse("".join([c.text async for c in answering]), WRITTEN_ORDER.schema, text))
            answer = {name: restore(value, issued) if value else None for name, value in found.items()}
            valid += 1
        except InvalidOutput:
            pass  # counts as an answer without a field
        whole = TASKS.get("payment_instruction").form
        assert whole is not None
        tally.add(form, cells(form, gold(whole, each.raw.text, each.raw.spans), answer), {})
    return tally.as_dict() | {"schema_valid": valid / len(documents)}


def _valid(form: Form, answer: dict[str, Any]) -> bool:
    try:
        check(answer, form.schema())
    except InvalidOutput:
        return False
    return True


async def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    """All scores."""
    registry = Registry(default_models_dir())
    base, encoder = registry.resolve("smollm2-135m-instruct"), registry.resolve("all-minilm-l6-v2")
    adapter = chosen.adapter or registry.resolve(ADAPTER).path
    engine = LocalEngine(
        base.path,
        base.identity,
        {ADAPTER: (adapter, ModelIdentity(ADAPTER, "0" * 64))},
        EngineSettings(),
        encoder_dir=encoder.path,
    )
    await engine.start()
    made = Documents(pools(chosen.cache), "test").stream(chosen.seed, chosen.documents)
    documents = list(as_served(made, Redactor.from_policy(None, budget_s=60)))
    result: dict[str, Any] = {"benchmark": "extraction", "machine": facts()}
    for way, redacted in (("redacted", True), ("as they are", False)):
        result[way] = await tagged(engine, documents, redacted=redacted)
    if chosen.written:
        orders = [each for each in documents if each.raw.kind == "payment"][: chosen.written]
        result["written by the base model"] = await written(engine, orders)
    await engine.close()
    return result


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, help="folder for the pools of names")
    parser.add_argument("--documents", type=int, default=600)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--adapter", type=Path, help="adapter folder; without it, the shipped one")
    parser.add_argument("--written", type=int, default=0, help="documents that the base model writes too")
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.name}")
    chosen = parser.parse_args()
    result = asyncio.run(measure(chosen))
    text = json.dumps(result, indent=1)
    print(text)
    if chosen.record:
        RESULTS.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
