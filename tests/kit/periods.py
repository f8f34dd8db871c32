"""Periods for tests: shoppers with points, what workers do a moment later, and time that passes."""

from datetime import timedelta

from lottery.beacons import CHOICES
from lottery.closing import periods_sweep
from lottery.drawing import periods_draw
from lottery.models import Entry, Period, Shares
from lottery.numbers import numbers_of
from lottery.selectors import period_terms_lately
from shop.accounts.models import User
from shop.pools import gatekeeping
from shop.pools.drain import drain
from shop.wallet.models import Currency
from tests.factories import enter, give_points, make_user
from tests.kit.wallets import balance


def rich(points: int = 1_000) -> User:
    """A shopper who has so many points."""
    user = make_user()
    give_points(user, points)
    return user


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
