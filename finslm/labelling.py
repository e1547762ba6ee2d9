"""Steps (9) and (10) of Classify: the head of a task's adapter scores its labels, or the model those of the request.

The model's own scores are calibrated for the context (Zhao et al. 2021, "Calibrate Before Use",
arXiv:2102.09690). A language model prefers some labels whatever the text is: frequent words, short ones, those that
its prompt suggests. What it prefers is measured with texts that say nothing, under the same prompt:

1. For the text and for each content-free one, the labels' log-probabilities after the prompt, softmax over the labels.
2. The prior of a label is its mean probability over the content-free texts.
3. The score is softmax((log p(label | text) - log prior(label)) / temperature of the task).

This is the paper's W = diag(prior)^-1, b = 0, renormalised so that the scores are probabilities.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, final

from finslm.engine.base import Engine
from finslm.engine.labels import normalised
from finslm.tasks import Task
from finslm.types import Call, LabelScore, ModelIdentity, Prompt
from redaction.text import RedactedText

CONTENT_FREE: Final = tuple(RedactedText.trusted(text) for text in ("N/A", "[MASK]", ""))
"""Those of the paper (section 5)."""
MAX_PRIORS: Final = 256
"""Priors that are kept: of so many tasks, sets of labels and tenants; the longest unused goes first."""


@final
class Labelling:
    """Scores labels. It keeps no text: a prior is found by a digest.

    Args:
        engine: what computes.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._priors: OrderedDict[bytes, tuple[float, ...]] = OrderedDict()

    def adapter(self, task: Task) -> ModelIdentity | None:
        """The classifier of a task; None where the model itself scores."""
        return next((a for a in self._engine.adapters if a.name == task.adapter), None)

    async def score(
        self, call: Call, task: Task, text: RedactedText, labels: Sequence[RedactedText]
    ) -> tuple[Sequence[LabelScore], int]:
        """Score the labels of a task for a text.

        Args:
            labels: the request's, checked; none for a task with an adapter.

        Returns:
            Labels by falling probability, and the tokens read for this text. Those of content-free texts are not
            counted: whether a prior was there already is not the caller's doing.

        Raises:
            UnknownAdapter, PromptTooLong, Overloaded, DeadlineExceeded, EngineUnavailable: of the engine.
        """
        prompt, tenant, deadline = task.render(text), call.principal.tenant, call.deadline
        if task.adapter is not None:
            return await self._engine.classify(prompt, task.adapter, tenant=tenant, deadline=deadline)
        scores, tokens = await self._engine.score(prompt, labels, tenant=tenant, deadline=deadline)
        ordered = sorted(labels, key=lambda label: label.value)
        prior = dict(zip((label.value for label in ordered), await self._prior(call, task, ordered), strict=True))
        return normalised({s.label: (_logprob(s) - prior[s.label]) / task.temperature for s in scores}), tokens

    async def _prior(self, call: Call, task: Task, labels: Sequence[RedactedText]) -> tuple[float, ...]:
        """Logarithms of the labels' priors, up to a constant; computed once for each prompt, labels and tenant.

        A tenant of its own for each: the time an answer takes must not tell that others ask about the same labels.
        """
        prompts = [task.render(text) for text in CONTENT_FREE]
        name = self._name(call.principal.tenant, prompts, labels)
        if name not in self._priors:
            self._priors[name] = await self._measure(call, prompts, labels)
            while len(self._priors) > MAX_PRIORS:
                self._priors.popitem(last=False)
        self._priors.move_to_end(name)
        return self._priors[name]

    async def _measure(
        self, call: Call, prompts: Sequence[Prompt], labels: Sequence[RedactedText]
    ) -> tuple[float, ...]:
        tenant, deadline = call.principal.tenant, call.deadline
        of_labels: dict[str, list[float]] = {label.value: [] for label in labels}
        for prompt in prompts:  # one after the other: a first request takes no more room than any other
            scores, _ = await self._engine.score(prompt, labels, tenant=tenant, deadline=deadline)
            largest = max(map(_logprob, scores))
            whole = largest + math.log(math.fsum(math.exp(_logprob(s) - largest) for s in scores))
            for score in scores:
                of_labels[score.label].append(_logprob(score) - whole)
        return tuple(_log_mean(values) for values in of_labels.values())

    def _name(self, tenant: str, prompts: Sequence[Prompt], labels: Sequence[RedactedText]) -> bytes:
        """Digest of all that a prior depends on; lengths are part of it. The base alone writes here: no adapter."""
        parts = [tenant, self._engine.model.digest, *(label.value for label in labels)]
        for prompt in prompts:
            parts += [part for m in prompt.messages for part in (m.role, m.text.value)] + [prompt.prefill.value]
        encoded = [part.encode() for part in parts]
        return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in encoded)).digest()


def _logprob(score: LabelScore) -> float:
    if score.logprob is None:
        raise AssertionError("an engine gives the log-probability of what it scores")
    return score.logprob


def _log_mean(values: Sequence[float]) -> float:
    """Logarithm of the mean of what the values are the logarithms of, also where those are too small for a float."""
    largest = max(values)
    return largest + math.log(math.fsum(math.exp(value - largest) for value in values) / len(values))
