"""Who runs in the next step: queue, admission, fairness, cancellation, deadlines. No tensors here.

The event loop submits and cancels; the worker thread asks for the next plan. Everything happens
between steps, so a cancelled or expired job never takes part in another one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar, final

from finslm.engine.blocks import BlockPool
from finslm.engine.jobs import Classification, Generation, Job, Reading, Scoring, State
from finslm.errors import EngineUnavailable, Overloaded

J = TypeVar("J", bound=Job)

MIN_RETRY_S, MAX_RETRY_S = 0.25, 30.0
"""Bounds of the retry hint, seconds."""
_SMOOTHING: Final = 0.1
"""Weight of the newest job in the mean time of a step."""
_WAITING: Final = 0.5
"""Most of its time that a request may wait. Without this limit short ones would fill the queue up to where only short
ones can still be done in time, and a long one would never get in."""
_ALONE: Final = 0.25
"""Time of a step with one answer, as a share of one with a full batch (docs/engine.md)."""


@final
@dataclass(frozen=True, slots=True)
class Read:
    """The next ``count`` tokens of a prompt."""

    job: Reading
    count: int


@final
@dataclass(frozen=True, slots=True)
class Errand:
    """What may not happen during a step: the worker runs it between two, and ``done`` says what came of it."""

    work: Callable[[], None]
    done: Future[None] = field(default_factory=Future)

    def run(self) -> None:
        """Run it; what it raises goes to who waits, not to the worker."""
        try:
            self.work()
        except Exception as error:  # noqa: BLE001 - one adapter's failure is not the engine's
            self.done.set_exception(error)
        else:
            self.done.set_result(None)


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """What the worker does next: tell those who are too late, then classify, read and write in one step."""

    late: tuple[Job, ...]
    classify: tuple[Classification, ...]
    read: tuple[Read, ...]
    write: tuple[Generation, ...]
    score: tuple[Scoring, ...] = ()
    """Those whose prompt is read and whose next labels are fed."""
    errands: tuple[Errand, ...] = ()
    """To run first."""


@final
class Scheduler:
    """Continuous batching with equal shares for tenants and a bounded queue.

    Among those of the highest priority, the next to start is the oldest request of the tenant that was given the
    fewest tokens (virtual token counters; Sheng et al. 2024, arXiv:2401.00588). A request starts when the cache
    has room for all it may read and write, so a running one never has to stop for another; prompts are read in
    pieces between the steps in which the others write.

    Args:
        max_batch: generations and scorings of labels that run at once.
        max_queue: jobs that may wait.
        pool: blocks of the cache.
        read_tokens: tokens of a step in which prompts are read, one for each that writes among them.
        clock: seconds, monotonic; deadlines are in its time.
    """

    def __init__(
        self, max_batch: int, max_queue: int, pool: BlockPool, read_tokens: int, clock: Callable[[], float]
    ) -> None:
        self._max_batch, self._max_queue = max_batch, max_queue
        self._pool, self._read_tokens, self._clock = pool, read_tokens, clock
        self._changed = threading.Condition(threading.RLock())
        self._waiting: list[Job] = []
        self._running: list[Job] = []
        self._errands: list[Errand] = []
        self._served: dict[str, float] = {}
        """Tokens each tenant was given; tenants come from the operator's list, so there are not many."""
        self._closed = False
        self._step_s = 0.0
        """Seconds of a step with a full batch, smoothed, from the time and the work of jobs; 0 until one has ended."""

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Jobs that hold a slot."""
        return len(self._running)

    def check_room(self, deadline: float | None = None, takes_s: float = 0.0) -> None:
        """Refuse early, before any work.

        Args:
            deadline: see :class:`finslm.engine.jobs.Job`.
            takes_s: from its start to its end, as far as that is known.

        Raises:
            Overloaded: the queue is full, or those before it are expected to take until too near the deadline: better
                to say so at once than to begin what nobody waits for. ``retry_after_s`` is the time the queue takes.
            EngineUnavailable: closed.
        """
        if self._closed:
            raise EngineUnavailable("the engine takes no new requests: it is closing or has failed")
        with self._changed:
            # Cancelled jobs go at the next plan and take nobody's room until then; jobs that the
            # next plan will admit do not wait.
            free = self._max_batch - sum(not job.cancelled for job in self._running)
            waiting = sum(not job.cancelled for job in self._waiting) - max(0, free)
            wait_s = self._drain_s()
            if waiting >= self._max_queue:
                raise Overloaded(
                    f"{waiting} requests are waiting, the limit is {self._max_queue}: try again later",
                    retry_after_s=_hint(wait_s),
                )
            allowed_s = float("inf") if deadline is None else deadline - self._clock()
            if free <= 0 and wait_s >= min(allowed_s - takes_s, allowed_s * _WAITING):
                raise Overloaded(
                    f"{waiting} requests are waiting, longer than the deadline allows: try again later or allow more "
                    "time",
                    retry_after_s=_hint(wait_s),
                )

    def submit(self, job: Job) -> None:
        """Queue a job.

        Raises:
            Overloaded, EngineUnavailable: as for :meth:`check_room`, with the time that the job itself takes.
        """
        with self._changed:
            self.check_room(job.deadline, self._takes_s(job))
            if not any(other.tenant == job.tenant for other in (*self._waiting, *self._running)):
                # Who was away gets its share from now on, not what it has left to others.
                shares = [self._served.get(other.tenant, 0.0) for other in (*self._waiting, *self._running)]
                self._served[job.tenant] = max(self._served.get(job.tenant, 0.0), min(shares, default=0.0))
            self._waiting.append(job)
            self._changed.notify()

    def cancel(self, job: Job) -> None:
        """Take a job out before the next step; nothing happens if it has ended."""
        with self._changed:
            job.cancelled = True
            self._changed.notify()

    def done(self, job: Job, *, discard: bool = False) -> None:
        """Free the slot of a job that has been answered or has failed.

        Args:
            discard: what it left in the cache is not to be read by others.
        """
        with self._changed:
            self._end(job, discard=discard)
            if job in self._running:
                self._running.remove(job)
                step_s = (self._clock() - job.started_at) / job.work / self._fullness(len(self._running) + 1)
                self._step_s += (_SMOOTHING if self._step_s else 1.0) * (step_s - self._step_s)

    def between_steps(self, work: Callable[[], None]) -> Future[None]:
        """Run something on the worker when no step is in progress.

        A job that was cancelled or done before has left the step by then.

        Raises:
            EngineUnavailable: closed.
        """
        errand = Errand(work)
        with self._changed:
            if self._closed:
                raise EngineUnavailable("the engine has ended")
            self._errands.append(errand)
            self._changed.notify()
        return errand.done

    def close(self) -> None:
        """Refuse what is new and end :meth:`wait`; what is in already stays until :meth:`drain`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def drain(self) -> list[Job]:
        """Take out every job that is not answered yet."""
        with self._changed:
            left = [job for job in (*self._running, *self._waiting) if not job.cancelled]
            for job in (*self._running, *self._waiting):
                self._end(job)
            self._running.clear()
            self._waiting.clear()
            for errand in self._errands:
                errand.done.set_exception(EngineUnavailable("the engine has ended"))
            self._errands.clear()
            return left

    def wait(self) -> Plan | None:
        """Block until there is work, then plan it; None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting or self._running or self._errands)
            return None if self._closed else self.plan()

    def plan(self) -> Plan:
        """Decide the next step, without blocking."""
        with self._changed:
            now = self._clock()
            late = self._drop_gone(now)
            classify = self._start_classifications(now)
            self._start_readings(now)
            running = [job for job in self._running if isinstance(job, Reading)]
            write = tuple(job for job in running if isinstance(job, Generation) and not job.unread)
            for job in write:
                self._charge(job, 1)
            errands, self._errands = tuple(self._errands), []
            return replace(Plan(late, classify, *self._share(running, write)), errands=errands)

    def _drop_gone(self, now: float) -> tuple[Job, ...]:
        gone = [job for job in (*self._running, *self._waiting) if job.cancelled or job.expired(now)]
        # What cannot be done in time is not begun: the time goes to those who can still be served.
        gone += [
            job
            for job in self._waiting
            if job not in gone and job.deadline is not None and now + self._takes_s(job) >= job.deadline
        ]
        for job in gone:
            self._end(job)
        if gone:
            self._running = [job for job in self._running if job.state is not State.ENDED]
            self._waiting = [job for job in self._waiting if job.state is not State.ENDED]
        return tuple(job for job in gone if not job.cancelled)

    def _start_classifications(self, now: float) -> tuple[Classification, ...]:
        """As many as a step may read; the first always, however long it is."""
        started: list[Classification] = []
        spent = 0
        for job in self._in_turn(Classification):
            spent += len(job.tokens)
            if started and spent > self._read_tokens:
                break
            self._start(job, now)
            self._charge(job, len(job.tokens))
            started.append(job)
        return tuple(started)

    def _start_readings(self, now: float) -> None:
        running = sum(isinstance(job, Reading) for job in self._running)
        for job in self._in_turn(Reading):
            if running >= self._max_batch:
                return
            job.table = self._pool.open(job.tokens, job.room(self._pool.block_tokens), job.root)
            if job.table is None:  # nobody may overtake it, or it would wait for ever
                return
            self._start(job, now)
            self._charge(job, len(job.tokens) - job.table.reused)
            running += 1

    def _share(
        self, running: list[Reading], write: tuple[Generation, ...]
    ) -> tuple[tuple[Read, ...], tuple[Generation, ...], tuple[Scoring, ...]]:
        """Prompts and labels in the order in which their jobs started, up to the budget of a step.

        Labels are not cut: those of the first job are fed whole, however many they are.
        """
        # Who writes takes part of the budget: steps that read have the same size then, and one whose size is another
        # than that of the step before takes longer.
        left = whole = max(1, self._read_tokens - len(write))
        reads: list[Read] = []
        scores: list[Scoring] = []
        for job in running:
            if count := min(job.unread, left):
                left -= count
                reads.append(Read(job, count))
            elif isinstance(job, Scoring) and not job.unread and (job.wave_tokens <= left or left == whole):
                left = max(0, left - job.wave_tokens)
                scores.append(job)
                self._charge(job, job.wave_tokens)
        return tuple(reads), write, tuple(scores)

    def _in_turn(self, kind: type[J]) -> Iterator[J]:
        """Waiting jobs of a kind, each the next in turn when it is asked for."""
        left = [job for job in self._waiting if isinstance(job, kind)]
        while left:
            chosen = min(
                left, key=lambda job: (-job.priority, self._served.get(job.tenant, 0.0))
            )  # the oldest of equals
            left.remove(chosen)
            yield chosen

    def _start(self, job: Job, now: float) -> None:
        job.state, job.started_at = State.RUNNING, now
        self._waiting.remove(job)
        self._running.append(job)

    def _charge(self, job: Job, tokens: int) -> None:
        self._served[job.tenant] = self._served.get(job.tenant, 0.0) + tokens

    def _end(self, job: Job, *, discard: bool = False) -> None:
        job.state = State.ENDED
        if isinstance(job, Reading) and job.table is not None:
            self._pool.close(job.table, discard=discard)
            job.table = None

    def _takes_s(self, job: Job) -> float:
        """Time from its start to its end, estimated, in the company there is now."""
        return job.work * self._step_s * self._fullness(len(self._running) + len(self._waiting))

    def _drain_s(self) -> float:
        """Time until a job that comes now would start, estimated; of those that run half is done, in the mean."""
        ahead = sum(job.work for job in self._waiting if not job.cancelled)
        ahead += sum(job.work / 2 for job in self._running if not job.cancelled)
        return ahead * self._step_s / self._max_batch

    def _fullness(self, jobs: int) -> float:
        """How long a step takes, as a share of one with a full batch."""
        return _ALONE + (1 - _ALONE) * min(1.0, jobs / self._max_batch)


def _hint(wait_s: float) -> float:
    return round(min(MAX_RETRY_S, max(MIN_RETRY_S, wait_s)), 3)
