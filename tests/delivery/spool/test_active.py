"""Who is tried next: fairness, concurrency and dead destinations; SCHEDULER_README."""

from __future__ import annotations

import heapq
from itertools import count, pairwise

from delivery.spool.active import DEAD_LIMIT, ActiveQueue, Job, TransportLimits
from delivery.spool.feedback import parse_feedback
from delivery.values import Route
from tests.delivery.spool.messages import recipient

SMTP = "smtp"


def people(count: int, site: str = "x.example") -> list:
    return [recipient(f"u{n}@{site}") for n in range(count)]


def queue(**limits: object) -> ActiveQueue:
    return ActiveQueue(lambda transport: TransportLimits(**limits))


def start_all(active: ActiveQueue, now: float = 0.0) -> list[Job]:
    """Every job that may start now."""
    jobs = []
    while (job := active.next_job(now)) is not None:
        jobs.append(job)
    return jobs


def simulate(
    active: ActiveQueue, letters: dict[str, tuple[float, str]], *, dead: str, hangs_s: float
) -> dict[str, float]:
    """Deliver all, a second each, but `dead` hangs. How long each letter waited for its start."""
    arrivals = sorted((when, name) for name, (when, _) in letters.items())
    running: list[tuple[float, int, Job]] = []
    waited: dict[str, float] = {}
    numbers = count()
    now = 0.0
    while len(active) or arrivals:
        while arrivals and arrivals[0][0] <= now:
            _, name = arrivals.pop(0)
            site = letters[name][1]
            active.add(name, Route(SMTP, site), people(1, site))
        for job in start_all(active, now):
            if job.queue_id in letters:
                waited[job.queue_id] = now - letters[job.queue_id][0]
            if job.suspended:
                active.done(job, now)
                continue
            takes = hangs_s if job.route.nexthop == dead else 1.0
            heapq.heappush(running, (now + takes, next(numbers), job))
        next_times = [item[0] for item in (*running[:1], *arrivals[:1])]
        if not next_times:
            continue
        now = max(now, min(next_times))
        while running and running[0][0] <= now:
            _, _, job = heapq.heappop(running)
            is_dead = job.route.nexthop == dead
            active.done(job, now, unreachable="timed out" if is_dead else "")
    return waited


def test_a_mailing_and_a_dead_destination_delay_nobody_else() -> None:
    active = queue(process_limit=50)
    for number in range(20_000):  # a route each, and 100,000 recipients
        site = f"d{number}.example"
        active.add("mailing", Route(SMTP, site), people(5, site))
    for number in range(2_000):
        active.add(f"lost{number}", Route(SMTP, "dead.example"), people(1))
    sites = ("small.example", "d19999.example")  # one of them is a site of the mailing, too
    letters = {f"letter{n}": (5.0 * n + 0.5, sites[n % 2]) for n in range(60)}
    waited = simulate(active, letters, dead="dead.example", hangs_s=30.0)
    assert len(waited) == 60
    assert max(waited.values()) <= 1.0, "no longer than one delivery takes"


def test_what_a_message_has_for_others_does_not_wait_for_a_busy_destination() -> None:
    active = queue(initial_destination_concurrency=1, destination_recipient_limit=1000)
    active.add("first", Route(SMTP, "slow.example"), people(1))
    active.add("second", Route(SMTP, "slow.example"), people(1))
    for site in ("slow.example", "a.example", "b.example"):
        active.add("third", Route(SMTP, site), people(1, site))
    started = [(job.queue_id, job.route.nexthop) for job in start_all(active)]
    assert started == [
        ("first", "slow.example"),
        ("third", "a.example"),
        ("third", "b.example"),
    ]


def test_the_same_while_it_is_dead_and_the_transport_has_its_hands_full() -> None:
    active = queue(process_limit=1, initial_destination_concurrency=1)
    active.add("first", Route(SMTP, "dead.example"), people(1))
    active.add("second", Route(SMTP, "dead.example"), people(1))
    active.add("third", Route(SMTP, "good.example"), people(1))
    [first] = start_all(active)
    active.done(first, 0.0, unreachable="no route")
    active.add("fourth", Route(SMTP, "other.example"), people(1))
    jobs = start_all(active)
    assert {(job.queue_id, bool(job.suspended)) for job in jobs} == {
        ("second", True),
        ("third", False),
    }
    active.add("fifth", Route(SMTP, "dead.example"), people(1))
    [fifth] = start_all(active)
    assert (fifth.queue_id, bool(fifth.suspended)) == ("fifth", True)


