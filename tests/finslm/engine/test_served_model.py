"""The served model itself, in float32: batches are exact, and the tasks give what callers need."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from benchmarks.written_orders import WRITTEN_ORDER
from finslm.config import EngineSettings
from finslm.engine.local import LocalEngine
from finslm.tasks import TASKS
from finslm.tasks.extraction import parse
from finslm.types import FinishReason, Grammar, Message, ModelIdentity, Prompt, SamplingParams
from redaction.text import RedactedText

pytestmark = pytest.mark.model
TEXTS = (
    "What is a SEPA transfer?",
    "Write a short poem about money.",
    "My card <CREDIT_CARD_1> was stolen, what now? " + "Please be kind to <PERSON_1>. " * 12,
)


@pytest.fixture(scope="module")
def settings() -> EngineSettings:
    return EngineSettings.model_validate({"weights": "float32", "threads": 1})


@pytest.fixture(scope="module")
def engine(smollm2_dir: Path, settings: EngineSettings) -> Iterator[LocalEngine]:
    """One for all tests: an engine belongs to no event loop."""
    served = LocalEngine(smollm2_dir, ModelIdentity("smollm2-135m-instruct", "0" * 64), {}, settings)
    asyncio.run(served.start())
    yield served
    asyncio.run(served.close())


async def answer(
    engine: LocalEngine, prompt: Prompt, params: SamplingParams, grammar: Grammar | None = None
) -> tuple[str, FinishReason | None]:
    chunks = [chunk async for chunk in engine.generate(prompt, params, grammar=grammar)]
    return "".join(chunk.text for chunk in chunks), chunks[-1].finish_reason


async def test_an_answer_in_a_mixed_batch_is_the_answer_alone(engine: LocalEngine) -> None:
    prompts = [Prompt((Message("user", RedactedText(text)),)) for text in TEXTS]
    params = SamplingParams(max_tokens=20)
    alone = [await answer(engine, prompt, params) for prompt in prompts]
    assert await asyncio.gather(*(answer(engine, prompt, params) for prompt in prompts)) == alone


async def test_a_payment_order_becomes_valid_json(engine: LocalEngine) -> None:
    task = WRITTEN_ORDER
    assert task.schema is not None
    text = RedactedText("Hi, please send 3,450.00 GBP to <PERSON_1>, account <IBAN_CODE_1>, reference INV-2024-118.")
    got, reason = await answer(engine, task.render(text), task.defaults)
    fields = json.loads(parse(got, task.schema, text))
    assert (fields["amount"], fields["beneficiary"]) == ("3,450.00", "<PERSON_1>")
    assert reason is FinishReason.STOP


LABELS = ("card", "card payment", "card arrival", "lost or stolen card", "exchange rate")


async def test_labels_have_the_scores_that_transformers_gives_them(engine: LocalEngine, smollm2_dir: Path) -> None:
    """Each label as a whole sequence, with the token that ends the turn."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    prompt = Prompt((Message("user", RedactedText("My new card has not come yet. " * 6)),))
    scores, _ = await engine.score(prompt, [RedactedText(label) for label in LABELS])
    tokenizer = AutoTokenizer.from_pretrained(smollm2_dir)
    model = AutoModelForCausalLM.from_pretrained(smollm2_dir, dtype=torch.float32)
    turns = [{"role": "user", "content": prompt.messages[0].text.value}]
    start = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert len(start) % 32
    for score in scores:
        answer = [*tokenizer.encode(score.label, add_special_tokens=False), tokenizer.eos_token_id]
        with torch.inference_mode():
            rows = torch.log_softmax(model(torch.tensor([[*start, *answer]])).logits[0, len(start) - 1 : -1], -1)
        expected = sum(float(row[token]) for row, token in zip(rows, answer, strict=True))
        assert score.logprob == pytest.approx(expected, abs=1e-3)


async def test_labels_leave_the_cached_prompt_as_it_was(engine: LocalEngine) -> None:
    task = TASKS.get("choose_label")
    prompt = task.render(RedactedText("I lost my card on the train, what shall I do? " * 4))
    params = SamplingParams(max_tokens=20)
    alone = await answer(engine, prompt, params)
    labels = [RedactedText(label) for label in LABELS]
    scores, _ = await engine.score(prompt, labels)
    mixed = await asyncio.gather(
        answer(engine, prompt, params), *(engine.score(prompt, labels, tenant=f"t{n}") for n in range(3))
    )
    assert await answer(engine, prompt, params) == mixed[0] == alone
    for others, _ in mixed[1:]:
        for score, other in zip(scores, others, strict=True):
            assert (other.label, other.logprob) == (score.label, pytest.approx(score.logprob, abs=1e-3))


SCHEMAS: tuple[dict[str, Any], ...] = (
    {
        "type": "object",
        "properties": {
            "topic": {"enum": ["card", "fee", "transfer"]},
            "urgent": {"type": "boolean"},
            "words": {"type": "array", "items": {"type": "string", "pattern": "^[a-zé]{1,9}$"}, "maxItems": 3},
        },
        "required": ["topic", "urgent", "words"],
        "additionalProperties": False,
    },
    {"type": "array", "items": {"type": "number", "minimum": -1, "maximum": 10, "multipleOf": 0.5}, "maxItems": 4},
    {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("schema", SCHEMAS)
async def test_every_answer_parses_and_validates(engine: LocalEngine, schema: dict[str, Any], seed: int) -> None:
    grammar = Grammar("json_schema", (RedactedText(json.dumps(schema)),))
    params = SamplingParams(max_tokens=200, temperature=1.0, seed=seed)
    got, _ = await answer(engine, Prompt((Message("user", RedactedText(TEXTS[2])),)), params, grammar)
    jsonschema.validate(json.loads(got), schema)


async def test_free_requests_beside_constrained_ones_are_the_answers_alone(engine: LocalEngine) -> None:
    prompts = [Prompt((Message("user", RedactedText(text)),)) for text in TEXTS]
    params = SamplingParams(max_tokens=12)
    alone = [await answer(engine, prompt, params) for prompt in prompts]
    choice = Grammar("choice", (RedactedText("yes"), RedactedText("no")))
    *free, chosen = await asyncio.gather(
        *(answer(engine, prompt, params) for prompt in prompts), answer(engine, prompts[0], params, choice)
    )
    assert free == alone
    assert chosen in {("yes", FinishReason.STOP), ("no", FinishReason.STOP)}


async def test_a_payment_order_without_fields_still_becomes_valid_json(engine: LocalEngine) -> None:
    task = WRITTEN_ORDER
    assert task.schema is not None
    for text in ("hello there", "<PERSON_1>", "{}"):
        got, _ = await answer(engine, task.render(RedactedText(text)), task.defaults, task.grammar)
        assert json.loads(parse(got, task.schema, RedactedText(text))).keys() == set(task.schema["required"])
