"""The step loop: tell the late, classify, then read prompts and write all running answers in one step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from finslm.engine.answer import Answer
from finslm.engine.blocks import BlockPool
from finslm.engine.jobs import Classification, Generation, State
from finslm.engine.mailbox import DEADLINE_MESSAGE
from finslm.engine.runner import Logits, Part, Runner
from finslm.engine.sampler import choose_rows
from finslm.engine.scheduler import Plan, Scheduler
from finslm.errors import DeadlineExceeded, EngineUnavailable

MAX_DRAFTING: Final = 2
"""Answers in a step up to which guesses are worth their computing (docs/engine.md): the more rows, the less is free."""


@dataclass(slots=True)
class Counters:
    """What the loop has done so far; written by the worker thread only."""

    steps: int = 0
    prefill_tokens: int = 0
    reused_tokens: int = 0
    decode_tokens: int = 0
    draft_tokens: int = 0
    accepted_tokens: int = 0
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
        draft_tokens: guessed for an answer in a step, at most; 0: none.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        runner: Runner,
        pool: BlockPool,
        decode: Callable[[list[int]], str],
        end_ids: frozenset[int],
        counters: Counters,
        draft_tokens: int,
    ) -> None:
        self._scheduler, self._runner, self._pool = scheduler, runner, pool
        self._decode_text, self._end_ids = decode, end_ids
        self._counters, self._draft_tokens = counters, draft_tokens
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
            self._scheduler.done(job)
            job.deliver(scores)
            self._counters.prefill_tokens += len(job.tokens)

    def _generate(self, plan: Plan) -> None:
        parts: list[Part] = []
        asked: list[_Asked] = []
        fed: list[tuple[Generation, int]] = []
        for read in plan.read:
            job, table = read.job, read.job.blocks
            if job not in self._answers:
                self._answers[job] = Answer(job, self._decode_text, self._end_ids)
                self._counters.reused_tokens += table.reused
            ends = table.past + read.count
            whole = ends == len(job.tokens)
            parts.append(
                Part(job.tokens[table.past : ends], table.past, table.blocks, wanted=int(whole), adapter=job.adapter)
            )
            fed.append((job, read.count))
            if whole:
                asked.append(_Asked(self._answers[job], len(asked), []))
            self._counters.prefill_tokens += read.count
        row = len(asked)
        most = self._draft_tokens if len(plan.write) <= MAX_DRAFTING else 0
        for job in plan.write:
            answer, table = self._answers[job], job.blocks
            draft = answer.draft(most)
            tokens = [answer.last_token, *draft]
            parts.append(Part(tokens, table.past, table.blocks, wanted=len(tokens), adapter=job.adapter))
            fed.append((job, 1))
            asked.append(_Asked(answer, row, draft))
            row += len(tokens)
        logits = self._runner.step(parts)
        for job, count in fed:
            self._pool.advance(job.blocks, count)
        self._counters.steps += 1
        self._counters.batch_size_last = len(plan.write)
        self._choose(asked, logits)

    def _choose(self, asked: list[_Asked], logits: Logits) -> None:
        first = logits if len(logits) == len(asked) else logits[[each.row for each in asked]]
        tokens = choose_rows(first, [each.answer.sampler for each in asked])
        for each, token in zip(asked, tokens, strict=True):
            self._follow(each, token, logits)

    def _follow(self, asked: _Asked, token: int | None, logits: Logits) -> None:
        """Take the chosen token, and as long as the draft had guessed it, choose the next from the row behind it.

        Every token is chosen as it would be without a draft, with as many draws: drafts change the time only. What
        a wrong guess left in the cache lies behind the end of the sequence and is overwritten by the next step.
        """
        job, sampler = asked.answer.job, asked.answer.sampler
        self._counters.draft_tokens += len(asked.draft)
        for row, guess in enumerate(asked.draft, asked.row + 1):
            if not self._accept(asked.answer, token) or token != guess:
                return
            self._pool.advance(job.blocks, 1)
            self._counters.accepted_tokens += 1
            (token,) = choose_rows(logits[row : row + 1], [sampler])
        self._accept(asked.answer, token)

    def _accept(self, answer: Answer, token: int | None) -> bool:
        """Deliver; whether the answer goes on."""
        if token is None:
            self._scheduler.done(answer.job, discard=True)
            answer.job.deliver(EngineUnavailable("the model gave numbers that are not finite for this request"))
            return False
        self._counters.decode_tokens += 1
        if (chunk := answer.accept(token)) is None:
            return True
        ended = chunk.finish_reason is not None
        if ended:
            self._scheduler.done(answer.job)  # before it is told: who has the answer may count on the room
        answer.job.deliver(chunk)
        return not ended


@final
@dataclass(frozen=True, slots=True)
class _Asked:
    """An answer that gets a token: ``row`` of the logits is its first, behind it lie those of its draft."""

    answer: Answer
    row: int
    draft: list[int]
