"""Whether an export gives the answers of the original, on texts that were not chosen to please."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from finslm.engine.weights import Floats
from finslm.errors import ConfigError
from finslm.export.original import Answers

TOLERANCE: Final = 0.01
"""How far a probability may be from the original's. Half precision moves it by less than a thousandth."""
GREEDY_TOKENS: Final = 12
"""Of one that writes: how many tokens are written greedily and have to be the same."""
PROBES: Final = (
    "My new card has not arrived yet.",
    "I was charged twice for the same payment at the grocer's, please send one back!",
    "what's the exchange rate for EUR -> USD today?",
    "Bitte überweisen Sie 1.250,00 EUR auf [IBAN_CODE_1]",
    "I forgot my PIN and the app blocks me out after three attempts",
    "The company raised its full-year guidance after operating profit rose to EUR 13.1 mn from EUR 8.7 mn.",
    "shares fell 4% in pre-market trading on weaker outlook",
    "They keep calling me about a debt that is not mine, although I disputed it in writing on [DATE_1].",
    "My mortgage servicer lost my payment and reported me to the credit bureaus.",
    "ok",
    "Where can I find the fees for an international transfer, and how long does it take until the money is there? "
    "I have sent 300 pounds to my sister [PERSON_1] last Tuesday, and nothing has come so far.",
    "Net sales 2019: 4,312 | 2018: 3,998 | 2017: 3,870 (in millions)",
    "play some jazz and dim the lights in the kitchen",
    "卡片丢失了怎么办？",
)
"""Messages, news, complaints, a table, other languages, something out of scope."""


@final
@dataclass(frozen=True, slots=True)
class Agreement:
    """How an export did beside the original."""

    by: str
    """What computed the export."""
    probes: int
    same_answers: int
    """Probes with the same label first, or the same greedy tokens."""
    largest_difference: float
    """Of a probability."""
    tolerance: float = TOLERANCE


def compare(by: str, original: Sequence[Floats], exported: Sequence[Floats]) -> Agreement:
    """Hold probabilities [L] of each probe against the original's.

    Raises:
        ConfigError: another label is first, or a probability is further away than :data:`TOLERANCE`.
    """
    same = sum(int(a.argmax() == b.argmax()) for a, b in zip(original, exported, strict=True))
    far = max(float(np.abs(a - b).max()) for a, b in zip(original, exported, strict=True))
    return _judged(Agreement(by, len(original), same, far))


def compare_writing(
    by: str, rows: Sequence[Sequence[int]], written: Sequence[tuple[list[int], Floats]], exported: Answers
) -> Agreement:
    """Hold greedy tokens, and the probabilities of the first, against the original's :func:`write`.

    Raises:
        ConfigError: another token, or a probability is further away than :data:`TOLERANCE`.
    """
    again = [write(exported, row) for row in rows]
    same = sum(int(a[0] == b[0]) for a, b in zip(written, again, strict=True))
    far = max(float(np.abs(a[1] - b[1]).max()) for a, b in zip(written, again, strict=True))
    return _judged(Agreement(by, len(rows), same, far))


def write(model: Answers, ids: Sequence[int]) -> tuple[list[int], Floats]:
    """Greedy tokens after a prompt, and the probabilities [V] of the first of them."""
    first = softmax(model(ids)[-1])
    written = [int(first.argmax())]
    while len(written) < GREEDY_TOKENS:
        written.append(int(model([*ids, *written])[-1].argmax()))
    return written, first


def softmax(logits: Floats) -> Floats:
    """Over the last axis."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True), np.float32)


def _judged(found: Agreement) -> Agreement:
    if found.same_answers < found.probes or not found.largest_difference <= found.tolerance:
        raise ConfigError(
            f"the export does not agree with the original by {found.by}: the same answer to {found.same_answers} of "
            f"{found.probes} probes, probabilities up to {found.largest_difference:.4f} away (limit "
            f"{found.tolerance}); nothing was written. Try --dtype float32"
        )
    return found
