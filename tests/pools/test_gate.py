"""The gate by itself: what it says to whom, exactly, also when all come at once."""

import math
import os
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from functools import partial

import pytest
from django.db import transaction

from shop.errors import Unavailable
from shop.pools import gate, gatekeeping
from shop.pools.gate import Answer, Request, Verdict
from shop.pools.kinds import Rate
from shop.pools.models import Pool
from tests.kit.barrier import race
from tests.kit.marks import on_mariadb
from tests.kit.units import make_pool
from tests.pools.gates import (
    Kind,
    admit,
    gated_pool,
    keys_of,
    remaining,
    request_of,
    terms_of,
    users_of,
    verdict,
    wipe,
)

# Seconds: what a moment in microseconds may lose where a float carries it.
ROUNDED = 2e-6

# Redis is there where MariaDB is.
pytestmark = [*on_mariadb, pytest.mark.usefixtures("empty_gates")]


# --- each verdict


def test_who_is_admitted_takes_units_off_and_is_known_from_then_on(kind: Kind) -> None:
    pool = gated_pool(kind, 5)

    first = admit(pool, count=2, key="k")
    again = [admit(pool, count=2, key="k") for _ in range(3)]

    assert (first.verdict, first.figure) == (Verdict.ADMITTED, 3)
    assert [answer.verdict for answer in again] == [Verdict.KNOWN] * 3
    assert remaining(pool) == 3


def test_an_answer_carries_rediss_own_clock(kind: Kind) -> None:
    pool = gated_pool(kind, 5)
    seconds, microseconds = gate.client().time()
    at = admit(pool).at
    after, more = gate.client().time()
    assert seconds + microseconds / 1e6 <= at <= after + more / 1e6


def test_a_key_is_of_one_user(kind: Kind) -> None:
    pool = gated_pool(kind, 5)
    assert verdict(pool, 1, key="k") == verdict(pool, 2, key="k") == Verdict.ADMITTED
    assert gate.fingerprint(1, "k") != gate.fingerprint(2, "k")
    # No way to write one user's key so that it is another's.
    assert gate.fingerprint(1, "2:k") != gate.fingerprint(12, ":k")


def test_a_gate_that_knows_nothing_is_cold(kind: Kind) -> None:
    pool = gated_pool(kind, 5)
    wipe(pool)
    assert verdict(pool) == Verdict.COLD
    assert keys_of(pool) == []


def test_a_paused_gate_says_so(kind: Kind) -> None:
    assert verdict(gated_pool(kind, 5, paused=True)) == Verdict.PAUSED


def test_before_and_after_its_time_a_gate_says_so(kind: Kind) -> None:
    open_now = terms_of()
    early = gated_pool(kind, 5, opens_at=open_now.closes_at, closes_at=open_now.closes_at)
    late = gated_pool(kind, 5, closes_at=open_now.opens_at)
    assert verdict(early) == Verdict.NOT_STARTED
    assert verdict(late) == Verdict.ENDED


def test_a_window_opens_and_closes_on_the_microsecond_of_its_terms(kind: Kind) -> None:
    pool = gated_pool(kind, 5)
    [counters] = gate.names(pool.pk)
    stored = gate.client().hmget(counters, "opens", "closes")
    terms = kind.terms[pool.pk]
    moments = (terms.opens_at, terms.closes_at)
    assert [int(moment) for moment in stored] == [
        int(moment.timestamp() * 1e6) for moment in moments
    ]


def test_a_limit_holds_over_all_requests_of_a_user(kind: Kind) -> None:
    pool = gated_pool(kind, 100, per_user_limit=3)

    answers = [admit(pool, 1, count=count) for count in (2, 2, 1, 1)]

    assert [answer.verdict for answer in answers] == [
        Verdict.ADMITTED,
        Verdict.PURCHASE_LIMIT,
        Verdict.ADMITTED,
        Verdict.PURCHASE_LIMIT,
    ]
    assert answers[1].figure == 3
    assert verdict(pool, 2, count=3) == Verdict.ADMITTED
    assert users_of(pool) == {1: 3, 2: 3}
    assert remaining(pool) == 94


def test_without_a_limit_nobody_is_counted(kind: Kind) -> None:
    pool = gated_pool(kind, 100)
    assert [verdict(pool, 1, count=40) for _ in range(2)] == [Verdict.ADMITTED] * 2
    assert users_of(pool) == {}


