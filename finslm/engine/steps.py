"""The step loop: tell the late, classify, then read prompts and labels and write all running answers in one step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from finslm.engine.answer import NOT_FINITE, Answer
from finslm.engine.blocks import BlockPool
from finslm.engine.jobs import Classification, Encoding, Generation, Outcome, Reading, Scoring, State, Tagging
from finslm.engine.mailbox import DEADLINE_MESSAGE
from finslm.engine.runner import Logits, Part, ReadsTexts, Runner, TagsTokens
from finslm.engine.sampler import choose_rows
from finslm.engine.scheduler import Plan, Read, Scheduler
from finslm.errors import DeadlineExceeded, EngineUnavailable, FinslmError, TruncatedOutput

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
        for errand in plan.errands:
            errand.run()
        if plan.classify:
            self._classify(plan.classify)
        if plan.read or plan.write or plan.score:
            self._feed(plan)

    def _classify(self, jobs: tuple[Classification, ...]) -> None:
        tagging = [job for job in jobs if isinstance(job, Tagging)]
        if tagging:
            self._tell(tagging, self._tagger.tag([(job.adapter, job.tokens) for job in tagging]))
        for job in jobs:
            if isinstance(job, Encoding):
                self._tell([job], [self._reader.read(job.texts)])
        whole = [job for job in jobs if not isinstance(job, Tagging | Encoding)]
        if whole:
            self._tell(whole, self._runner.classify([(job.adapter, job.tokens) for job in whole]))

    def _tell(self, jobs: Sequence[Classification], results: Sequence[Outcome]) -> None:
        for job, scores in zip(jobs, results, strict=True):
            self._scheduler.done(job)
            job.deliver(scores)
            self._counters.prefill_tokens += len(job.tokens)

    @property
    def _tagger(self) -> TagsTokens:
        if not isinstance(self._runner, TagsTokens):
            raise AssertionError(  # noqa: TRY004 - not of a wrong argument
                "no other runner prepares an adapter that tags"
            )
        return self._runner

    @property
    def _reader(self) -> ReadsTexts:
        if not isinstance(self._runner, ReadsTexts):
            raise AssertionError("no text to read is taken in without an encoder")  # noqa: TRY004
        return self._runner

    def _feed(self, plan: Plan) -> None:
        """Everything that goes through the cache, in one step."""
        most = self._draft_tokens if len(plan.write) <= MAX_DRAFTING else 0
        fed = [*(self._read(read) for read in plan.read), *(self._write(job, most) for job in plan.write)]
        # Those who write first: their rows are handed to the sampler as they lie, not copied.
        fed.sort(key=lambda each: isinstance(each.job, Scoring))
        forks = [part for job in plan.score for part in self._fork(job)]
        logits = self._runner.step([*(each.part for each in fed), *forks])
        for each in fed:
            self._pool.advance(each.job.blocks, len(each.part.tokens) - len(each.draft))
        self._counters.steps += 1
        self._counters.batch_size_last = len(plan.write)
        done = [each for each in fed if each.part.wanted]
        writing = [each for each in done if isinstance(each.job, Generation)]
        rows = sum(each.part.wanted for each in writing)
        self._choose(writing, logits[:rows])
        left = iter(logits[rows:])
        for asking in (each.job for each in done if isinstance(each.job, Scoring)):
            if not asking.trie.take((), next(left)):
                self._fail(asking, EngineUnavailable(NOT_FINITE))
        for job in plan.score:
            self._take(job, left)

    def _read(self, read: Read) -> _Fed:
        job, table = read.job, read.job.blocks
        if isinstance(job, Generation) and job not in self._answers:
            self._answers[job] = Answer(job, self._decode_text, self._end_ids)
        if table.past == table.reused:  # the first piece
            self._counters.reused_tokens += table.reused
        self._counters.prefill_tokens += read.count
        ends = table.past + read.count
        wanted = int(ends == len(job.tokens))
        part = Part(job.tokens[table.past : ends], table.past, table.blocks, wanted=wanted, adapter=job.adapter)
        return _Fed(job, part)

    def _write(self, job: Generation, most: int) -> _Fed:
        answer = self._answers[job]
        draft = answer.draft(most)
        self._counters.draft_tokens += len(draft)
        tokens = [answer.last_token, *draft]
        part = Part(tokens, job.blocks.past, job.blocks.blocks, wanted=len(tokens), adapter=job.adapter)
        return _Fed(job, part, draft)

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
            self._fail(job, EngineUnavailable(NOT_FINITE))
        elif job.wave == len(job.forks.waves):
            self._scheduler.done(job)
            job.deliver(job.trie.scores())

    def _fail(self, job: Reading, error: FinslmError) -> None:
        """What it left in the cache nobody else is to read: its numbers may be the reason."""
        self._scheduler.done(job, discard=True)  # before it is told: who has the answer may count on the room
        job.deliver(error)

    def _choose(self, writing: list[_Fed], logits: Logits) -> None:
        """The next token of each, from the first of its rows; see :meth:`_follow` for the others."""
        if not writing:
            return
        answers = [self._answers[job] for job in (each.job for each in writing) if isinstance(job, Generation)]
        rows = [0, *accumulate(each.part.wanted for each in writing)][:-1]
        first = logits if len(logits) == len(writing) else logits[rows]
        masks = [answer.mask() for answer in answers]
        tokens = choose_rows(first, [answer.sampler for answer in answers], masks)
        for each, answer, row, token in zip(writing, answers, rows, tokens, strict=True):
            self._follow(answer, token, each.draft, logits[row + 1 : row + each.part.wanted])

    def _follow(self, answer: Answer, token: int | None, draft: Sequence[int], logits: Logits) -> None:
        """Take the chosen token, and as long as the draft had guessed it, choose the next from the row behind it.

        Every token is chosen as it would be without a draft, with as many draws: drafts change the time only. What
        a wrong guess left in the cache lies behind the end of the sequence and is overwritten by the next step.
        """
        for place, guess in enumerate(draft):
            if not self._accept(answer, token) or token != guess:
                return
            self._pool.advance(answer.job.blocks, 1)
            self._counters.accepted_tokens += 1
            (token,) = choose_rows(logits[place : place + 1], [answer.sampler], [answer.mask()])
        self._accept(answer, token)

    def _accept(self, answer: Answer, token: int | None) -> bool:
        """Deliver; whether the answer goes on."""
        if token is None:
            self._fail(answer.job, answer.failure())
            return False
        self._counters.decode_tokens += 1
        try:
            chunk = answer.accept(token)
        except TruncatedOutput as error:
            self._scheduler.done(answer.job)
            answer.job.deliver(error)
            return False
        if chunk is None:
            return True
        ended = chunk.finish_reason is not None
        if ended:
            self._scheduler.done(answer.job)
        answer.job.deliver(chunk)
        return not ended


@final
@dataclass(frozen=True, slots=True)
class _Fed:
    """What a job adds to a step; the last ``draft`` of its tokens are guesses."""

    job: Reading
    part: Part
    draft: Sequence[int] = ()
