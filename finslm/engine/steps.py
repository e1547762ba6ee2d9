"""The step loop: tell the late, classify, then read prompts and labels and write all running answers in one step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finslm.engine.answer import Answer
from finslm.engine.blocks import BlockPool
from finslm.engine.jobs import Classification, Generation, Reading, Scoring, State
from finslm.engine.mailbox import DEADLINE_MESSAGE
from finslm.engine.runner import Logits, Part, Runner
from finslm.engine.sampler import choose_rows
from finslm.engine.scheduler import Plan, Read, Scheduler
from finslm.errors import DeadlineExceeded, EngineUnavailable


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
        if plan.read or plan.write or plan.score:
            self._feed(plan)

    def _classify(self, jobs: tuple[Classification, ...]) -> None:
        results = self._runner.classify([(job.adapter, job.tokens) for job in jobs])
        for job, scores in zip(jobs, results, strict=True):
            job.deliver(scores)
            self._scheduler.done(job)
            self._counters.prefill_tokens += len(job.tokens)

    def _feed(self, plan: Plan) -> None:
        """Everything that goes through the cache, in one step."""
        fed = [*(self._read(read) for read in plan.read), *(self._write(job) for job in plan.write)]
        # Those who write first: their rows are handed to the sampler as they lie, not copied.
        fed.sort(key=lambda pair: isinstance(pair[0], Scoring))
        forks = [part for job in plan.score for part in self._fork(job)]
        logits = self._runner.step([*(part for _, part in fed), *forks])
        for job, part in fed:
            self._pool.advance(job.blocks, len(part.tokens))
        self._counters.steps += 1
        self._counters.batch_size_last = len(plan.write)
        done = [job for job, part in fed if part.wanted]
        writing = [job for job in done if isinstance(job, Generation)]
        self._choose(writing, logits[: len(writing)])
        rows = iter(logits[len(writing) :])
        for asking in (job for job in done if isinstance(job, Scoring)):
            if not asking.trie.take((), next(rows)):
                self._fail(asking)
        for job in plan.score:
            self._take(job, rows)

    def _read(self, read: Read) -> tuple[Reading, Part]:
        job, table = read.job, read.job.blocks
        if isinstance(job, Generation) and job not in self._answers:
            self._answers[job] = Answer(job, self._decode_text, self._end_ids)
        if table.past == table.reused:  # the first piece
            self._counters.reused_tokens += table.reused
        self._counters.prefill_tokens += read.count
        ends = table.past + read.count
        wanted = int(ends == len(job.tokens))
        return job, Part(job.tokens[table.past : ends], table.past, table.blocks, wanted=wanted, adapter=job.adapter)

    def _write(self, job: Generation) -> tuple[Reading, Part]:
        tokens = [self._answers[job].last_token]
        return job, Part(tokens, job.blocks.past, job.blocks.blocks, wanted=1, adapter=job.adapter)

    def _fork(self, job: Scoring) -> list[Part]:
        """The next labels, each a sequence of its own that begins with the prompt."""
        self._runner.copy(job.forks.copies(job.wave, job.blocks.blocks))
        self._counters.prefill_tokens += job.wave_tokens
        return [
            Part(job.trie.paths[number], len(job.tokens), blocks, wanted=job.trie.fresh(number), adapter=job.adapter)
            for number, blocks in zip(
                job.forks.waves[job.wave], job.forks.forks(job.wave, job.blocks.blocks), strict=True
            )
        ]

    def _take(self, job: Scoring, rows: Iterator[NDArray[np.float32]]) -> None:
        """What the labels of a wave gave; every row that is theirs is taken, whatever is in it."""
        finite = True
        for number in job.forks.waves[job.wave]:
            path = job.trie.paths[number]
            for end in range(len(path) - job.trie.fresh(number) + 1, len(path) + 1):
                finite = job.trie.take(path[:end], next(rows)) and finite
        job.wave += 1
        if not finite:
            self._fail(job)
        elif job.wave == len(job.forks.waves):
            job.deliver(job.trie.scores())
            self._scheduler.done(job)

    def _fail(self, job: Reading) -> None:
        job.deliver(EngineUnavailable("the model gave numbers that are not finite for this request"))
        self._scheduler.done(job, discard=True)

    def _choose(self, jobs: list[Generation], logits: Logits) -> None:
        if not jobs:
            return
        answers = [self._answers[job] for job in jobs]
        tokens = choose_rows(logits, [answer.sampler for answer in answers])
        for answer, token in zip(answers, tokens, strict=True):
            if token is None:
                self._fail(answer.job)
                continue
            self._counters.decode_tokens += 1
            if (chunk := answer.accept(token)) is not None:
                answer.job.deliver(chunk)
                if chunk.finish_reason is not None:
                    self._scheduler.done(answer.job)