def test_what_there_is_none_of_is_sold_out_and_what_there_is_little_of_says_how_much(
    kind: Kind,
) -> None:
    pool = gated_pool(kind, 3)

    too_many = admit(pool, count=4)
    all_of_it = admit(pool, count=3)
    none_left = admit(pool)

    assert (too_many.verdict, too_many.figure) == (Verdict.SOLD_OUT, 3)
    assert (all_of_it.verdict, all_of_it.figure) == (Verdict.ADMITTED, 0)
    assert (none_left.verdict, none_left.figure) == (Verdict.SOLD_OUT, 0)


def test_a_gate_that_let_too_many_through_says_none_are_left_and_not_fewer(kind: Kind) -> None:
    pool = gated_pool(kind, 3)
    gate.raise_by(pool.pk, units=-5)
    answer = admit(pool)
    assert (answer.verdict, answer.figure) == (Verdict.SOLD_OUT, 0)


def test_who_is_known_passes_whatever_the_gate_says_to_others(kind: Kind) -> None:
    """Their order may be there, and a winner's repeat is never refused."""
    pool = gated_pool(kind, 1, per_user_limit=1, user_rate=Rate(1, 60))
    assert verdict(pool, key="k") == Verdict.ADMITTED

    for terms in (
        terms_of(per_user_limit=1, user_rate=Rate(1, 60)),
        terms_of(paused=True),
        terms_of(closes_at=terms_of().opens_at),
        terms_of(opens_at=terms_of().closes_at, closes_at=terms_of().closes_at),
    ):
        kind.terms[pool.pk] = terms
        gatekeeping.apply_terms(pool.pk)
        assert verdict(pool, key="k") == Verdict.KNOWN
        assert verdict(pool) not in (Verdict.KNOWN, Verdict.ADMITTED)


def test_of_several_refusals_the_first_in_the_stated_order_is_told(kind: Kind) -> None:
    """Paused, window, rates, limit, remaining."""
    over, coming = terms_of().opens_at, terms_of().closes_at
    base = {"per_user_limit": 1, "user_rate": Rate(1, 60)}
    pool = gated_pool(kind, 1, **base)
    assert verdict(pool) == Verdict.ADMITTED

    told = []
    for terms in (
        terms_of(**base, paused=True, closes_at=over),
        terms_of(**base, opens_at=coming, closes_at=coming),
        terms_of(**base, closes_at=over),
        terms_of(**base),
        terms_of(per_user_limit=1),
        terms_of(),
    ):
        kind.terms[pool.pk] = terms
        gatekeeping.apply_terms(pool.pk)
        told.append(verdict(pool))

    assert told == ["paused", "not_started", "ended", "rate_limited", "purchase_limit", "sold_out"]


# --- windows that slide


@pytest.mark.parametrize("window", ["user", "address", "all"])
def test_a_rate_is_of_its_user_its_address_or_everybody(kind: Kind, window: str) -> None:
    pool = gated_pool(kind, 100, **{f"{window}_rate": Rate(2, 60)})
    first = {"user_id": 1, "address": "192.0.2.1"}
    same_user = {"user_id": 1, "address": "2001:db8::2"}
    same_address = {"user_id": 2, "address": "192.0.2.1"}
    nobody = {"user_id": 3, "address": "192.0.2.3"}
    assert [verdict(pool, **first) for _ in range(2)] == [Verdict.ADMITTED] * 2

    refused = {
        name
        for name, who in (
            ("user", same_user),
            ("address", same_address),
            ("all", nobody),
        )
        if verdict(pool, **who) == Verdict.RATE_LIMITED
    }

    assert refused == ({"user", "address", "all"} if window == "all" else {window})
    assert verdict(pool, **first) == Verdict.RATE_LIMITED


def test_who_is_refused_by_one_window_counts_in_none(kind: Kind) -> None:
    pool = gated_pool(kind, 100, user_rate=Rate(1, 60), all_rate=Rate(3, 60))
    assert verdict(pool, 1) == Verdict.ADMITTED
    assert [verdict(pool, 1) for _ in range(5)] == [Verdict.RATE_LIMITED] * 5
    assert [verdict(pool, user) for user in (2, 3, 4)] == [
        Verdict.ADMITTED,
        Verdict.ADMITTED,
        Verdict.RATE_LIMITED,
    ]


