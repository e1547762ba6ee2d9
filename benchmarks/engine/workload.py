"""The requests, the same for every system: made from sentences written here, sized in tokens, by seed."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.engine.ours import prompt
from benchmarks.engine.wire import Request
from finslm.engine.prompts import PromptEncoder

SENTENCES = (
    "A customer asks why {amount} pounds left the {account} account on {day} although the {product} was cancelled.",
    "The branch in the {place} of the town has refused a {product} because two documents were out of date.",
    "Please explain how the interest on a {product} of {amount} pounds is worked out when it is repaid in {month}.",
    "My card was declined twice on {day}, but both payments of {amount} pounds still show as pending.",
    "The standing order to the {account} account was set up in {month} and has never been taken.",
    "Write to the customer that the fee of {amount} pounds is returned within five working days.",
    "What must I bring to open a {account} account for a club with {number} members?",
    "A transfer of {amount} pounds to a new payee was held on {day} until the customer confirmed it by telephone.",
    "The exchange rate that was shown in the {place} differs from the one on the statement of {month}.",
    "We have received {number} complaints about the waiting time for a {product} since {month}.",
    "The direct debit for the insurance was collected on {day} instead of the date that had been agreed.",
    "Can the limit on the {account} account be raised to {amount} pounds before the holiday in {month}?",
    "The cash machine in the {place} kept the card after {number} wrong attempts and gave no receipt.",
    "An executor asks which papers the bank needs to close the {account} account of someone who has died.",
    "The {product} offered in {month} had a lower rate than the one in the letter of {day}.",
    "Explain to a student why an overdraft of {amount} pounds costs more than a {product}.",
    "The payee's name did not match, so the payment of {amount} pounds was stopped and has to be entered again.",
    "A merchant disputes {number} chargebacks that were all raised on the same {day}.",
    "Tell the customer which of the {number} savings products may be ended early, and what that would cost.",
    "The mortgage adviser has moved the meeting from {day} to another week in {month}.",
)
WORDS: dict[str, Sequence[str]] = {
    "account": ("current", "joint", "savings", "business", "deposit", "student"),
    "product": ("personal loan", "credit card", "mortgage", "car loan", "fixed bond", "money transfer", "guarantee"),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"),
    "month": ("January", "March", "April", "June", "August", "October", "December"),
    "place": ("north", "centre", "station", "market", "harbour", "old part"),
}
SYSTEM = "You work in a bank."
LEAD = "You write replies for the customer service of a bank. Keep to these rules."
FILLER = " and"
"""One token wherever it stands."""

PROMPT_TOKENS, NEW_TOKENS, SHARED_TOKENS, TAILS = 256, 128, 200, 5

Encode = Callable[[str, str], list[int]]
"""System and user message to the ids of the rendered prompt."""


def encoder(model_dir: Path) -> Encode:
    """The model's own chat template and tokenizer."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(str(model_dir), local_files_only=True)
    encode = PromptEncoder(tokenizer).encode
    return lambda system, user: encode(prompt(system, user))[0]


def one(encode: Encode, seed: str) -> list[Request]:
    """One prompt of 256 tokens, 128 to generate."""
    return [_sized(encode, random.Random(seed), PROMPT_TOKENS, NEW_TOKENS)]


def many(
    encode: Encode, seed: str, count: int, lengths: tuple[int, int] = (32, 400), news: tuple[int, int] = (16, 128)
) -> list[Request]:
    """``count`` prompts of mixed lengths and answers; between them, the whole range evenly."""
    rng = random.Random(seed)
    answers = _spaced(news, count)
    rng.shuffle(answers)
    made = [_sized(encode, rng, n, new) for n, new in zip(_spaced(lengths, count), answers, strict=True)]
    rng.shuffle(made)
    return made


def seen(encode: Encode, seed: str) -> list[Request]:
    """Prompts of 256 tokens that begin with the same 200: the first is the one that the others have seen."""
    rng = random.Random(seed)
    task = _fit(lambda text: shared(encode(text, "A"), encode(text, "B")), f"{LEAD} {text(rng)}", SHARED_TOKENS)
    return [_sized(encode, rng, PROMPT_TOKENS, 4, task) for _ in range(TAILS + 1)]


def shared(left: Sequence[int], right: Sequence[int]) -> int:
    """Length of the common beginning."""
    return next((n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))


def text(rng: random.Random, sentences: int = 60) -> str:
    """Sentences about a bank's day."""
    return " ".join(_sentence(rng) for _ in range(sentences))


def _sentence(rng: random.Random) -> str:
    chosen = {name: rng.choice(words) for name, words in WORDS.items()}
    return rng.choice(SENTENCES).format(amount=rng.randrange(10, 9000), number=rng.randrange(2, 40), **chosen)


def _sized(encode: Encode, rng: random.Random, tokens: int, new: int, system: str = SYSTEM) -> Request:
    user = _fit(lambda text: len(encode(system, text)), text(rng), tokens)
    return Request(system, user, encode(system, user), new)


def _fit(count: Callable[[str], int], text: str, wanted: int) -> str:
    """Cut ``text`` after a word, and fill up, so that ``count`` of it is ``wanted``.

    Raises:
        ValueError: it cannot be: the text, or the tokenizer, is not what this was written for.
    """
    words = text.split(" ")[:wanted]  # a word is a token or more
    kept = bisect_right(range(1, len(words) + 1), wanted, key=lambda n: count(" ".join(words[:n])))
    cut = " ".join(words[:kept])
    if kept:
        cut += FILLER * (wanted - count(cut))
    if not kept or count(cut) != wanted:
        raise ValueError(f"no text of {wanted} tokens: got {count(cut)}")
    return cut


def _spaced(limits: tuple[int, int], count: int) -> list[int]:
    low, high = limits
    return [low + round(n * (high - low) / max(1, count - 1)) for n in range(count)]
