"""An answer holds the placeholders of its request, whole, and no others: whatever the model would rather write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from finslm.engine.grammar import token_table
from finslm.engine.local import LocalEngine
from finslm.engine.masks import MaskSource, combined
from finslm.engine.placeholders import KEPT, PlaceholderMask, Placeholders
from finslm.errors import EngineUnavailable, InvalidOutput
from finslm.types import Grammar, Message, Prompt, SamplingParams
from redaction.text import RedactedText

ISSUED = ("<PERSON_1>", "<PERSON_2>", "<IBAN_CODE_1>", "<CREDIT_CARD_12>", "<UK_PASSPORT_1>")
WRONG = re.compile(
    r"<[A-Z][A-Za-z0-9_ ]*>?|(?<![<A-Za-z0-9_])(?i:person|iban_code|credit_card|uk_passport)_[0-9]+|"
    r"<(?i:person|iban_code|credit_card|uk_passport)_[0-9]"
)
"""What reads like a placeholder, whole or not."""


@pytest.fixture(scope="module")
def tokenizer(smollm2_dir: Path) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast.from_pretrained(str(smollm2_dir))


@pytest.fixture(scope="module")
def placeholders(tokenizer: PreTrainedTokenizerFast) -> Placeholders:
    table = token_table(tokenizer.backend_tokenizer.to_str(), len(tokenizer), [0, 2])
    return Placeholders(table, tokenizer.get_vocab(), len(tokenizer))


def wrong(text: str, issued: Sequence[str] = ISSUED) -> list[str]:
    """What is no placeholder of the request though it reads like one; at the end of the text one may be cut."""
    found = [match for match in WRONG.finditer(text) if match[0] not in issued]
    return [m[0] for m in found if not (m.end() == len(text) and any(p.startswith(m[0]) for p in issued))]


def allowed(source: MaskSource, size: int) -> np.ndarray:
    mask = source.mask()
    return np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little")[:size])


def written(source: MaskSource, ids: Sequence[int], size: int) -> int:
    """How many of the tokens are allowed, one after the other."""
    for count, token in enumerate(ids):
        if token not in allowed(source, size):
            return count
        source.take(token)
    return len(ids)


@pytest.mark.parametrize(
    "text",
    [
        "Dear <PERSON_1>, we paid <IBAN_CODE_1>.",
        "<PERSON_1><PERSON_2> <<PERSON_1>>",
        "a < b, <b>bold</b>, <, <= 5 and x <y",
        "persons, PERSON, PERSON_ and REF_2024_7",
        "MY_PERSON_1 is a name of its own",
        '{"payer": "<PERSON_1>", "card": "<CREDIT_CARD_12>"}',
    ],
)
def test_what_is_right_can_be_written(tokenizer, placeholders, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    source = placeholders.source(ISSUED)
    assert written(source, ids, len(tokenizer)) == len(ids)
    assert tokenizer.eos_token_id in allowed(source, len(tokenizer))


@pytest.mark.parametrize(
    "text",
    [
        "<PERSON_3>",
        "<PERSON_11>",
        "<ORGANIZATION_1>",
        "<PERSON>",
        "<Person_1>",
        "<person_1>",
        "<PERSON 1>",
        "Dear PERSON_1,",
        "person_2",
        "[IBAN_CODE_1]",
        "< PERSON_1>",
        "<CREDIT_CARD_1>",
        "<PERSON_1 >",
    ],
)
def test_what_is_wrong_cannot(tokenizer, placeholders, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert written(placeholders.source(ISSUED), ids, len(tokenizer)) < len(ids)


def test_names_that_the_examples_show_are_watched_too(tokenizer, placeholders):
    ids = tokenizer("for CREDIT_CARD_1", add_special_tokens=False)["input_ids"]
    assert written(placeholders.source(("<PERSON_1>",)), ids, len(tokenizer)) == len(ids)
    assert written(placeholders.source(("<PERSON_1>",), shown=("<CREDIT_CARD_1>",)), ids, len(tokenizer)) < len(ids)


def test_within_a_placeholder_there_is_no_end(tokenizer, placeholders):
    source = placeholders.source(ISSUED)
    for token in tokenizer("<PERSON_1>", add_special_tokens=False)["input_ids"][:-1]:
        source.take(token)
        if source._tail != "<":
            assert tokenizer.eos_token_id not in allowed(source, len(tokenizer))


def test_without_placeholders_none_can_be_written(tokenizer, placeholders):
    for text in ("<PERSON_1>", "<A", "<<X_1>"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert written(placeholders.source(()), ids, len(tokenizer)) < len(ids)


def test_whatever_is_drawn_of_what_is_allowed_nothing_is_wrong(tokenizer, placeholders):
    """Worse than any temperature: tokens drawn at random, most of them such as placeholders are made of."""
    random = np.random.default_rng(7)
    parts = " <PERSON_1> <IBAN_CODE_1>, <CREDIT_CARD_12>. PERSON_2 <UK_PASSPORT_1 <ORGANIZATION_3> person iban_code"
    likely = np.array(sorted(set(tokenizer(parts, add_special_tokens=False)["input_ids"])))
    whole = 0
    for _ in range(300):
        source, ids = placeholders.source(ISSUED), []
        for _ in range(40):
            offered = allowed(source, len(tokenizer))
            near = np.intersect1d(offered, likely)
            pool = near if len(near) and random.random() < 0.9 else offered
            token = int(random.choice(pool[pool > 16]))
            source.take(token)
            ids.append(token)
        text = tokenizer.decode(ids)
        assert not wrong(text), text
        whole += sum(text.count(each) for each in ISSUED)
    assert whole > 50


def test_sets_are_compiled_once_and_few_are_kept(placeholders):
    first = placeholders.source(ISSUED)
    assert isinstance(first, PlaceholderMask)
    for n in range(KEPT + 5):
        placeholders.source((f"<PERSON_{n}>",))
    assert len(placeholders._compiled) == KEPT


def test_thousands_are_followed_or_refused(tokenizer, placeholders):
    many = [f"<PERSON_{n}>" for n in range(1, 3000)]
    source = placeholders.source(many)
    ids = tokenizer("<PERSON_2999> <PERSON_17>", add_special_tokens=False)["input_ids"]
    assert written(source, ids, len(tokenizer)) == len(ids)


def test_a_lead_that_no_answer_can_begin_with(tokenizer, placeholders):
    lead = tokenizer("<PERSON_9>", add_special_tokens=False)["input_ids"]
    with pytest.raises(EngineUnavailable, match="begin with a placeholder"):
        placeholders.source(ISSUED, lead)


class TestInTheEngine:
    async def test_a_random_model_at_any_temperature(self, engine: LocalEngine):
        """The tiny model's weights are random: it writes anything, and would write anything wrong."""
        prompt = Prompt((Message("user", RedactedText("<PERSON_1> <IBAN_CODE_1>")),))
        for seed in range(20):
            params = SamplingParams(max_tokens=40, temperature=1.5, seed=seed)
            pieces = [c.text async for c in engine.generate(prompt, params, placeholders=ISSUED)]
            assert not wrong("".join(pieces))

    async def test_with_a_grammar_both_hold(self, engine: LocalEngine):
        prompt = Prompt((Message("user", RedactedText("who?")),))
        choice = Grammar("choice", (RedactedText("<PERSON_1>"), RedactedText("<PERSON_7>")))
        chunks = [c.text async for c in engine.generate(prompt, SamplingParams(), grammar=choice, placeholders=ISSUED)]
        assert "".join(chunks) == "<PERSON_1>"
        foreign = Grammar("choice", (RedactedText("<PERSON_7>"),))
        with pytest.raises(InvalidOutput):
            [c async for c in engine.generate(prompt, SamplingParams(), grammar=foreign, placeholders=ISSUED)]


def test_masks_of_all_sources_hold(tokenizer, placeholders):
    first, second = placeholders.source(ISSUED), placeholders.source(("<PERSON_1>",))
    ids: Sequence[int] = tokenizer("<PERSON_", add_special_tokens=False)["input_ids"]
    for source in (first, second):
        for token in ids:
            source.take(token)
    both = combined([first, second])
    assert both is not None
    bits = np.flatnonzero(np.unpackbits(both.view(np.uint8), bitorder="little")[: len(tokenizer)])
    assert [tokenizer.decode([int(token)]) for token in bits] == ["1"]