def test_who_comes_too_late_counts_all_the_same(kind: Kind) -> None:
    pool = gated_pool(kind, 1, all_rate=Rate(3, 60))
    assert [verdict(pool, user) for user in range(5)] == [
        Verdict.ADMITTED,
        Verdict.SOLD_OUT,
        Verdict.SOLD_OUT,
        Verdict.RATE_LIMITED,
        Verdict.RATE_LIMITED,
    ]


def test_a_rate_refusal_says_when_there_is_room_again_to_the_microsecond(kind: Kind) -> None:
    pool = gated_pool(kind, 100, all_rate=Rate(3, 60))
    passed = [admit(pool) for _ in range(3)]
    refused = admit(pool)
    assert refused.verdict == Verdict.RATE_LIMITED
    room_at = passed[0].at + 60
    assert refused.at + refused.figure / 1e6 == pytest.approx(room_at, abs=2e-6)


def age(pool: Pool, seconds: float) -> None:
    """Moves what the windows remember back in time, as waiting would."""
    *_, window = gate.names(pool.pk, "rate:all")
    redis = gate.client()
    for index, moment in enumerate(redis.lrange(window, 0, -1)):
        redis.lset(window, index, int(moment) - round(seconds * 1e6))


def test_a_window_slides_and_does_not_begin_anew(kind: Kind) -> None:
    pool = gated_pool(kind, 100, all_rate=Rate(2, 60))
    assert verdict(pool) == Verdict.ADMITTED
    age(pool, 40)
    assert verdict(pool) == Verdict.ADMITTED
    assert verdict(pool) == Verdict.RATE_LIMITED
    # 60 seconds after the first, 20 after the second: one of the two places is free.
    age(pool, 20)
    assert verdict(pool) == Verdict.ADMITTED
    assert verdict(pool) == Verdict.RATE_LIMITED


def test_windows_are_forgotten_when_they_are_over(kind: Kind) -> None:
    pool = gated_pool(kind, 100, user_rate=Rate(2, 600), all_rate=Rate(2, 300))
    _, mine, everybodys = gate.names(pool.pk, "rate:user:7", "rate:all")
    began = time.monotonic()
    admit(pool, 7)
    left = [gate.client().pttl(window) for window in (mine, everybodys)]
    lasted = math.ceil((time.monotonic() - began) * 1000)
    assert 600_000 - lasted <= left[0] <= 600_000
    assert 300_000 - lasted <= left[1] <= 300_000


@pytest.mark.parametrize("window", ["user", "address", "all"])
def test_a_window_is_exact_under_parallel_bursts(kind: Kind, window: str) -> None:
    """Nine callers that never wait, into the third second, at 20 a second. What is asserted holds
    at any speed: the clock that counts is Redis's, and each answer carries it."""
    rate = Rate(20, 1)
    pool = gated_pool(kind, 10**6, **{f"{window}_rate": rate})

    def hammer() -> list[Answer]:
        answers = [admit(pool, 1, address="192.0.2.1")]
        while answers[-1].at < answers[0].at + 2.1 * rate.seconds:
            answers.append(admit(pool, 1, address="192.0.2.1"))
        return answers

    outcomes = race([hammer for _ in range(9)])

    answers = [answer for outcome in outcomes for answer in outcome.result()]
    passed = sorted(answer.at for answer in answers if answer.verdict == Verdict.ADMITTED)
    refused = [answer.at for answer in answers if answer.verdict == Verdict.RATE_LIMITED]
    assert len(passed) + len(refused) == len(answers)
    assert len(passed) > rate.count
    assert refused
    # Never more in any second, not even across its edge ...
    spans = [late - early for early, late in zip(passed, passed[rate.count :], strict=False)]
    assert min(spans) >= rate.seconds - ROUNDED
    # ... and not fewer: whoever was refused found a full second behind it.
    for at in refused:
        begins = bisect_left(passed, at - rate.seconds - ROUNDED)
        assert bisect_right(passed, at + ROUNDED) - begins >= rate.count


# --- all at once


