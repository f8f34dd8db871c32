"""Periods for tests: shoppers with points, what workers do a moment later, and time that passes."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db.models import Sum
from django.db.models.functions import Now

from lottery.beacons import CHOICES
from lottery.closing import periods_sweep
from lottery.drawing import periods_draw
from lottery.models import Entry, Period, Shares
from lottery.numbers import numbers_of
from lottery.selectors import period_terms_lately
from shop.accounts.models import User
from shop.pools import gatekeeping
from shop.pools.audit import audit
from shop.pools.drain import drain
from shop.transactions import run
from shop.wallet.models import Account, Currency, House
from shop.wallet.services import Book
from tests.factories import enter, give_points, make_period, make_user
from tests.kit.hows import How, make_users
from tests.kit.units import counters
from tests.kit.wallets import balance

PRICE = 5


def rich(points: int = 1_000) -> User:
    """A shopper who has so many points."""
    user = make_user()
    give_points(user, points)
    return user


def crowd(count: int, points: int = 1_000) -> list[User]:
    """So many shoppers, each with so many points, who can't log in: they cost next to nothing."""
    users = make_users(count)

    def fill() -> None:
        book = Book(Currency.POINTS, House.GRANTS, "grant")
        book.lock([user.pk for user in users])
        for user in users:
            book.credit(user.pk, points, f"crowd-{user.pk}")
        book.write(f"crowd-{uuid4().hex}")

    run(fill)
    return users


def period_of(how: How, *, shares: int, **terms: Any) -> Period:
    """A period of so many shares, without a limit, sold like this."""
    defaults = {
        "share_price": PRICE,
        "placement": how.placement,
        "strategy": how.strategy,
        "gated": how.gated,
    }
    return make_period(total_shares=shares, **defaults | terms)


def points_of(user: User) -> int:
    return balance(user, Currency.POINTS)


def settle(period: Period) -> None:
    """Does what a worker does a moment later; nothing where entries are settled at once."""
    assert not drain(period.queue_id)


def stored(entry: Entry) -> Entry:
    return Entry.objects.select_related("shares").get(pk=entry.pk)


def fates(*entries: Entry) -> list[str]:
    """What became of each: its failure, or its status."""
    rows = Entry.objects.in_bulk([entry.pk for entry in entries])
    return [rows[entry.pk].failure or rows[entry.pk].status for entry in entries]


def numbers_given(period: Period) -> list[int]:
    """The numbers that its entries have, in the order of their shares."""
    numbers = numbers_of(Period.objects.get(pk=period.pk))
    shares = Shares.objects.filter(pool_id=period.pool_id).order_by("first")
    rows = shares.values_list("first", "count")
    return [number for first, count in rows for number in numbers.numbers(first, count)]


def sell(period: Period, shares: int | None = None, *, to: User | None = None) -> Entry:
    """Sells shares, or all of a period, to one shopper, and settles that."""
    entry = enter(to or rich(10**6), period, shares or period.total_shares)
    settle(period)
    return Entry.objects.get(pk=entry.pk)


def sell_out(period: Period, *users: User) -> list[Entry]:
    """All shares, as evenly as may be, to `users`; without any, to one who is rich enough."""
    buyers = users or (rich(period.total_shares * period.share_price),)
    each, more = divmod(period.total_shares, len(buyers))
    entries = [enter(user, period, each + (n < more)) for n, user in enumerate(buyers)]
    settle(period)
    return entries


def let_pass(period: Period, *, hours: int) -> None:
    """As if it had all happened so much earlier; its terms and what was published stay."""
    fresh = Period.objects.get(pk=period.pk)
    moved = {name: getattr(fresh, name) for name in ("ends_at", "created_at")}
    Period.objects.filter(pk=period.pk).update(
        **{name: moment - timedelta(hours=hours) for name, moment in moved.items() if moment}
    )
    gatekeeping.quietly(gatekeeping.apply_terms, fresh.pool)
    period_terms_lately.forget()


def end_now(period: Period) -> None:
    """Its time is up, as far as the database's clock and its gate can tell."""
    Period.objects.filter(pk=period.pk).update(ends_at=Now())
    gatekeeping.quietly(gatekeeping.apply_terms, period.pool)
    period_terms_lately.forget()


def let_round_come(period: Period) -> None:
    """The round of a closed period has just come out: so much earlier was its close."""
    closed = Period.objects.get(pk=period.pk)
    assert closed.closed_at is not None
    assert closed.beacon_round is not None
    choice = CHOICES[closed.beacon]
    rounds = choice.delay_seconds // choice.identity.period_seconds + 2
    Period.objects.filter(pk=period.pk).update(
        closed_at=closed.closed_at - timedelta(seconds=rounds * choice.identity.period_seconds),
        beacon_round=closed.beacon_round - rounds,
    )


def close(period: Period) -> Period:
    """Closes a period that is due, with its root."""
    periods_sweep()
    return Period.objects.get(pk=period.pk)


def draw(period: Period) -> Period:
    """Closes a period that is sold out or out of time, and draws it; as it is then."""
    periods_sweep()
    let_round_come(period)
    assert periods_draw() == 1
    return Period.objects.select_related("winner__user", "prize_order").get(pk=period.pk)


def sell_and_draw(period: Period) -> Period:
    """Sells what is left of a period to one shopper, and draws it."""
    period.pool.refresh_from_db()
    sell(period, period.pool.available)
    return draw(period)


def outcomes(period: Period) -> Counter[str]:
    """Its entries by their failure, or their status."""
    rows = Entry.objects.filter(period=period).values_list("status", "failure")
    return Counter(failure or status for status, failure in rows)


def assert_sold(period: Period, *, shares: int, had: Mapping[User, int]) -> None:
    """Exactly so many shares are sold, each number is one entry's, whoever `had` so many points has
    paid for what is theirs and no more, and every promise holds."""
    numbers = numbers_given(period)
    first, total = period.first_number, period.total_shares
    assert len(numbers) == len(set(numbers)) == shares
    assert all(first <= number < first + total for number in numbers)
    if shares == total:
        assert sorted(numbers) == list(range(first, first + total))
    assert counters(period.pool) == (total - shares, shares)
    mine = Shares.objects.filter(pool=period.pool).values_list("entry__user")
    spent = dict(mine.annotate(Sum("cost")).order_by())
    left = dict(
        Account.objects.filter(user__in=had, currency=Currency.POINTS).values_list(
            "user_id", "balance"
        )
    )
    assert left == {user.pk: points - spent.get(user.pk, 0) for user, points in had.items()}
    assert audit().broken == {}
