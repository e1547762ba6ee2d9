"""Admission, order, shares, cancellation and deadlines, without any model."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from finslm.engine.blocks import BlockPool
from finslm.engine.jobs import Classification, Generation, Job, Outcome, Reading, Scoring, State
from finslm.engine.labels import ForkPlan, LabelTrie
from finslm.engine.scheduler import MAX_RETRY_S, MIN_RETRY_S, Plan, Read, Scheduler
from finslm.errors import EngineUnavailable, Overloaded
from finslm.types import SamplingParams

READ_TOKENS = 64


class FakeClock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def ignore(_: Outcome) -> None:
    """Nobody listens in these tests."""


def generation(
    tokens: int = 10, deadline: float | None = None, *, write: int = 8, tenant: str = "a", priority: int = 0
) -> Generation:
    return Generation(
        tokens=[1] * tokens, deliver=ignore, deadline=deadline, params=SamplingParams(max_tokens=write),
        tenant=tenant, priority=priority, root=tenant.encode(),
    )  # fmt: skip


def classification(adapter: str, tokens: int = 10) -> Classification:
    return Classification(tokens=[1] * tokens, deliver=ignore, adapter=adapter)


def scoring(tokens: int = 10, labels: tuple[int, ...] = (3, 4), *, tenant: str = "a", window: int = 512) -> Scoring:
    """Labels of so many tokens."""
    trie = LabelTrie(
        [str(number) for number in range(len(labels))],
        [[number + 1] * length for number, length in enumerate(labels)],
        0,
    )
    forks = ForkPlan(trie, prompt=tokens, block_tokens=16, window=window, step_tokens=READ_TOKENS)
    return Scoring(tokens=[1] * tokens, deliver=ignore, tenant=tenant, root=tenant.encode(), trie=trie, forks=forks)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def make(
    clock: FakeClock, *jobs: Job, max_batch: int = 2, max_queue: int = 4, pool: BlockPool | None = None
) -> Scheduler:
    scheduler = Scheduler(max_batch, max_queue, pool or BlockPool(1000, 16), READ_TOKENS, clock)
    for job in jobs:
        scheduler.submit(job)
    return scheduler


def step(pool: BlockPool, plan: Plan) -> None:
    """What the step loop does to the tables."""
    for read in plan.read:
        pool.advance(read.job.blocks, read.count)
    for job in plan.write:
        pool.advance(job.blocks, 1)
    for asking in plan.score:
        asking.wave += 1


def started(plan: Plan) -> list[Reading]:
    return [read.job for read in plan.read]


def test_jobs_start_in_order_up_to_the_batch(clock: FakeClock) -> None:
    jobs = [generation() for _ in range(3)]
    scheduler = make(clock, *jobs)
    assert started(scheduler.plan()) == jobs[:2]
    assert (scheduler.running, scheduler.waiting) == (2, 1)


def test_a_freed_slot_goes_to_the_next_in_line(clock: FakeClock) -> None:
    jobs = [generation() for _ in range(3)]
    scheduler = make(clock, *jobs)
    scheduler.plan()
    scheduler.done(jobs[0])
    assert jobs[2] in started(scheduler.plan())


def test_prompts_are_read_in_pieces_of_one_budget(clock: FakeClock) -> None:
    pool = BlockPool(1000, 16)
    long, short = generation(READ_TOKENS + 5), generation(7, tenant="b")
    scheduler = make(clock, long, short, pool=pool)
    first = scheduler.plan()
    assert first.read == (Read(long, READ_TOKENS),)
    assert first.write == ()
    step(pool, first)
    second = scheduler.plan()
    assert second.read == (Read(long, 5), Read(short, 7))
    step(pool, second)
    third = scheduler.plan()
    assert (third.read, third.write) == ((), (long, short))


def test_one_who_writes_goes_on_while_another_is_read(clock: FakeClock) -> None:
    pool = BlockPool(1000, 16)
    writer, reader = generation(4), generation(3 * READ_TOKENS, tenant="b")
    scheduler = make(clock, writer, pool=pool)
    step(pool, scheduler.plan())
    scheduler.submit(reader)
    for _ in range(3):
        plan = scheduler.plan()
        assert plan.write == (writer,)
        assert plan.read == (Read(reader, READ_TOKENS - 1),)
        step(pool, plan)


def test_what_an_earlier_prompt_left_is_not_read_again_but_for_its_tenant(clock: FakeClock) -> None:
    pool = BlockPool(1000, 16)
    first = generation(48)
    scheduler = make(clock, first, pool=pool)
    step(pool, scheduler.plan())
    scheduler.done(first)
    same, other = generation(48), generation(48, tenant="b")
    scheduler.submit(same)
    scheduler.submit(other)
    assert {read.job: read.count for read in scheduler.plan().read} == {same: 16, other: 48}


def test_a_start_waits_for_room_in_the_cache_and_nobody_overtakes(clock: FakeClock) -> None:
    pool = BlockPool(4, 16)
    running, large, small = generation(24, write=24), generation(30, write=10), generation(1, write=1)
    scheduler = make(clock, running, large, small, max_batch=3, pool=pool)
    step(pool, scheduler.plan())
    assert scheduler.waiting == 2
    scheduler.done(running)
    assert started(scheduler.plan()) == [large, small]
    assert pool.available == 0


def test_tenants_get_equal_shares_however_many_they_ask_for(clock: FakeClock) -> None:
    pool = BlockPool(1000, 16)
    scheduler = make(clock, max_batch=2, max_queue=200, pool=pool)
    for _ in range(100):
        scheduler.submit(generation(tenant="greedy"))
    modest = [generation(tenant="modest") for _ in range(10)]
    for job in modest:
        scheduler.submit(job)
    begun: Counter[str] = Counter()
    while not all(job.state is State.ENDED for job in modest):
        plan = scheduler.plan()
        begun.update(read.job.tenant for read in plan.read if read.job.blocks.past == 0)
        step(pool, plan)
        for job in plan.write:
            if job.blocks.past >= job.size - 1:
                scheduler.done(job)
    assert abs(begun["greedy"] - begun["modest"]) <= 3


def test_who_was_away_has_no_credit(clock: FakeClock) -> None:
    pool = BlockPool(1000, 16)
    scheduler = make(clock, max_batch=1, max_queue=50, pool=pool)
    for _ in range(20):
        job = generation(tenant="busy")
        scheduler.submit(job)
        step(pool, scheduler.plan())
        scheduler.done(job)
    for tenant in ("busy", "busy", "back", "back", "back", "back"):
        scheduler.submit(generation(tenant=tenant))
    order = []
    for _ in range(4):
        (read,) = scheduler.plan().read
        order.append(read.job.tenant)
        scheduler.done(read.job)
    assert order.count("busy") == 2


def test_a_higher_priority_goes_first(clock: FakeClock) -> None:
    low, high = generation(tenant="a"), generation(tenant="b", priority=1)
    scheduler = make(clock, low, high, max_batch=1)
    assert started(scheduler.plan()) == [high]


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
    assert jobs[3] not in scheduler.plan().late


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


@pytest.mark.parametrize("begun", [False, True])
def test_an_expired_job_is_dropped_queued_or_running(clock: FakeClock, begun: bool) -> None:
    pool = BlockPool(1000, 16)
    job = generation(deadline=clock.now + 1)
    scheduler = make(clock, job, pool=pool)
    if begun:
        step(pool, scheduler.plan())
    clock.now += 1
    plan = scheduler.plan()
    assert plan.late == (job,)
    assert (plan.read, plan.write) == ((), ())
    assert job.state is State.ENDED
    assert (scheduler.running, scheduler.waiting, pool.available) == (0, 0, 1000)


def learn(scheduler: Scheduler, clock: FakeClock, seconds: float) -> None:
    """A job of 18 tokens that takes so long."""
    job = generation()
    scheduler.submit(job)
    scheduler.plan()
    clock.now += seconds
    scheduler.done(job)


def test_who_would_wait_longer_than_its_deadline_is_refused_at_once(clock: FakeClock) -> None:
    scheduler = make(clock, max_batch=1, max_queue=10)
    learn(scheduler, clock, 2)
    for _ in range(3):
        scheduler.submit(generation())
    scheduler.plan()
    with pytest.raises(Overloaded, match="longer than the deadline allows"):
        scheduler.submit(generation(deadline=clock.now + 5))
    scheduler.submit(generation(deadline=clock.now + 20))


def test_short_ones_do_not_fill_the_queue_to_where_a_long_one_never_gets_in(clock: FakeClock) -> None:
    scheduler = make(clock, max_batch=1, max_queue=10)
    learn(scheduler, clock, 2)
    for _ in range(3):
        scheduler.submit(generation())
    scheduler.plan()
    expected = 5.0  # seconds: two whole ones and half of the one that runs, two seconds each
    with pytest.raises(Overloaded):
        scheduler.submit(generation(deadline=clock.now + 2 * expected - 0.1))
    scheduler.submit(generation(deadline=clock.now + 2 * expected + 0.1))


def test_what_cannot_be_done_in_time_is_not_begun(clock: FakeClock) -> None:
    scheduler = make(clock, max_batch=1)
    learn(scheduler, clock, 4)
    late, fine = generation(deadline=clock.now + 1), generation(deadline=clock.now + 10)
    scheduler.submit(late)
    scheduler.submit(fine)
    plan = scheduler.plan()
    assert plan.late == (late,)
    assert started(plan) == [fine]


def test_a_cancelled_running_job_frees_its_slot_before_the_next_step(clock: FakeClock) -> None:
    jobs = [generation() for _ in range(3)]
    scheduler = make(clock, *jobs)
    scheduler.plan()
    scheduler.cancel(jobs[1])
    plan = scheduler.plan()
    assert jobs[2] in started(plan)
    assert plan.late == ()
    assert jobs[1].state is State.ENDED


def test_classifications_of_any_adapters_share_a_step_up_to_its_budget(clock: FakeClock) -> None:
    jobs = [classification("a", 30), classification("b", 30), classification("a", 30)]
    scheduler = make(clock, *jobs)
    assert scheduler.plan().classify == tuple(jobs[:2])
    for job in jobs[:2]:
        scheduler.done(job)
    assert scheduler.plan().classify == (jobs[2],)


def test_a_text_over_the_budget_is_classified_alone(clock: FakeClock) -> None:
    long, short = classification("a", 3 * READ_TOKENS), classification("a")
    assert make(clock, long, short).plan().classify == (long,)


def test_classifications_do_not_take_the_slots_of_generations(clock: FakeClock) -> None:
    c, g1, g2 = classification("a"), generation(), generation()
    plan = make(clock, c, g1, g2).plan()
    assert plan.classify == (c,)
    assert started(plan) == [g1, g2]


def test_the_retry_hint_follows_how_long_jobs_take(clock: FakeClock) -> None:
    scheduler = make(clock, max_batch=1, max_queue=1)
    for _ in range(20):
        learn(scheduler, clock, 4)
    scheduler.submit(generation())
    scheduler.plan()
    scheduler.submit(generation())
    with pytest.raises(Overloaded) as refusal:
        scheduler.check_room()
    assert refusal.value.retry_after_s == pytest.approx(6, rel=0.05)


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


def test_labels_are_fed_once_the_prompt_is_read(clock: FakeClock) -> None:
    pool = BlockPool(1000, 16)
    job = scoring(READ_TOKENS + 3)
    scheduler = make(clock, job, pool=pool)
    for count in (READ_TOKENS, 3):
        plan = scheduler.plan()
        assert (plan.read, plan.score) == ((Read(job, count),), ())
        step(pool, plan)
    last = scheduler.plan()
    assert (last.read, last.write, last.score) == ((), (), (job,))


def test_labels_and_prompts_share_the_budget_of_a_step(clock: FakeClock) -> None:
    pool = BlockPool(1000, 16)
    job, reader = scoring(labels=(30, 20)), generation(3 * READ_TOKENS, tenant="b")
    scheduler = make(clock, job, pool=pool)
    step(pool, scheduler.plan())
    scheduler.submit(reader)
    plan = scheduler.plan()
    assert (plan.score, plan.read) == ((job,), (Read(reader, READ_TOKENS - 50),))


def test_labels_over_the_budget_are_fed_when_their_turn_comes(clock: FakeClock) -> None:
    pool = BlockPool(1000, 16)
    reader, job = generation(3 * READ_TOKENS), scoring(1, labels=(READ_TOKENS + 9, 1), tenant="b")
    scheduler = make(clock, reader, job, pool=pool)
    plans = [scheduler.plan()]
    while not plans[-1].score:
        step(pool, plans[-1])
        plans.append(scheduler.plan())
    assert sum(read.count for plan in plans for read in plan.read if read.job is reader) == 3 * READ_TOKENS
    assert plans[-1].read == ()
    assert plans[-1].write == (reader,)


def test_labels_are_charged_to_the_tenant(clock: FakeClock) -> None:
    pool = BlockPool(1000, 16)
    first, writer = scoring(10, (40, 20), tenant="a"), generation(30, tenant="b")
    scheduler = make(clock, first, writer, pool=pool)
    again = [generation(tenant="a"), generation(tenant="b")]
    for waiting in again:
        scheduler.submit(waiting)
    for _ in range(2):
        step(pool, scheduler.plan())
    for job in (first, writer):
        scheduler.done(job)
    assert started(scheduler.plan()) == again[::-1]


@pytest.mark.parametrize("prompt", [1, 60, 64, 100])
def test_whatever_fits_the_window_fits_the_smallest_cache_and_all_come_to_their_end(
    clock: FakeClock, prompt: int
) -> None:
    """A cache of one request of the whole window: labels take turns with answers, and nobody waits for ever."""
    pool = BlockPool(128 // 16, 16)
    jobs: list[Reading] = []
    for number in range(4):
        jobs += [scoring(prompt, (3, 5, 1, 9) * 8, tenant=str(number), window=128), generation(90, write=38)]
    scheduler = make(clock, *jobs, max_batch=8, max_queue=20, pool=pool)
    for _ in range(1000):
        plan = scheduler.plan()
        step(pool, plan)
        for asking in plan.score:
            if asking.wave == len(asking.forks.waves):
                scheduler.done(asking)
        for job in plan.write:
            if job.blocks.past >= job.size:
                scheduler.done(job)
    assert [job.state for job in jobs] == [State.ENDED] * len(jobs)
    assert pool.available == pool.count


@pytest.mark.parametrize("how", ["cancelled", "late"])
def test_labels_that_nobody_waits_for_give_everything_back(clock: FakeClock, how: str) -> None:
    pool = BlockPool(1000, 16)
    job = scoring(40, (3,) * 60)
    job.deadline = clock.now + 1
    scheduler = make(clock, job, pool=pool)
    for _ in range(2):
        step(pool, scheduler.plan())
    assert (job.wave, len(job.forks.waves)) == (1, 3)
    if how == "cancelled":
        scheduler.cancel(job)
    else:
        clock.now += 1
    assert scheduler.plan().score == ()
    assert (job.state, pool.available) == (State.ENDED, 1000)