def test_of_many_at_once_as_many_are_admitted_as_there_are_units(kind: Kind) -> None:
    pool = gated_pool(kind, 100)

    def shopper(first: int) -> list[Verdict]:
        return [verdict(pool, first + number) for number in range(20)]

    outcomes = race([partial(shopper, 1_000 * thread) for thread in range(16)])

    verdicts = Counter(one for outcome in outcomes for one in outcome.result())
    assert verdicts == {Verdict.ADMITTED: 100, Verdict.SOLD_OUT: 220}
    assert remaining(pool) == 0


def test_of_one_users_many_at_once_as_many_are_admitted_as_the_limit_says(kind: Kind) -> None:
    pool = gated_pool(kind, 100, per_user_limit=3)

    outcomes = race([partial(verdict, pool, 1) for _ in range(50)])

    assert Counter(outcome.result() for outcome in outcomes) == {
        Verdict.ADMITTED: 3,
        Verdict.PURCHASE_LIMIT: 47,
    }
    assert (remaining(pool), users_of(pool)) == (97, {1: 3})


def test_one_key_many_times_at_once_takes_once(kind: Kind) -> None:
    pool = gated_pool(kind, 100)

    outcomes = race([partial(verdict, pool, 1, key="k") for _ in range(50)])

    assert Counter(outcome.result() for outcome in outcomes) == {
        Verdict.ADMITTED: 1,
        Verdict.KNOWN: 49,
    }
    assert remaining(pool) == 99


# --- what comes back


def test_a_release_undoes_an_admission_once(kind: Kind) -> None:
    pool = gated_pool(kind, 5, per_user_limit=3)
    request = request_of(pool, 1, count=2, key="k")
    gate.admit(request)

    for _ in range(3):
        gate.release(request)

    assert (remaining(pool), users_of(pool)) == (5, {})
    assert gate.admit(request).verdict == Verdict.ADMITTED


def test_a_release_leaves_the_users_other_units(kind: Kind) -> None:
    pool = gated_pool(kind, 9, per_user_limit=5)
    admit(pool, 1, count=2, key="kept")
    request = request_of(pool, 1, count=3, key="released")
    gate.admit(request)

    gate.release(request)

    assert (remaining(pool), users_of(pool)) == (7, {1: 2})
    assert verdict(pool, 1, key="kept") == Verdict.KNOWN


def test_what_was_never_admitted_cannot_be_released(kind: Kind) -> None:
    pool = gated_pool(kind, 5, per_user_limit=3)
    gate.release(request_of(pool, 1, count=2))
    assert (remaining(pool), users_of(pool)) == (5, {})


def test_units_that_come_back_can_be_had_and_their_keys_stay_known(kind: Kind) -> None:
    pool = gated_pool(kind, 3, per_user_limit=3)
    admit(pool, 1, count=3, key="k")

    gate.raise_by(pool.pk, users={1: 2})

    assert (remaining(pool), users_of(pool)) == (2, {1: 1})
    assert verdict(pool, 1, key="k") == Verdict.KNOWN
    gate.raise_by(pool.pk, units=4, users={1: 1})
    assert (remaining(pool), users_of(pool)) == (7, {})


def test_nothing_comes_back_to_a_gate_that_knows_nothing(kind: Kind) -> None:
    pool = gated_pool(kind, 3, per_user_limit=3)
    request = request_of(pool, 1)
    gate.admit(request)
    wipe(pool)

    gate.raise_by(pool.pk, units=3, users={1: 1})
    gate.release(request)

    assert keys_of(pool) == []


def test_a_gate_hears_of_what_came_back_when_it_is_committed(kind: Kind) -> None:
    pool, plain = gated_pool(kind, 3, per_user_limit=3), make_pool(3)
    admit(pool, 1, count=2)
    seen = []

    with transaction.atomic():
        gate.give_back_after_commit({(pool.pk, 1): 2, (plain.pk, 1): 1})
        seen.append(remaining(pool))
    seen.append(remaining(pool))
    try:
        with transaction.atomic():
            gate.give_back_after_commit({(pool.pk, 1): 1})
            raise ZeroDivisionError
    except ZeroDivisionError:
        seen.append(remaining(pool))

    assert seen == [1, 3, 3]
    assert keys_of(plain) == []


# --- Redis's side of it


