"""Admission, order, cancellation and deadlines, without any model."""

from __future__ import annotations

import threading

import pytest

from finslm.engine.jobs import Classification, Generation, Job, Outcome, State
from finslm.engine.scheduler import MAX_RETRY_S, MIN_RETRY_S, PREFILL_TOKENS_PER_STEP, Scheduler
from finslm.errors import EngineUnavailable, Overloaded
from finslm.types import SamplingParams


class FakeClock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def ignore(_: Outcome) -> None:
    """Nobody listens in these tests."""


def generation(tokens: int = 10, deadline: float | None = None) -> Generation:
    return Generation(tokens=[1] * tokens, deliver=ignore, deadline=deadline, params=SamplingParams())


def classification(adapter: str, tokens: int = 10) -> Classification:
    return Classification(tokens=[1] * tokens, deliver=ignore, adapter=adapter)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def make(clock: FakeClock, *jobs: Job, max_batch: int = 2, max_queue: int = 4) -> Scheduler:
    scheduler = Scheduler(max_batch, max_queue, clock)
    for job in jobs:
        scheduler.submit(job)
    return scheduler


def test_jobs_are_admitted_in_order_up_to_the_batch(clock: FakeClock) -> None:
    jobs = [generation() for _ in range(3)]
    scheduler = make(clock, *jobs)
    assert scheduler.plan().admit == (jobs[0], jobs[1])
    assert (scheduler.running, scheduler.waiting) == (2, 1)


def test_a_freed_slot_goes_to_the_next_in_line(clock: FakeClock) -> None:
    jobs = [generation() for _ in range(3)]
    scheduler = make(clock, *jobs)
    scheduler.plan()
    scheduler.done(jobs[0])
    assert scheduler.plan().admit == (jobs[2],)


def test_prompts_read_between_two_steps_are_bounded_in_tokens(clock: FakeClock) -> None:
    long, short = generation(PREFILL_TOKENS_PER_STEP + 5), generation(5)
    scheduler = make(clock, long, short)
    assert scheduler.plan().admit == (long,)
    assert scheduler.plan().admit == (short,)


def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(clock: FakeClock) -> None:
    scheduler = make(clock, *[generation() for _ in range(2 + 4)])
    with pytest.raises(Overloaded, match="4 requests are waiting, the limit is 4") as refusal:
        scheduler.submit(generation())
    assert MIN_RETRY_S <= refusal.value.retry_after_s <= MAX_RETRY_S


def test_a_cancelled_job_in_the_queue_takes_nobodys_room(clock: FakeClock) -> None:
    jobs = [generation() for _ in range(2 + 4)]
    scheduler = make(clock, *jobs)
    scheduler.cancel(jobs[3])
    scheduler.submit(generation())
    assert jobs[3] not in scheduler.plan().expired


@pytest.mark.parametrize("planned", [False, True])
def test_the_limit_is_the_queues_whatever_slots_are_free(clock: FakeClock, planned: bool) -> None:
    scheduler = make(clock)
    for _ in range(2):
        scheduler.submit(generation())
    if planned:
        scheduler.plan()
    for _ in range(4):
        scheduler.submit(generation())
    with pytest.raises(Overloaded):
        scheduler.submit(generation())


@pytest.mark.parametrize("started", [False, True])
def test_an_expired_job_is_dropped_queued_or_running(clock: FakeClock, started: bool) -> None:
    job = generation(deadline=clock.now + 1)
    scheduler = make(clock, job)
    if started:
        scheduler.plan()
    clock.now += 1
    plan = scheduler.plan()
    assert plan.expired == (job,)
    assert plan.admit == ()
    assert job.state is State.ENDED
    assert (scheduler.running, scheduler.waiting) == (0, 0)


def test_a_cancelled_running_job_frees_its_slot_before_the_next_step(clock: FakeClock) -> None:
    jobs = [generation() for _ in range(3)]
    scheduler = make(clock, *jobs)
    scheduler.plan()
    scheduler.cancel(jobs[1])
    plan = scheduler.plan()
    assert plan.admit == (jobs[2],)
    assert plan.expired == ()
    assert jobs[1].state is State.ENDED


def test_classifications_of_one_adapter_share_a_prefill(clock: FakeClock) -> None:
    a1, b1, a2 = classification("a"), classification("b"), classification("a")
    scheduler = make(clock, a1, b1, a2)
    assert scheduler.plan().classify == (a1, a2)
    assert scheduler.plan().classify == (b1,)


def test_classifications_do_not_take_the_slots_of_generations(clock: FakeClock) -> None:
    c, g1, g2 = classification("a"), generation(), generation()
    plan = make(clock, c, g1, g2).plan()
    assert plan.classify == (c,)
    assert plan.admit == (g1, g2)


def test_the_retry_hint_follows_how_long_jobs_take(clock: FakeClock) -> None:
    scheduler = make(clock, max_batch=1, max_queue=1)
    for _ in range(20):
        job = generation()
        scheduler.submit(job)
        scheduler.plan()
        clock.now += 8
        scheduler.done(job)
    scheduler.submit(generation())
    scheduler.plan()
    scheduler.submit(generation())
    with pytest.raises(Overloaded) as refusal:
        scheduler.check_room()
    assert refusal.value.retry_after_s == pytest.approx(8, rel=0.05)


def test_closing_wakes_the_worker_and_refuses_new_jobs(clock: FakeClock) -> None:
    scheduler = make(clock)
    plans: list[object] = []
    worker = threading.Thread(target=lambda: plans.append(scheduler.wait()))
    worker.start()
    scheduler.close()
    worker.join(timeout=5)
    assert plans == [None]
    with pytest.raises(EngineUnavailable):
        scheduler.submit(generation())


def test_drain_gives_every_unanswered_job_once(clock: FakeClock) -> None:
    jobs = [generation() for _ in range(3)]
    scheduler = make(clock, *jobs)
    scheduler.plan()
    scheduler.cancel(jobs[0])
    assert scheduler.drain() == [jobs[1], jobs[2]]
    assert scheduler.drain() == []
