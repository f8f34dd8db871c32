"""Flash sales under a crowd: never more than the allotment, never less, limits and keys hold."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random

import pytest
from pytest_django.fixtures import Settings

from goods.sales.models import FlashSale
from goods.sales.services import sale_add_units, sale_end, sale_set_placement
from orders.models import Order
from orders.pending import checkout_queue
from shop.accounts.models import User
from shop.pools.audit import Report, audit
from shop.pools.models import Placement
from tests.factories import make_address, make_sale, make_sku, make_user, place
from tests.faults.sales import assert_sold, buy, sale_of, states, units_held
from tests.kit.barrier import Outcome, race, watching
from tests.kit.clientlog import ClientLog
from tests.kit.desk import logged
from tests.kit.hows import (
    FOR_NOW,
    SEED,
    TRIES,
    How,
    code_of,
    drain_all,
    drained,
    hows,
    in_step,
    make_users,
    patient,
)
from tests.kit.marks import on_mariadb
from tests.kit.midway import looking_midway
from tests.kit.units import counters

pytestmark = on_mariadb


@pytest.fixture(autouse=True)
def _seed_shown() -> None:
    print(f"RACE_SEED={SEED}")


@pytest.fixture
def dice() -> Random:
    return Random(SEED)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ClientLog]:
    with ClientLog(tmp_path / "clients.log") as log:
        yield log


def patiently(user: User, sale: FlashSale, *, key: str, count: int = 1) -> str:
    """Buys with one key until there is an answer: its code, "" for an order."""
    return patient(partial(buy, user, sale, count=count, key=key))


def codes_of(outcomes: list[Outcome[str]]) -> Counter[str]:
    return Counter(outcome.result() for outcome in outcomes)


@hows("last unit", short=3)
def test_of_200_shoppers_at_the_last_unit_one_gets_it(how: How) -> None:
    sale, users = sale_of(how, stock=1), make_users(200)

    with drained(sale):
        codes = codes_of(race([partial(patiently, user, sale, key="k") for user in users]))

    assert set(codes) <= {"", "sold_out"}
    assert Order.objects.count() == codes[""]
    if how.gated or not how.queued:
        assert codes[""] == 1
    assert states(sale) == Counter({"unpaid": 1, "sold_out": codes[""] - 1}) + Counter()
    assert_sold(sale, units=1, of=1)
    assert in_step(sale)


@hows("storm", short=2)
def test_a_storm_sells_exactly_the_allotment(
    how: How,
    log: ClientLog,
    dice: Random,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """200 clients, 5,000 requests of one or two units, stock 100, audited each 50 ms and in the
    middle of the selling."""
    settings.DRAIN_BATCH = 20
    sale, users = sale_of(how, stock=100), make_users(200)
    midway = looking_midway(monkeypatch, audit, takes={2, 3, 20, 40})
    wishes = [[dice.choice((1, 2)) for _ in range(25)] for _ in users]

    def client(user: User, counts: list[int]) -> Counter[str]:
        codes: Counter[str] = Counter()
        for turn, count in enumerate(counts):
            codes[logged(user, turn, count)] += 1
        return codes

    def logged(user: User, turn: int, count: int) -> str:
        key = f"{user.pk}-{turn}"
        for _ in range(TRIES):
            log.sends(key)
            code = code_of(lambda: log.learns_stored(key, buy_it(user, count, key)))
            if code and code not in FOR_NOW - {"busy"}:
                log.learns_refused(key, code)
            if code not in FOR_NOW:
                break
        return code

    def buy_it(user: User, count: int, key: str) -> str:
        return str(buy(user, sale, count=count, key=key).order_no)

    with watching(audit) as seen, drained(sale):
        outcomes = race(
            [partial(client, *pair) for pair in zip(users, wishes, strict=True)], seconds=240
        )

    codes = sum((outcome.result() for outcome in outcomes), Counter())
    assert sum(codes.values()) == 5_000
    assert set(codes) <= {"", "sold_out", "insufficient_stock"}
    assert Order.objects.count() == codes[""]
    assert set(states(sale)) <= {"unpaid", "sold_out"}
    assert_sold(sale, units=100, of=100)
    assert_conserved([*seen, *midway], units=100)
    assert any(0 < report.figures(1)["taken"] < 100 for report in midway)
    assert in_step(sale)
    stored = Order.objects.values_list("idempotency_key", "order_no")
    assert log.disagreements(stored) == []


def assert_conserved(seen: list[Report], *, units: int) -> None:
    """Every snapshot keeps every promise."""
    assert [report.broken for report in seen] == [{}] * len(seen)
    figures = [report.figures(1) for report in seen]
    assert {one["available"] + one["taken"] for one in figures} == {units}


@hows("cart and sale", short=2)
def test_a_sale_and_the_cart_sell_one_sku_together_exactly_once(
    how: How, dice: Random, settings: Settings
) -> None:
    """60 units, 30 of them in the sale; while both sell, an operator moves more into the sale. The
    cart has a placement of its own."""
    settings.CHECKOUT_PLACEMENT = dice.choice(list(Placement))
    tea = make_sku(stock=60, strategy=how.strategy)
    sale, operator = sale_of(how, stock=30, sku=tea), make_user(is_staff=True)
    in_sale, at_cart = make_users(90), make_users(90)
    addresses = {user.pk: make_address(user) for user in at_cart}

    def buys_in_sale(user: User) -> str:
        return patiently(user, sale, key="k")

    def buys_from_cart(user: User) -> str:
        return patient(lambda: place(user, {tea: 1}, key="k", address=addresses[user.pk]))

    def moves() -> str:
        moved = []
        for n in range(5):
            moved.append(
                code_of(
                    lambda n=n: sale_add_units(
                        sale, count=2, operator=operator, reference=f"more-{n}"
                    )
                )
            )
        return "moved" if set(moved) <= {"", "insufficient_stock"} else str(moved)

    with watching(audit) as seen, drained(sale, others=[checkout_queue()]):
        codes = codes_of(
            race(
                [
                    *(partial(buys_in_sale, user) for user in in_sale),
                    *(partial(buys_from_cart, user) for user in at_cart),
                    moves,
                ]
            )
        )

    assert set(codes) <= {"", "sold_out", "insufficient_stock", "moved"}
    assert [report.broken for report in seen] == [{}] * len(seen)
    sale.refresh_from_db()
    assert 30 <= sale.total <= 40
    # What was moved into the sale after everybody had been there may be left.
    left, sold = counters(sale.pool)
    assert (left + sold, sum(counters(tea.pool))) == (sale.total, 60 - sale.total)
    assert units_held(sale) == sold
    buys_of_the_rest = [buy(user, sale) for user in make_users(left)]
    drain_all(sale)
    assert len(buys_of_the_rest) == left
    assert units_held(sale) + counters(tea.pool)[1] == 60
    assert audit().broken == {}


@hows("end", short=2)
def test_a_sale_that_is_ended_in_the_rush_gives_the_rest_back_once(how: How) -> None:
    """Whoever was accepted before the end, and had units coming, gets them."""
    tea = make_sku(stock=60)
    sale, operator, users = sale_of(how, stock=60, sku=tea), make_user(), make_users(100)

    def ends() -> str:
        sale_end(sale, operator=operator)
        return "end"

    with watching(audit) as seen, drained(sale):
        codes = codes_of(
            race([*(partial(patiently, user, sale, key="k") for user in users), ends, ends])
        )
    sale_end(sale)

    assert set(codes) <= {"", "sold_out", "ended", "end"}
    assert set(states(sale)) <= {"unpaid", "sold_out", "ended"}
    assert [report.broken for report in seen] == [{}] * len(seen)
    sold = units_held(sale)
    assert counters(sale.pool) == (0, sold)
    assert counters(tea.pool) == (60 - sold, 0)
    assert audit().broken == {}


@pytest.mark.parametrize("starts_in", [timedelta(minutes=-1), timedelta(hours=1)])
def test_of_many_who_end_a_sale_at_once_one_does(starts_in: timedelta) -> None:
    for _ in range(5):
        sale = make_sale(starts_in=starts_in, ends_in=timedelta(hours=2))

        outcomes = race([partial(sale_end, sale, operator=make_user())] * 4)

        assert sum(outcome.result() for outcome in outcomes) == sale.total
        assert [said for _who, _flag, said in logged(sale)] == ["Ended"]


@hows("limit", short=4)
def test_50_requests_of_one_shopper_with_50_keys_are_one_order_where_the_limit_is_one(
    how: How,
) -> None:
    sale, [user] = sale_of(how, stock=100, per_user_limit=1), make_users(1)

    with drained(sale):
        codes = codes_of(race([partial(patiently, user, sale, key=f"k{n}") for n in range(50)]))

    assert set(codes) <= {"", "purchase_limit"}
    if how.gated or not how.queued:
        assert codes[""] == 1
    assert states(sale) == Counter({"unpaid": 1, "purchase_limit": codes[""] - 1}) + Counter()
    assert_sold(sale, units=1, of=100)
    assert in_step(sale)


@pytest.mark.parametrize("gated", [True, False])
def test_the_limit_holds_while_the_placement_is_switched(gated: bool, dice: Random) -> None:
    """Drain and direct requests meet at the same shoppers' rows."""
    sale = sale_of(How("direct", "optimistic", gated), stock=300, per_user_limit=3)
    operator, users = make_user(), make_users(10)

    def buys(user: User, number: int) -> str:
        return patiently(user, sale, key=f"k{number}")

    def switches() -> str:
        for placement in dice.choices(list(Placement), k=20):
            sale_set_placement(sale, placement=placement, operator=operator)
        return "switched"

    with watching(audit) as seen, drained(sale):
        codes = codes_of(
            race([*(partial(buys, user, n) for n in range(12) for user in users), switches])
        )

    assert set(codes) <= {"", "purchase_limit", "switched"}
    assert [report.broken for report in seen] == [{}] * len(seen)
    assert states(sale)["unpaid"] == 30
    assert_sold(sale, units=30, of=300)
    assert in_step(sale)


@hows("drains at once", short=1, only=lambda how: how.queued)
def test_any_number_of_drains_at_once_settle_each_order_once(how: How, settings: Settings) -> None:
    settings.DRAIN_BATCH = 7
    sale = sale_of(how, stock=100)
    for user in make_users(100):
        buy(user, sale)

    with watching(audit) as seen, drained(sale, drains=8):
        pass

    assert states(sale) == {"unpaid": 100}
    assert [report.broken for report in seen] == [{}] * len(seen)
    assert_sold(sale, units=100, of=100)
    assert in_step(sale)
