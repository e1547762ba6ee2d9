"""The step loop: drop what is gone, classify, read new prompts, decode all running answers in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from finslm.engine.answer import Answer
from finslm.engine.jobs import Classification, Generation, State
from finslm.engine.mailbox import DEADLINE_MESSAGE
from finslm.engine.runner import Runner
from finslm.engine.sampler import choose_rows
from finslm.engine.scheduler import Plan, Scheduler
from finslm.errors import DeadlineExceeded, EngineUnavailable


@dataclass(slots=True)
class Counters:
    """What the loop has done so far; written by the worker thread only."""

    steps: int = 0
    prefill_tokens: int = 0
    decode_tokens: int = 0
    batch_size_last: int = 0


class StepLoop:
    """Runs on the worker thread until the scheduler closes.

    Args:
        scheduler: says what each step does.
        runner: holds a row for each running sequence, in the order of this loop's own list.
        decode: ids to text.
        end_ids: tokens that end an answer.
        counters: kept up to date.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        runner: Runner,
        decode: Callable[[list[int]], str],
        end_ids: frozenset[int],
        counters: Counters,
    ) -> None:
        self._scheduler, self._runner = scheduler, runner
        self._decode_text, self._end_ids = decode, end_ids
        self._counters = counters
        self._answers: list[Answer] = []

    def run(self) -> None:
        """Step until closed. An exception is not one request's: the caller fails all of them."""
        while (plan := self._scheduler.wait()) is not None:
            self.step(plan)
        self._runner.keep([])

    def step(self, plan: Plan) -> None:
        """Carry out one plan."""
        for job in plan.expired:
            job.deliver(DeadlineExceeded(DEADLINE_MESSAGE))
        self._drop_ended()
        if plan.classify:
            self._classify(plan.classify)
        for generation in plan.admit:
            self._prefill(generation)
        self._drop_ended()  # an answer can end with its first token
        if self._answers:
            self._decode()
            self._drop_ended()

    def _classify(self, jobs: tuple[Classification, ...]) -> None:
        """The plan gives jobs of one adapter only."""
        results = self._runner.classify(jobs[0].adapter, [job.tokens for job in jobs])
        for job, scores in zip(jobs, results, strict=True):
            job.deliver(scores)
            self._scheduler.done(job)
            self._counters.prefill_tokens += len(job.tokens)

    def _prefill(self, job: Generation) -> None:
        answer = Answer(job, self._decode_text, self._end_ids)
        logits = self._runner.prefill(job.tokens)
        self._answers.append(answer)
        self._counters.prefill_tokens += len(job.tokens)
        self._choose([answer], logits[None])

    def _decode(self) -> None:
        """One token for every row, those just read included."""
        logits = self._runner.decode([answer.last_token for answer in self._answers])
        self._counters.steps += 1
        self._counters.batch_size_last = len(self._answers)
        self._choose(self._answers, logits)

    def _choose(self, answers: Sequence[Answer], logits: torch.Tensor) -> None:
        tokens = choose_rows(logits, [answer.sampler for answer in answers])
        for answer, token in zip(answers, tokens, strict=True):
            if token is None:
                answer.job.deliver(EngineUnavailable("the model gave numbers that are not finite for this request"))
                self._scheduler.done(answer.job)
                continue
            self._counters.decode_tokens += 1
            if (chunk := answer.accept(token)) is not None:
                answer.job.deliver(chunk)
                if chunk.finish_reason is not None:
                    self._scheduler.done(answer.job)

    def _drop_ended(self) -> None:
        """Make the loop's list and the runner's rows those that still run."""
        rows = [row for row, answer in enumerate(self._answers) if answer.job.state is State.RUNNING]
        self._runner.keep(rows)
        self._answers = [self._answers[row] for row in rows]