def test_it_works() -> None:
    active = ActiveQueue()
    active.add("m1", Route(SMTP, "x.example"), people(2))
    job = active.next_job(0.0)
    assert job is not None
    assert (job.queue_id, job.route.nexthop, len(job.recipients)) == ("m1", "x.example", 2)
    assert active.next_job(0.0) is None
    assert "m1" in active
    assert active.done(job, 1.0)
    assert "m1" not in active
    assert len(active) == 0


def test_a_message_is_done_when_all_its_jobs_are() -> None:
    active = queue(destination_recipient_limit=2)
    active.add("m1", Route(SMTP, "x.example"), people(3))
    active.add("m1", Route(SMTP, "y.example"), people(1, "y.example"))
    jobs = start_all(active)
    assert sorted(len(job.recipients) for job in jobs) == [1, 1, 2]
    assert [active.done(job, 0.0) for job in jobs] == [False, False, True]


def test_a_destination_gets_its_initial_and_never_more_than_its_limit() -> None:
    active = queue(destination_concurrency_limit=8, initial_destination_concurrency=3)
    for number in range(200):
        active.add(f"m{number}", Route(SMTP, "x.example"), people(1))
    running = start_all(active)
    assert len(running) == 3
    most = 0
    while running:
        active.done(running.pop(0), 0.0)
        running += start_all(active)
        most = max(most, len(running))
    assert most == 8
    assert len(active) == 0


def test_a_transport_never_runs_more_jobs_than_processes() -> None:
    active = queue(process_limit=4)
    for number in range(10):
        active.add(f"m{number}", Route(SMTP, f"d{number}.example"), people(1))
    running = start_all(active)
    assert len(running) == 4
    other = Route("virtual", "x")
    active.add("mv", other, people(1))
    assert [job.route for job in start_all(active)] == [other]
    active.done(running[0], 0.0)
    assert len(start_all(active)) == 1


def test_a_long_mailing_delays_nobody_else() -> None:
    active = queue(initial_destination_concurrency=1, destination_concurrency_limit=1)
    active.add("mailing", Route(SMTP, "big.example"), people(100_000, "big.example"))
    active.add("letter", Route(SMTP, "big.example"), people(1, "big.example"))
    active.add("other", Route(SMTP, "small.example"), people(1, "small.example"))
    order = []
    for _ in range(4):
        for job in start_all(active):
            order.append(job.queue_id)
            active.done(job, 0.0)
    assert order.index("letter") <= 2, order
    assert order.index("other") <= 2, order


def test_destinations_take_turns() -> None:
    active = queue(process_limit=1)
    for number in range(6):
        active.add(f"a{number}", Route(SMTP, "a.example"), people(1))
        active.add(f"b{number}", Route(SMTP, "b.example"), people(1))
    order = []
    while (job := active.next_job(0.0)) is not None:
        order.append(job.route.nexthop)
        active.done(job, 0.0)
    assert len(order) == 12
    assert all(first != second for first, second in pairwise(order)), order


def test_a_dead_destination_is_left_alone_for_a_while_and_then_tried_again() -> None:
    active = queue(initial_destination_concurrency=2, retry_after_s=300.0)
    for number in range(6):
        active.add(f"m{number}", Route(SMTP, "dead.example"), people(1))
    tried = 0
    suspended = []
    while (job := active.next_job(10.0)) is not None:
        if job.suspended:
            suspended.append(job.suspended)
        else:
            tried += 1
        active.done(job, 10.0, unreachable="" if job.suspended else "connect: timed out")
    assert tried == 2
    assert set(suspended) == {"delivery temporarily suspended: connect: timed out"}
    assert len(active) == 0
    active.add("later", Route(SMTP, "DEAD.example"), people(1))
    job = active.next_job(309.0)
    assert job is not None
    assert job.suspended
    active.done(job, 309.0)
    active.add("again", Route(SMTP, "dead.example"), people(1))
    job = active.next_job(311.0)
    assert job is not None
    assert not job.suspended


def test_a_dead_destination_delays_nobody_else() -> None:
    active = queue(process_limit=2, initial_destination_concurrency=1)
    for number in range(1000):
        active.add(f"d{number}", Route(SMTP, "dead.example"), people(1))
    active.add("good", Route(SMTP, "good.example"), people(1))
    first, second = active.next_job(0.0), active.next_job(0.0)
    assert first is not None
    assert second is not None
    assert second.queue_id == "good"
    active.done(first, 0.0, unreachable="no route")
    rest = start_all(active)
    assert len(rest) == 999
    assert all(job.suspended for job in rest)


