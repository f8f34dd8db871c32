"""What periods promise: silent about a shop in order, and exact about the row that breaks it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from goods.models import Sku
from lottery.closing import periods_sweep
from lottery.models import Entry, Period
from orders.models import OrderLine
from shop.accounts.models import User
from shop.pools.audit import audit
from shop.wallet.models import Account, House, Transaction
from tests.factories import enter, make_period, make_sku
from tests.kit.periods import draw, let_pass, rich, sell_out, settle, stored
from tests.pools.planting import ago, plant

PRICE = 5


@dataclass(frozen=True, slots=True)
class Lottery:
    """Two users. A period of 10 shares at 5 points runs: a batch gave 2 to the first, 3 to the
    other, 1 to the first. One of 4 shares, in halves, was sold at once and drawn; its prize was a
    coin. Two more were cancelled: the money of the one (2 shares of the first's) is back, that of
    the last (1 share) is not yet."""

    first: User
    other: User
    coin: Sku
    running: Period
    drawn: Period
    cancelled: Period
    owing: Period

    def columns(self) -> dict[str, object]:
        """What the planted SQL may name."""
        mine = Entry.objects.filter(period=self.running).order_by("pk")
        one, two, three = mine
        won = self.drawn.winner
        lost = Entry.objects.filter(period=self.drawn).exclude(pk=won.pk).get()
        back = Entry.objects.get(period=self.cancelled)
        owed = Entry.objects.get(period=self.owing)
        entries = {"one": one, "two": two, "three": three, "won": won, "lost": lost}
        entries |= {"back": back, "owed": owed}
        periods = {"running": self.running, "drawn": self.drawn, "cancelled": self.cancelled}
        periods |= {"owing": self.owing}
        points = {account.user_id: account.pk for account in Account.objects.filter(house=None)}
        return {
            "first": self.first.pk,
            "other": self.other.pk,
            "firsts": points[self.first.pk],
            "others": points[self.other.pk],
            "house": Account.objects.get(house=House.LOTTERY).pk,
            "coins": self.coin.pool_id,
            "prize": OrderLine.objects.get().reference,
            "order": self.drawn.prize_order_id,
            "batch": stored(one).shares.reference,
            "booked": Transaction.objects.get(reference=stored(one).shares.reference).pk,
            "number": self.drawn.number,
            "10_minutes_ago": ago(600),
            "2_hours_ago": ago(7200),
            **{name: period.pk for name, period in periods.items()},
            **{f"{name}_pool": period.pool_id for name, period in periods.items()},
            **{name: entry.pk for name, entry in entries.items()},
            **{f"{name}_no": entry.entry_no for name, entry in entries.items()},
        }


@pytest.fixture
def lottery(db: None) -> Lottery:
    first, other = rich(1_000), rich(1_000)
    coin = make_sku(stock=1)
    running = make_period(total_shares=10, share_price=PRICE)
    for user, shares in ((first, 2), (other, 3), (first, 1)):
        enter(user, running, shares)
    settle(running)
    drawn = make_period(total_shares=4, share_price=PRICE, sku=coin, placement="direct")
    sell_out(drawn, first, other)
    drawn = draw(drawn)
    ended = []
    for shares in (2, 1):
        period = make_period(minimum_shares=9, ends_at=timezone.now() + timedelta(hours=1))
        enter(first, period, shares)
        settle(period)
        ended.append(period)
    cancelled, owing = ended
    let_pass(cancelled, hours=2)
    periods_sweep()
    let_pass(owing, hours=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lottery.closing.period_refund", lambda period: 0)
        periods_sweep()
    return Lottery(first, other, coin, running, drawn, cancelled, owing)


def test_a_lottery_in_order_keeps_every_promise(lottery: Lottery) -> None:
    report = audit()

    assert report.broken == {}
    assert report.figures(2)["entries"] == 7
    assert report.figures(4) == {
        "periods": 4,
        "shares_sold": 13,
        "drawn": 1,
        "drawn_again": 1,
        "periods_approved": 0,
    }


# What no service writes: a transaction of entries, what it moves, and the balance that follows.
BOOK = (
    "INSERT INTO wallet_transaction (reference, kind, reason, created_at)"
    " VALUES ('hand', 'entry', '', '2026-01-01 00:00:00')"
)
POST = (
    "INSERT INTO wallet_posting (transaction_id, account_id, amount, reference)"
    " SELECT id, {%s}, %d, '{%s}' FROM wallet_transaction WHERE reference = '%s'"
)
MOVE = "UPDATE wallet_account SET balance = balance + %d WHERE id = {%s}"
CUT = "DELETE FROM wallet_posting WHERE reference = '{%s}' AND account_id = {%s}"

# Which promises a hand in the tables breaks, and what one of them says.
BREACHES: dict[str, tuple[set[int], list[str], str]] = {
    # --- numbers
    "a gap between shares": (
        {4},
        ["UPDATE lottery_shares SET first = 6 WHERE entry_id = {three}"],
        "pool {running_pool}: shares begin at 6, the ones before end at 5",
    ),
    "shares that overlap": (
        {4},
        ["UPDATE lottery_shares SET first = 4 WHERE entry_id = {three}"],
        "pool {running_pool}: shares begin at 4, the ones before end at 5",
    ),
    "shares that do not begin at the first": (
        {4},
        ["UPDATE lottery_shares SET first = 1 WHERE entry_id = {one}"],
        "pool {running_pool}: shares begin at 1, the ones before end at 0",
    ),
    "more shares than were taken": (
        {1, 4},
        ["UPDATE lottery_shares SET count = 2 WHERE entry_id = {three}"],
        "period {running}: of 10 shares 4 are available and 6 taken, entries have 7, and it"
        " closed with None",
    ),
    "shares in another period's pool": (
        {1, 4},
        ["UPDATE lottery_shares SET pool_id = {owing_pool}, first = 1 WHERE entry_id = {three}"],
        "entry {three_no}: is confirmed, and has 1 shares for 5 at 5 each of period {running}",
    ),
    "fewer shares than wanted by who wants all": (
        {4},
        ["UPDATE lottery_entry SET wanted = 2 WHERE id = {three}"],
        "entry {three_no}: is confirmed, and has 1 shares for 5 at 5 each of period {running}",
    ),
    "an entry that is confirmed and has no shares": (
        {1, 4, 6},
        ["DELETE FROM lottery_shares WHERE entry_id = {three}"],
        "entry {three_no}: is confirmed, and has None shares for None at 5 each of period"
        " {running}",
    ),
    "an entry that failed and has shares": (
        {4},
        ["UPDATE lottery_entry SET status = 'failed' WHERE id = {three}"],
        "entry {three_no}: is failed, and has 1 shares for 5 at 5 each of period {running}",
    ),
    "an entry returned by a period that runs": (
        {4, 6},
        ["UPDATE lottery_entry SET status = 'refunded' WHERE id = {three}"],
        "entry {three_no}: is refunded, and has 1 shares for 5 at 5 each of period {running}",
    ),
    "an entry of no period": (
        {4, 6},
        ["UPDATE lottery_entry SET period_id = 987654 WHERE id = {three}"],
        "entry {three_no}: is confirmed, and has 1 shares for 5 at None each of period None",
    ),
    "a counter that is wrong": (
        {1, 4},
        [
            "UPDATE pools_pool SET available = available - 1, taken = taken + 1"
            " WHERE id = {running_pool}"
        ],
        "period {running}: of 10 shares 3 are available and 7 taken, entries have 6, and it"
        " closed with None",
    ),
    "more shares than there ever were": (
        {4},
        ["UPDATE lottery_period SET total_shares = 9 WHERE id = {running}"],
        "period {running}: of 9 shares 4 are available and 6 taken, entries have 6, and it"
        " closed with None",
    ),
    # --- the end
    "a close that counted others": (
        {4},
        ["UPDATE lottery_period SET shares_sold = 2 WHERE id = {owing}"],
        "period {owing}: of 10 shares 9 are available and 1 taken, entries have 1, and it"
        " closed with 2",
    ),
    "a period that is over and still sells": (
        {4},
        ["UPDATE pools_pool SET open = 1 WHERE id = {owing_pool}"],
        "period {owing}: is cancelled with 1 sold of at least 9, its pool is open",
    ),
    "a draw from too few shares": (
        {4},
        ["UPDATE lottery_period SET status = 'closed' WHERE id = {owing}"],
        "period {owing}: is closed with 1 sold of at least 9, its pool is closed",
    ),
    "a period that is out of time and never closed": (
        {4},
        ["UPDATE lottery_period SET ends_at = {10_minutes_ago} WHERE id = {running}"],
        "period {running}: is open, 60",
    ),
    "a period that is sold out and never closed": (
        {4},
        [
            "UPDATE lottery_period SET total_shares = 6 WHERE id = {running}",
            "UPDATE pools_pool SET available = 0 WHERE id = {running_pool}",
            "UPDATE pools_poolmovement SET delta = 6 WHERE pool_id = {running_pool}"
            " AND kind = 'load'",
            "UPDATE pools_poolmovement SET created_at = {10_minutes_ago}"
            " WHERE pool_id = {running_pool}",
        ],
        "period {running}: is open, None s after its end, 60",
    ),
    "a period that is closed and whose root is never published": (
        {4},
        [
            "UPDATE lottery_period SET status = 'closed', shares_sold = 1, minimum_shares = 1,"
            " root = '' WHERE id = {owing}"
        ],
        "period {owing}: is closed, 3",
    ),
    "a period whose round is long out and that is not drawn": (
        {1, 4},
        [
            "UPDATE lottery_period SET status = 'closed', prize_order_id = NULL,"
            " closed_at = {2_hours_ago} WHERE id = {drawn}"
        ],
        " s after its last share was sold, 720",
    ),
    # --- the draw
    "a number that was changed": (
        {4},
        ["UPDATE lottery_period SET number = number + 1 WHERE id = {drawn}"],
        "period {drawn}: is stored as",
    ),
    "a winner who did not win": (
        {4},
        ["UPDATE lottery_period SET winner_id = {lost} WHERE id = {drawn}"],
        "period {drawn}: is stored as",
    ),
    "a winner of another period": (
        {4},
        ["UPDATE lottery_period SET winner_id = {one} WHERE id = {drawn}"],
        "period {drawn}: its number {number}, winner {one} and prize's order {order} do not belong"
        " together",
    ),
    "a winner who does not exist": (
        {4},
        ["UPDATE lottery_period SET winner_id = 987654 WHERE id = {drawn}"],
        "period {drawn}: its number {number}, winner 987654 and prize's order {order} do not"
        " belong together",
    ),
    "a prize that somebody else has": (
        {4},
        [
            "UPDATE orders_order SET user_id = {first} + {other} - user_id WHERE id = {order}",
        ],
        "period {drawn}: its number {number}, winner {won} and prize's order {order} do not belong"
        " together",
    ),
    "a prize that nobody has": (
        {1, 4},
        ["UPDATE lottery_period SET prize_order_id = NULL WHERE id = {drawn}"],
        "period {drawn}: its number {number}, winner {won} and prize's order None do not belong"
        " together",
    ),
    "a prize that went into the stock too": (
        {1},
        ["UPDATE pools_pool SET available = 1, taken = 0 WHERE id = {coins}"],
        "pool {coins}: 1 available, 0 taken; by its ledger 0 and 1",
    ),
    "a nonce that was changed after the close": (
        {4},
        ["UPDATE lottery_entry SET nonce = '" + "5" * 32 + "' WHERE id = {lost}"],
        "period {drawn}: is stored as",
    ),
    "a seed that was not committed to": (
        {4},
        ["UPDATE lottery_period SET seed = '" + "5" * 64 + "' WHERE id = {drawn}"],
        "period {drawn}: is stored as",
    ),
    "a seed that is none": (
        {4},
        ["UPDATE lottery_period SET seed = 'lost' WHERE id = {drawn}"],
        "period {drawn}: can't be drawn again: ValueError",
    ),
    "terms that were not committed to": (
        {4},
        ["UPDATE lottery_period SET terms = REPLACE(terms, '银币', '金币') WHERE id = {drawn}"],
        "period {drawn}: is stored as",
    ),
    "terms that nobody can read": (
        {4},
        ["UPDATE lottery_period SET terms = '[]' WHERE id = {drawn}"],
        "period {drawn}: can't be drawn again: ValueError",
    ),
    "a round that the terms do not name": (
        {4},
        ["UPDATE lottery_period SET beacon_round = beacon_round + 1 WHERE id = {drawn}"],
        "period {drawn}: can't be drawn again: ValueError",
    ),
    # --- money
    "shares at another price": (
        {4, 6},
        ["UPDATE lottery_shares SET cost = 6 WHERE entry_id = {three}"],
        "entry {three_no}: is confirmed for 6; by its reference the wallet has -5",
    ),
    "an entry that nobody paid for": (
        {6},
        [CUT % ("three_no", "firsts"), MOVE % (5, "firsts")],
        "entry {three_no}: is confirmed for 5; by its reference the wallet has +0",
    ),
    "an entry that was paid for twice in its batch": (
        {6},
        [POST % ("firsts", -5, "three_no", "{batch}"), MOVE % (-5, "firsts")],
        "entry {three_no}: is confirmed for 5; by its reference the wallet has -10",
    ),
    "an entry that was paid for twice, each time in order": (
        {6},
        [
            BOOK,
            POST % ("firsts", -5, "three_no", "hand"),
            POST % ("house", 5, "three_no", "hand"),
            MOVE % (-5, "firsts"),
        ],
        "transaction hand: -5 points of user {first} for {three_no}, whose shares do not say so",
    ),
    "an entry that somebody else paid for": (
        {6},
        [
            "UPDATE wallet_posting SET account_id = {others} WHERE reference = '{three_no}'",
            MOVE % (5, "firsts"),
            MOVE % (-5, "others"),
        ],
        "transaction {batch}: -5 points of user {other} for {three_no}, whose shares do not say so",
    ),
    "a payment for an entry that failed": (
        {1, 4, 6},
        [
            "DELETE FROM lottery_shares WHERE entry_id = {three}",
            "UPDATE lottery_entry SET status = 'failed' WHERE id = {three}",
        ],
        "transaction {batch}: -5 points of user {first} for {three_no}, whose shares do not say so",
    ),
    "a return that never came": (
        {6},
        [CUT % ("back_no", "firsts") + " AND amount > 0", MOVE % (-10, "firsts")],
        "entry {back_no}: is refunded for 10; by its returned the wallet has +0",
    ),
    "a return that came twice": (
        {6},
        [
            BOOK,
            POST % ("firsts", 10, "back_no", "hand"),
            POST % ("house", -10, "back_no", "hand"),
            MOVE % (10, "firsts"),
        ],
        "transaction hand: +10 points of user {first} for {back_no}, whose shares do not say so",
    ),
    "a return to who is still in": (
        {6},
        ["UPDATE lottery_entry SET status = 'confirmed' WHERE id = {back}"],
        "entry {back_no}: is confirmed for 10; by its returned the wallet has +10",
    ),
    "a cancelled period that keeps the money": (
        {6},
        ["UPDATE lottery_period SET closed_at = {10_minutes_ago} WHERE id = {owing}"],
        "period {owing}: was cancelled 60",
    ),
    # --- entries as they were answered
    "an entry without a key": (
        {2},
        ["UPDATE lottery_entry SET idempotency_key = '' WHERE id = {three}"],
        "entry {three_no}: has no idempotency key",
    ),
    "an entry that waits for ever": (
        {1, 2, 4, 6},
        [
            "DELETE FROM lottery_shares WHERE entry_id = {three}",
            "UPDATE lottery_entry SET status = 'pending', queue_id = 1,"
            " created_at = {10_minutes_ago} WHERE id = {three}",
        ],
        "entry {three_no}: is pending, 60",
    ),
}


@contextmanager
def undone() -> Iterator[None]:
    """What is done inside has never been."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_each_breach_is_named(lottery: Lottery) -> None:
    columns = lottery.columns()
    seen_otherwise = {}
    for name, (numbers, statements, line) in BREACHES.items():
        with undone():
            plant(*statements, shop=lottery)
            broken = audit().broken
        said = [one for lines in broken.values() for one in lines if line.format(**columns) in one]
        if set(broken) != numbers or not said:
            seen_otherwise[name] = broken

    assert seen_otherwise == {}
    assert audit().broken == {}


def test_a_breach_of_each_kind_is_told_of_once(lottery: Lottery) -> None:
    """No promise is broken twice by one row, so that a report can be read."""
    plant(BREACHES["a number that was changed"][1][0], shop=lottery)

    [lines] = audit().broken.values()

    assert len(lines) == 1


def test_an_audit_that_can_not_draw_a_period_again_goes_on_with_the_others(
    lottery: Lottery,
) -> None:
    sell_out(other := make_period(total_shares=1))
    draw(other)
    plant(BREACHES["terms that nobody can read"][1][0], shop=lottery)

    report = audit()

    assert report.figures(4)["drawn_again"] == 2
    assert len(report.broken[4]) == 1