def test_all_that_a_gate_keeps_has_one_hash_tag(kind: Kind) -> None:
    rates = {f"{window}_rate": Rate(9, 60) for window in ("user", "address", "all")}
    pool = gated_pool(kind, 5, per_user_limit=3, **rates)
    admit(pool, 1, address="2001:db8::1")
    gatekeeping.correct(pool.pk)

    tag = f"{{pool:{pool.pk}}}:"
    every = [key.decode() for key in gate.client().keys("*")]
    assert sorted(every) == sorted(
        tag + name
        for name in (
            "gate",
            "keys",
            "look",
            "rate:address:2001:db8::1",
            "rate:all",
            "rate:user:1",
            "users",
        )
    )


def test_every_script_is_loaded_again_where_the_server_has_forgotten_it(kind: Kind) -> None:
    pool = gated_pool(kind, 5, per_user_limit=3)
    request = request_of(pool, 1)

    def forgotten() -> None:
        gate.client().script_flush()

    forgotten()
    assert gate.admit(request).verdict == Verdict.ADMITTED
    forgotten()
    gate.release(request)
    forgotten()
    gate.raise_by(pool.pk, units=2)
    assert remaining(pool) == 7
    forgotten()
    kind.terms[pool.pk] = terms_of(per_user_limit=3, paused=True)
    gatekeeping.apply_terms(pool.pk)
    assert verdict(pool) == Verdict.PAUSED
    forgotten()
    assert gatekeeping.rebuild(pool.pk, force=True)
    assert remaining(pool) == 5


def test_an_admission_is_one_command(kind: Kind) -> None:
    pool = gated_pool(kind, 50, per_user_limit=3)
    admit(pool)

    def calls() -> dict[str, int]:
        stats = gate.client().info("commandstats")
        return {name: figures["calls"] for name, figures in stats.items()}

    before = calls()
    for _ in range(10):
        admit(pool, 2)
    after = calls()

    sent = {
        name: after[name] - before.get(name, 0)
        for name in ("cmdstat_evalsha", "cmdstat_eval", "cmdstat_script|load", "cmdstat_auth")
        if name in after
    }
    assert sent.pop("cmdstat_evalsha") == 10
    assert not any(sent.values())


def test_a_connection_that_the_server_has_closed_is_made_anew(kind: Kind) -> None:
    pool = gated_pool(kind, 5)
    admit(pool)
    redis = gate.client()
    mine = redis.client_id()
    for client in redis.client_list():
        if int(client["id"]) != mine:
            redis.client_kill_filter(_id=client["id"])

    assert verdict(pool) == Verdict.ADMITTED
    assert remaining(pool) == 3


def test_a_child_process_has_a_connection_of_its_own(kind: Kind) -> None:
    """On its parent's, the two would read each other's answers."""
    pool = gated_pool(kind, 1_000)
    admit(pool)
    children = []
    for child in range(4):
        pid = os.fork()
        if pid == 0:
            good = False
            try:
                good = all(verdict(pool, 1_000 + child) == Verdict.ADMITTED for _ in range(50))
            finally:
                os._exit(0 if good else 1)
        children.append(pid)
    own = [admit(pool, 7) for _ in range(50)]

    ended = [os.waitpid(pid, 0)[1] for pid in children]

    assert ended == [0, 0, 0, 0]
    assert {answer.verdict for answer in own} == {Verdict.ADMITTED}
    assert remaining(pool) == 1_000 - 1 - 5 * 50


def test_the_gate_of_a_closed_pool_fades(kind: Kind) -> None:
    pool = gated_pool(kind, 5, per_user_limit=3)
    admit(pool)
    gate.fade(pool.pk)
    lives = [gate.client().ttl(key) for key in keys_of(pool)]
    assert len(lives) == 3
    assert all(0 < life <= gate.FADE_SECONDS for life in lives)
    # Until then it still answers.
    assert verdict(pool) == Verdict.ADMITTED


def test_a_gate_whose_keys_make_no_sense_is_unavailable(kind: Kind) -> None:
    pool = gated_pool(kind, 5)
    [counters] = gate.names(pool.pk)
    gate.client().delete(counters)
    gate.client().set(counters, "nonsense")

    with pytest.raises(Unavailable):
        admit(pool)


def test_a_fingerprint_is_64_bits() -> None:
    assert len(Request(1, 1, 1, "k").fingerprint) == 16
    assert math.log2(16**16) == 64