def test_success_makes_failures_forgotten() -> None:
    active = queue(initial_destination_concurrency=2)
    for number in range(40):
        active.add(f"m{number}", Route(SMTP, "x.example"), people(1))
    for turn in range(40):
        job = active.next_job(0.0)
        assert job is not None
        assert not job.suspended
        active.done(job, 0.0, unreachable="421" if turn % 2 else "")


def test_an_operator_revives_dead_destinations() -> None:
    active = queue(initial_destination_concurrency=1)
    for name in ("m1", "m2"):
        active.add(name, Route(SMTP, "x.example"), people(1))
    job = active.next_job(0.0)
    assert job is not None
    active.done(job, 0.0, unreachable="no route")
    active.revive(1.0)
    again = active.next_job(1.0)
    assert again is not None
    assert not again.suspended


def test_a_transport_of_single_recipients_counts_them_apart() -> None:
    active = queue(destination_recipient_limit=1, initial_destination_concurrency=1)
    active.add("m1", Route("virtual", "x.example"), people(3))
    active.add("m2", Route("virtual", "x.example"), people(1))
    jobs = start_all(active)
    assert [len(job.recipients) for job in jobs] == [1, 1, 1]
    active.done(jobs[0], 0.0)
    assert [job.queue_id for job in start_all(active)] == ["m2"]


def test_a_removed_message_starts_nothing_more() -> None:
    active = queue(destination_recipient_limit=1, initial_destination_concurrency=1)
    active.add("gone", Route(SMTP, "x.example"), people(5))
    active.add("stays", Route(SMTP, "x.example"), people(5))
    job = active.next_job(0.0)
    assert job is not None
    active.remove("gone")
    active.done(job, 0.0)
    assert {job.queue_id for job in start_all(active)} == {"stays"}


def test_destinations_that_outsiders_name_are_forgotten() -> None:
    active = queue(initial_destination_concurrency=1, retry_after_s=300.0)
    for number in range(DEAD_LIMIT + 50):
        active.add("m", Route(SMTP, f"d{number}.example"), people(1))
        job = active.next_job(0.0)
        assert job is not None
        active.done(job, 0.0, unreachable="no such host")
    assert active.next_job(0.0) is None
    assert active.remembered_destinations <= DEAD_LIMIT
    assert active.next_job(301.0) is None
    assert active.remembered_destinations == 0


def test_a_rate_delay_leaves_time_between_deliveries() -> None:
    active = queue(rate_delay_s=10.0)
    for number in range(2):
        active.add(f"m{number}", Route(SMTP, "x.example"), people(1))
    active.add("other", Route(SMTP, "y.example"), people(1, "y.example"))
    first, other = start_all(active)
    assert (first.queue_id, other.queue_id) == ("m0", "other")
    active.done(first, 100.0)
    active.done(other, 100.0)
    assert start_all(active, 109.9) == []
    assert active.next_time() == 110.0
    [second] = start_all(active, 110.0)
    assert second.queue_id == "m1"
    active.done(second, 110.5)
    active.add(
        "m2", Route(SMTP, "x.example"), people(1)
    )  # nothing waited: it must wait all the same
    assert start_all(active, 120.0) == []
    assert [job.queue_id for job in start_all(active, 120.5)] == ["m2"]
    assert active.remembered_destinations == 1, "y.example is forgotten"


def test_a_rate_delay_of_a_transport_holds_for_all_its_destinations() -> None:
    active = queue(transport_rate_delay_s=10.0)
    for site in ("x.example", "y.example", "dead.example"):
        active.add(site, Route(SMTP, site), people(1, site))
    [first] = start_all(active)
    assert start_all(active, 50.0) == [], "one at a time"
    active.done(first, 100.0)
    assert start_all(active, 109.9) == []
    assert active.next_time() == 110.0
    [second] = start_all(active, 110.0)
    assert {first.queue_id, second.queue_id} == {"x.example", "y.example"}
    active.done(second, 111.0, unreachable="no route")
    [third] = start_all(active, 121.0)
    active.done(third, 121.0, unreachable="no route")
    assert len(active) == 0
    assert start_all(active, 131.0) == []
    assert active.next_time() is None


