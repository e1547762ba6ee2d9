"""The step loop: tell the late, classify, then read prompts and write all running answers in one step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from finslm.engine.answer import Answer
from finslm.engine.blocks import BlockPool
from finslm.engine.jobs import Classification, Generation, State
from finslm.engine.mailbox import DEADLINE_MESSAGE
from finslm.engine.runner import Logits, Part, Runner
from finslm.engine.sampler import choose_rows
from finslm.engine.scheduler import Plan, Scheduler
from finslm.errors import DeadlineExceeded, TruncatedOutput


@dataclass(slots=True)
class Counters:
    """What the loop has done so far; written by the worker thread only."""

    steps: int = 0
    prefill_tokens: int = 0
    reused_tokens: int = 0
    decode_tokens: int = 0
    batch_size_last: int = 0


class StepLoop:
    """Runs on the worker thread until the scheduler closes.

    Args:
        scheduler: says what each step does.
        runner: computes it.
        pool: blocks of the runner's cache.
        decode: ids to text.
        end_ids: tokens that end an answer.
        counters: kept up to date.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        runner: Runner,
        pool: BlockPool,
        decode: Callable[[list[int]], str],
        end_ids: frozenset[int],
        counters: Counters,
    ) -> None:
        self._scheduler, self._runner, self._pool = scheduler, runner, pool
        self._decode_text, self._end_ids = decode, end_ids
        self._counters = counters
        self._answers: dict[Generation, Answer] = {}

    def run(self) -> None:
        """Step until closed. An exception is not one request's: the caller fails all of them."""
        while (plan := self._scheduler.wait()) is not None:
            self.step(plan)

    def step(self, plan: Plan) -> None:
        """Carry out one plan."""
        for job in plan.late:
            job.deliver(DeadlineExceeded(DEADLINE_MESSAGE))
        self._answers = {job: answer for job, answer in self._answers.items() if job.state is State.RUNNING}
        if plan.classify:
            self._classify(plan.classify)
        if plan.read or plan.write:
            self._generate(plan)

    def _classify(self, jobs: tuple[Classification, ...]) -> None:
        results = self._runner.classify([(job.adapter, job.tokens) for job in jobs])
        for job, scores in zip(jobs, results, strict=True):
            job.deliver(scores)
            self._scheduler.done(job)
            self._counters.prefill_tokens += len(job.tokens)

    def _generate(self, plan: Plan) -> None:
        parts: list[Part] = []
        fed: list[tuple[Generation, int]] = []
        for read in plan.read:
            job, table = read.job, read.job.blocks
            if job not in self._answers:
                self._answers[job] = Answer(job, self._decode_text, self._end_ids)
                self._counters.reused_tokens += table.reused
            ends = table.past + read.count
            parts.append(
                Part(
                    job.tokens[table.past : ends],
                    table.past,
                    table.blocks,
                    wanted=int(ends == len(job.tokens)),
                    adapter=job.adapter,
                )
            )
            fed.append((job, read.count))
            self._counters.prefill_tokens += read.count
        for job in plan.write:
            parts.append(
                Part([self._answers[job].last_token], job.blocks.past, job.blocks.blocks, wanted=1, adapter=job.adapter)
            )
            fed.append((job, 1))
        logits = self._runner.step(parts)
        for job, count in fed:
            self._pool.advance(job.blocks, count)
        self._counters.steps += 1
        self._counters.batch_size_last = len(plan.write)
        self._choose([job for (job, _), part in zip(fed, parts, strict=True) if part.wanted], logits)

    def _choose(self, jobs: list[Generation], logits: Logits) -> None:
        answers = [self._answers[job] for job in jobs]
        masks = [answer.mask() for answer in answers]
        tokens = choose_rows(logits, [answer.sampler for answer in answers], masks)
        for answer, token in zip(answers, tokens, strict=True):
            if token is None:
                answer.job.deliver(answer.failure())
                self._scheduler.done(answer.job, discard=True)
                continue
            self._counters.decode_tokens += 1
            try:
                chunk = answer.accept(token)
            except TruncatedOutput as error:
                answer.job.deliver(error)
                self._scheduler.done(answer.job)
                continue
            if chunk is not None:
                answer.job.deliver(chunk)
                if chunk.finish_reason is not None:
                    self._scheduler.done(answer.job)
