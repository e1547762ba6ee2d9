"""Who runs in the next step: queue, admission, batch membership, cancellation, deadlines. No tensors here.

The event loop submits and cancels; the worker thread asks for the next plan. Everything happens
between steps, so a cancelled or expired job never takes part in another one.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from finslm.engine.jobs import Classification, Generation, Job, State
from finslm.errors import EngineUnavailable, Overloaded

J = TypeVar("J", bound=Job)

PREFILL_TOKENS_PER_STEP = 512
"""Prompt tokens read between two decode steps: more would make running answers stutter."""
MIN_RETRY_S, MAX_RETRY_S = 0.25, 30.0
"""Bounds of the retry hint, seconds."""
_SMOOTHING = 0.2
"""Weight of the newest job in the mean time of a job."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the worker does next: tell the expired, read the classified and the admitted, then decode one step."""

    expired: tuple[Job, ...]
    classify: tuple[Classification, ...]
    admit: tuple[Generation, ...]


class Scheduler:
    """First come, first served, with a bounded queue.

    Args:
        max_batch: generations that run at once, and classifications that share a prefill.
        max_queue: jobs that may wait.
        clock: seconds, monotonic; deadlines are in its time.
    """

    def __init__(self, max_batch: int, max_queue: int, clock: Callable[[], float]) -> None:
        self._max_batch, self._max_queue, self._clock = max_batch, max_queue, clock
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._running: list[Job] = []
        self._closed = False
        self._mean_job_s = 1.0

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Jobs that hold a slot."""
        return len(self._running)

    def check_room(self) -> None:
        """Refuse early, before any work.

        Raises:
            Overloaded: the queue is full; ``retry_after_s`` is the time the queue takes to drain, estimated.
            EngineUnavailable: closed.
        """
        if self._closed:
            raise EngineUnavailable("the engine takes no new requests: it is closing or has failed")
        with self._changed:
            # Cancelled jobs go at the next plan and take nobody's room until then; jobs that the
            # next plan will admit do not wait.
            free = self._max_batch - sum(not job.cancelled for job in self._running)
            waiting = sum(not job.cancelled for job in self._waiting) - max(0, free)
        if waiting >= self._max_queue:
            drain_s = waiting / self._max_batch * self._mean_job_s
            raise Overloaded(
                f"{waiting} requests are waiting, the limit is {self._max_queue}: try again later",
                retry_after_s=round(min(MAX_RETRY_S, max(MIN_RETRY_S, drain_s)), 3),
            )

    def submit(self, job: Job) -> None:
        """Queue a job.

        Raises:
            Overloaded, EngineUnavailable: as for :meth:`check_room`.
        """
        with self._changed:
            self.check_room()
            self._waiting.append(job)
            self._changed.notify()

    def cancel(self, job: Job) -> None:
        """Take a job out before the next step; nothing happens if it has ended."""
        with self._changed:
            job.cancelled = True
            self._changed.notify()

    def done(self, job: Job) -> None:
        """Free the slot of a job that has been answered or has failed."""
        with self._changed:
            job.state = State.ENDED
            if job in self._running:
                self._running.remove(job)
                self._mean_job_s += _SMOOTHING * (self._clock() - job.started_at - self._mean_job_s)

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
                job.state = State.ENDED
            self._running.clear()
            self._waiting.clear()
            return left

    def wait(self) -> Plan | None:
        """Block until there is work, then plan it; None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting or self._running)
            return None if self._closed else self.plan()

    def plan(self) -> Plan:
        """Decide the next step, without blocking."""
        with self._changed:
            now = self._clock()
            expired = self._drop_gone(now)
            classify = self._take_classifications(now)
            return Plan(expired, classify, self._admit(now))

    def _drop_gone(self, now: float) -> tuple[Job, ...]:
        gone = [job for job in (*self._running, *self._waiting) if job.cancelled or job.expired(now)]
        for job in gone:
            job.state = State.ENDED
        if gone:
            self._running = [job for job in self._running if job.state is not State.ENDED]
            self._waiting = deque(job for job in self._waiting if job.state is not State.ENDED)
        return tuple(job for job in gone if not job.cancelled)

    def _take_classifications(self, now: float) -> tuple[Classification, ...]:
        """The oldest waiting classification and others of its adapter, up to the prefill budget."""
        waiting = [job for job in self._waiting if isinstance(job, Classification)]
        same = [job for job in waiting if job.adapter == waiting[0].adapter][: self._max_batch]
        return tuple(self._start(_within_budget(same), now))

    def _admit(self, now: float) -> tuple[Generation, ...]:
        room = self._max_batch - sum(isinstance(job, Generation) for job in self._running)
        waiting = [job for job in self._waiting if isinstance(job, Generation)][:room]
        return tuple(self._start(_within_budget(waiting), now))

    def _start(self, jobs: list[J], now: float) -> list[J]:
        for job in jobs:
            job.state, job.started_at = State.RUNNING, now
            self._waiting.remove(job)
            self._running.append(job)
        return jobs


def _within_budget(jobs: Iterable[J]) -> list[J]:
    """The first job always, then more while the tokens to read stay within the budget."""
    taken: list[J] = []
    spent = 0
    for job in jobs:
        spent += len(job.tokens)
        if taken and spent > PREFILL_TOKENS_PER_STEP:
            break
        taken.append(job)
    return taken