def test_feedback_says_how_fast_a_window_moves() -> None:
    active = queue(
        initial_destination_concurrency=4,
        positive_feedback=parse_feedback("1 / concurrency"),
        negative_feedback=parse_feedback("0.5"),
        failed_cohort_limit=0.0,
    )
    for number in range(100):
        active.add(f"m{number}", Route(SMTP, "x.example"), people(1))
    running = start_all(active)
    assert len(running) == 4
    sizes = []
    for answer in ("", "", "", "", "421", "421", "421", "421", "421"):
        active.done(running.pop(0), 0.0, unreachable=answer)
        running += start_all(active)
        sizes.append(len(running))
    assert sizes == [4, 4, 4, 5, 4, 4, 3, 3, 2]


def test_new_limits_hold_for_a_transport_that_is_never_idle() -> None:
    limits = {"destination_concurrency_limit": 5}
    active = ActiveQueue(lambda transport: TransportLimits(**limits))
    for number in range(20):
        active.add(f"m{number}", Route(SMTP, "x.example"), people(1))
    running = start_all(active)
    assert len(running) == 5
    limits |= {"destination_concurrency_limit": 2, "destination_recipient_limit": 1}
    active.add("later", Route(SMTP, "x.example"), people(1))
    while running:
        active.done(running.pop(), 0.0)
        running += start_all(active)
        assert len(running) <= 5
        if len(running) <= 3:  # two at x.example, and one at the destination that "later" has
            break
    assert len(running) == 3
    while running:
        active.done(running.pop(), 0.0)
        running += start_all(active)
        assert len(running) <= 3
    assert len(active) == 0


def test_an_operator_may_revive_what_is_just_being_given_back() -> None:
    active = queue(initial_destination_concurrency=1)
    for name in ("m1", "m2"):
        active.add(name, Route(SMTP, "x.example"), people(1))
    first = active.next_job(0.0)
    assert first is not None
    active.done(first, 0.0, unreachable="no route")
    second = active.next_job(1.0)
    assert second is not None
    assert second.suspended
    assert active.next_job(1.0) is None
    active.revive(1.0)
    assert active.done(second, 1.0)
    assert len(active) == 0


def test_connections_are_worth_keeping_while_deliveries_follow_each_other() -> None:
    active = queue(destination_concurrency_limit=1)
    for number in range(4):
        active.add(f"m{number}", Route(SMTP, "x.example"), people(1))
    first = active.next_job(0.0)
    assert first is not None
    assert not first.is_busy, "nothing is known yet"
    active.done(first, 5.0)
    second = active.next_job(5.5)
    assert second is not None
    assert second.is_busy
    active.done(second, 6.0)
    third = active.next_job(60.0)
    assert third is not None
    assert not third.is_busy, "too long ago"


def deliver(active: ActiveQueue, queue_id: str, now: float) -> bool:
    """Begin and end one delivery; whether it followed on another."""
    active.add(queue_id, Route(SMTP, "x.example"), people(1))
    job = active.next_job(now)
    assert job is not None
    active.done(job, now)
    return job.is_busy


def test_they_are_as_well_when_the_next_message_comes_a_moment_later() -> None:
    active = queue(destination_concurrency_limit=1)
    active.add("m1", Route(SMTP, "x.example"), people(1))
    active.add("m2", Route(SMTP, "x.example"), people(1))
    for now, follows in ((0.0, False), (0.1, True)):
        job = active.next_job(now)
        assert job is not None
        assert job.is_busy is follows
        active.done(job, now)
    assert [deliver(active, f"m{now}", now) for now in (0.5, 1.0, 5.0)] == [True, True, False]
    assert active.next_job(10.0) is None
    assert active.remembered_destinations == 0


def test_they_are_not_where_no_mail_ever_waited_for_another() -> None:
    active = queue()
    assert not any(deliver(active, f"m{now}", now) for now in (0.0, 0.5, 1.0))
    assert active.remembered_destinations == 0


def test_recipients_go_by_domain_and_name() -> None:
    active = ActiveQueue()
    names = ["no@b.example", "A@b.example", "z@a.example", "later@b.example"]
    active.add("m", Route(SMTP, "hop"), [recipient(name) for name in names])
    job = active.next_job(0.0)
    assert job is not None
    found = [item.address.text for item in job.recipients]
    assert found == ["z@a.example", "A@b.example", "later@b.example", "no@b.example"]
