"""Periods behind gates: what shoppers are told, and that the gate hears of all that happens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from lottery.closing import period_close, periods_sweep
from lottery.models import Entry, Period
from lottery.selectors import period_terms_lately
from shop.accounts.models import User
from shop.errors import InsufficientStock
from shop.pools import gate, gatekeeping
from shop.pools.audit import audit
from shop.pools.gate import Answer, Request
from tests.factories import enter, give_points, make_period
from tests.faults.deaths import deaf, dying_at, mortal
from tests.kit.hows import code_of
from tests.kit.marks import on_mariadb
from tests.kit.periods import (
    fates,
    let_pass,
    numbers_given,
    points_of,
    rich,
    sell,
    sell_out,
    settle,
    stored,
)
from tests.kit.units import counters
from tests.pools.gates import (
    in_step,
    keys_of,
    let_correct,
    remaining,
    spoil,
    users_of,
    wipe,
)

# Redis is there where MariaDB is.
pytestmark = [*on_mariadb, pytest.mark.usefixtures("empty_gates")]

BOTH = pytest.mark.parametrize("placement", ["direct", "queued"])


def gated(placement: str = "queued", **terms: object) -> Period:
    """10 shares at 5 points behind a gate."""
    return make_period(placement=placement, gated=True, **terms)


@contextmanager
def disabled(user: User) -> Iterator[None]:
    User.objects.filter(pk=user.pk).update(is_active=False)
    yield
    User.objects.filter(pk=user.pk).update(is_active=True)


@BOTH
def test_the_gate_is_in_step_after_everything_that_happens_to_an_entry(placement: str) -> None:
    period = gated(placement, per_user_limit=6)
    user, poor, banned = rich(), rich(4), rich()
    codes = []

    def step(*asked: object, **how: object) -> None:
        codes.append(code_of(lambda: enter(*asked, **how)))  # type: ignore[arg-type]
        settle(period)
        assert in_step(period.pool), (asked, how)

    step(user, period, 2, key="k")
    step(user, period, 2, key="k")  # again
    step(user, period, 5)  # beyond the limit
    step(poor, period, 1, key="k")  # which can't pay
    give_points(poor, 10)
    step(poor, period, 1, key="k")  # again; direct, with the same key
    with disabled(banned):
        step(banned, period, 1)
    step(rich(), period, 5)
    step(rich(), period, 5)  # more than are left
    step(rich(), period, 5, partial=True)

    direct = placement == "direct"
    assert codes == [
        "",
        "",
        "purchase_limit",
        "insufficient_balance" if direct else "",
        "",
        "permission_denied" if direct else "",
        "",
        "insufficient_stock",
        "",
    ]
    assert counters(period.pool) == (0, 10)
    assert len(set(numbers_given(period))) == 10
    assert audit().broken == {}


@BOTH
def test_a_repeat_is_known_and_takes_nothing(placement: str) -> None:
    period, user = gated(placement, per_user_limit=7), rich()
    first = enter(user, period, 3, key="k")
    sell(period, 7)

    for _ in range(3):
        assert enter(user, period, 3, key="k").pk == first.pk

    assert (remaining(period.pool), users_of(period.pool)[user.pk]) == (0, 3)
    settle(period)
    assert in_step(period.pool)


def test_who_can_not_pay_leaves_no_trace_at_the_gate() -> None:
    period, user = gated("direct", per_user_limit=5), rich(4)

    for _ in range(3):
        assert code_of(lambda: enter(user, period, 1, key="k")) == "insufficient_balance"

    assert (remaining(period.pool), users_of(period.pool)) == (10, {})
    give_points(user, 1)
    enter(user, period, 1, key="k")
    assert in_step(period.pool)


# --- Redis that forgets


@BOTH
def test_flushed_in_the_middle_it_is_unavailable_until_it_is_rebuilt_and_no_share_is_sold_twice(
    placement: str,
) -> None:
    period, user = gated(placement, per_user_limit=7), rich()
    first = enter(user, period, 3, key="k")
    gate.client().flushdb()

    codes = [code_of(partial(enter, user, period, 3, key=key)) for key in ("k", "new")]
    gatekeeping.rebuild(period.pool_id)

    # A repeat of what is stored is answered, gate or no gate.
    assert codes == ["", "unavailable"]
    assert in_step(period.pool)
    assert enter(user, period, 3, key="k").pk == first.pk
    assert code_of(lambda: enter(user, period, 5)) == "purchase_limit"
    settle(period)
    sell(period, 7)
    assert code_of(lambda: enter(rich(), period, 1)) == "sold_out"
    assert len(set(numbers_given(period))) == 10
    assert in_step(period.pool)
    assert audit().broken == {}


def test_rebuilt_while_entries_wait_that_take_what_is_left_it_counts_what_they_may_get() -> None:
    period = gated(total_shares=10)
    enter(rich(), period, 6)
    waiting = enter(rich(), period, 20, partial=True)
    poor = rich(1)
    wipe(period.pool)

    gatekeeping.rebuild(period.pool_id)

    assert waiting.wanted == 4
    assert remaining(period.pool) == 0
    assert in_step(period.pool)
    assert code_of(lambda: enter(poor, period, 1)) == "sold_out"
    settle(period)
    assert fates(waiting) == ["confirmed"]
    assert in_step(period.pool)


def test_put_behind_a_gate_while_more_waits_than_is_left_it_is_right_when_all_is_settled() -> None:
    """Without a gate, entries that take what is left may all want the same shares."""
    period = make_period(placement="queued", gated=False)
    entries = [enter(rich(), period, 8, partial=True) for _ in range(3)]
    period.pool.gated = True
    period.pool.save(update_fields=["gated"])
    period_terms_lately.forget()
    gatekeeping.rebuild(period.pool_id)
    assert remaining(period.pool) == 10 - 3 * 8
    assert code_of(lambda: enter(rich(), period, 1)) == "sold_out"

    settle(period)

    assert fates(*entries) == ["confirmed", "confirmed", "sold_out"]
    assert stored(entries[1]).shares.count == 2
    assert in_step(period.pool)


@BOTH
def test_who_died_at_the_gate_is_known_to_it_and_gets_what_is_there(
    placement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mortal(monkeypatch)
    period, user = gated(placement, total_shares=4), rich()
    with dying_at("gate.admitted"):
        enter(user, period, 9, key="k", partial=True)
    assert not Entry.objects.exists()
    assert remaining(period.pool) == 0

    entry = enter(user, period, 9, key="k", partial=True)
    settle(period)

    assert stored(entry).shares.count == 4
    assert in_step(period.pool)
    assert audit().broken == {}


def test_while_redis_is_away_nothing_is_stored_but_repeats_are_answered() -> None:
    period, user = gated(), rich()
    first = enter(user, period, 1, key="k")

    with deaf():
        codes = [code_of(partial(enter, user, period, 1, key=key)) for key in ("k", "new")]

    assert codes == ["", "unavailable"]
    assert list(Entry.objects.all()) == [first]


# --- what is left


@pytest.fixture
def others_between_two_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[Period], list[int]]:
    """From now on somebody else gets a share each time the gate has just said how many are left.
    Returns the growing list of what was asked for."""

    def arrange(period: Period) -> list[int]:
        admit, asked, others = gate.admit, [], rich()

        def admit_and_shrink(request: Request) -> Answer:
            answer = admit(request)
            if request.user_id != others.pk:
                asked.append(request.count)
                if answer.verdict is gate.Verdict.SOLD_OUT and answer.figure > 0:
                    enter(others, period, 1)
            return answer

        monkeypatch.setattr(gate, "admit", admit_and_shrink)
        return asked

    return arrange


@BOTH
def test_what_is_left_may_shrink_between_two_asks(
    placement: str, others_between_two_asks: Callable[[Period], list[int]]
) -> None:
    period, user = gated(placement, total_shares=20), rich()
    sell(period, 17)
    asked = others_between_two_asks(period)

    code = code_of(lambda: enter(user, period, 19, partial=True))
    settle(period)

    # Seen as all left a moment ago; then 3, 2 and 1, each taken by somebody else.
    assert (code, asked) == ("sold_out", [19, 3, 2, 1])
    assert not Entry.objects.filter(user=user).exists()
    assert counters(period.pool) == (0, 20)
    assert in_step(period.pool)


def test_what_is_left_is_asked_for_a_few_times_only(
    others_between_two_asks: Callable[[Period], list[int]],
) -> None:
    period, user = gated("direct", total_shares=20), rich()
    enter(rich(), period, 10)
    asked = others_between_two_asks(period)

    with pytest.raises(InsufficientStock) as few:
        enter(user, period, 19, partial=True)

    assert few.value.data == {"available": 7}
    assert asked == [19, 10, 9, 8]


# --- a gate that is wrong


@BOTH
def test_a_gate_that_admits_too_many_costs_them_a_refusal_and_gives_no_number_twice(
    placement: str,
) -> None:
    period = gated(placement)
    spoil(period.pool, by=+20)

    codes = [code_of(lambda: enter(rich(), period, 3)) for _ in range(5)]
    codes.append(code_of(lambda: enter(rich(), period, 3, partial=True)))
    settle(period)

    if placement == "direct":
        assert codes == ["", "", "", "insufficient_stock", "insufficient_stock", ""]
    else:
        assert codes == [""] * 6
        assert Entry.objects.filter(failure="sold_out").count() == 2
    assert sorted(numbers_given(period)) == list(range(1_000_002, 1_000_012))
    assert audit().broken == {}


@BOTH
@pytest.mark.parametrize("by", [-4, +4])
def test_a_drift_is_corrected_by_two_looks(placement: str, by: int) -> None:
    period, user = gated(placement, per_user_limit=5), rich()
    enter(user, period, 2)
    settle(period)
    spoil(period.pool, by=by, users={user.pk: by})

    let_correct(period.pool)

    assert in_step(period.pool)
    assert remaining(period.pool) == 8
    assert users_of(period.pool) == {user.pk: 2}


def test_a_user_whom_the_gate_has_forgotten_is_held_to_the_limit_all_the_same() -> None:
    for placement in ("direct", "queued"):
        period, user = gated(placement, per_user_limit=3), rich()
        enter(user, period, 2)
        settle(period)
        spoil(period.pool, users={user.pk: -2})

        code = code_of(lambda: enter(user, period, 2))  # noqa: B023
        settle(period)

        assert code == ("purchase_limit" if placement == "direct" else "")
        assert counters(period.pool) == (8, 2)
        assert points_of(user) == 990
    assert audit().broken == {}


# --- the end


def test_the_gate_knows_the_end_and_fades_after_it() -> None:
    period = gated(ends_at=timezone.now() + timedelta(hours=1))
    sell(period, 2)
    let_pass(period, hours=2)

    code = code_of(lambda: enter(rich(), period, 1))
    periods_sweep()

    assert code == "ended"
    assert keys_of(period.pool)
    assert all(0 < gate.client().ttl(key) <= gate.FADE_SECONDS for key in keys_of(period.pool))
    period_terms_lately.forget()
    assert code_of(lambda: enter(rich(), period, 1)) == "ended"


def test_sold_out_it_says_so_until_it_is_closed_and_ended_afterwards() -> None:
    period = gated()
    sell_out(period)
    codes = [code_of(lambda: enter(rich(), period, 1))]
    periods_sweep()
    codes.append(code_of(lambda: enter(rich(), period, 1)))
    period_terms_lately.forget()
    codes.append(code_of(lambda: enter(rich(), period, 1)))

    # A process goes by what it read a moment ago.
    assert codes == ["sold_out", "sold_out", "ended"]


def test_the_gate_of_a_period_that_was_not_due_stays() -> None:
    period = gated()
    fresh = Period.objects.select_related("pool").get(pk=period.pk)

    period_close(fresh)

    assert [gate.client().ttl(key) for key in keys_of(period.pool)] == [-1] * len(
        keys_of(period.pool)
    )
    assert in_step(period.pool)
