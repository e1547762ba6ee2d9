"""Reading a large log takes seconds: it is done once, in the background, and what came of it is kept for a while."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, final

MAX_KEPT: Final = 24
"""Results that are kept; the oldest goes."""
MAX_WAITING: Final = 8
"""Jobs that wait or run."""
YOUNG_S: Final = 30.0
"""A result this young is shown though the log has grown since: the page says of when it is. Seconds."""
OLD_S: Final = 600.0
"""One this old is made anew though the log has not grown, seconds."""

T = TypeVar("T")


class Busy(Exception):
    """Too many jobs wait."""


class NotYet(Exception):
    """The job goes on; ``since_s`` is how long it has waited or run, seconds."""

    def __init__(self, since_s: float) -> None:
        super().__init__()
        self.since_s = since_s


@final
@dataclass(slots=True)
class _Job:
    future: Future[Any] = field(default_factory=Future)
    size: int = 0
    """Of the log when the job was given."""
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0

    def is_fresh(self, size: int) -> bool:
        """Whether its result may still be shown. A failed one may be for a moment: somebody waits to see it."""
        if not self.future.done():
            return True
        age = time.monotonic() - self.ended
        return age < YOUNG_S or (age < OLD_S and self.size == size and self.future.exception() is None)


@final
class Work:
    """Jobs by name, one at a time."""

    def __init__(self, wait_s: float) -> None:
        """Make it.

        Args:
            wait_s: how long :meth:`result` waits before it says :class:`NotYet`, seconds.
        """
        self._wait_s = wait_s
        self._jobs: OrderedDict[Hashable, _Job] = OrderedDict()
        self._lock, self._one = threading.Lock(), threading.Lock()

    def result(self, name: Hashable, size: int, make: Callable[[], T], wait_s: float | None = None) -> T:
        """What ``make`` gave, now or lately; it runs only when nothing fresh is kept under ``name``.

        Args:
            size: of the log now: a result of another size is kept for :data:`YOUNG_S` only.

        Raises:
            NotYet: ask again.
            Busy: too many jobs wait.
            Exception: what ``make`` raised.
        """
        with self._lock:
            job = self._jobs.get(name)
            if job is None or not job.is_fresh(size):
                job = self._start(name, size, make)
            self._jobs.move_to_end(name)
        try:
            return job.future.result(self._wait_s if wait_s is None else wait_s)  # type: ignore[no-any-return]
        except TimeoutError:
            if job.future.done():
                raise
            raise NotYet(time.monotonic() - job.began) from None

    def runs(self, name: Hashable) -> bool:
        """Whether such a job waits or runs."""
        with self._lock:
            job = self._jobs.get(name)
            return job is not None and not job.future.done()

    def forget(self) -> None:
        """Keep no result: the log is to be read anew. Jobs that run go on."""
        with self._lock:
            for name in [name for name, job in self._jobs.items() if job.future.done()]:
                del self._jobs[name]

    def _start(self, name: Hashable, size: int, make: Callable[[], object]) -> _Job:
        if sum(not job.future.done() for job in self._jobs.values()) >= MAX_WAITING:
            raise Busy
        job = self._jobs[name] = _Job(size=size)
        done = [kept for kept, other in self._jobs.items() if other.future.done()]
        for kept in done[: max(0, len(self._jobs) - MAX_KEPT)]:
            del self._jobs[kept]
        # A daemon: the command must end when it is told to, in the middle of a log too. It writes nothing.
        threading.Thread(target=self._run, args=(job, make), daemon=True, name="page-work").start()
        return job

    def _run(self, job: _Job, make: Callable[[], object]) -> None:
        with self._one:
            try:
                value = make()
            except BaseException as error:  # noqa: BLE001 - whoever asks gets it raised
                job.ended = time.monotonic()
                job.future.set_exception(error)
            else:
                job.ended = time.monotonic()
                job.future.set_result(value)
