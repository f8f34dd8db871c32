"""A flash sale, its queue, its gate and its shoppers, through any sequence of steps and deaths.

A death is SIGKILL's in this process: whatever stands at an armed fail point is left at once, and
nobody tidies up but the database. Beside the database stands plain arithmetic: what each order
wants, who is before whom, what the limit leaves. It knows nothing of movements, rows of limits or
Redis, so it can't share a mistake with them. After each step every promise holds.
"""

from collections.abc import Callable

import pytest
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
)

from goods.sales import selectors, services
from orders import lifecycle
from orders.models import Order
from orders.states import State
from shop.errors import Refusal
from shop.pools import drain, gate, gatekeeping
from shop.pools.audit import audit
from shop.pools.models import Placement, Strategy
from tests.factories import make_sku, overdue
from tests.faults.deaths import deaf, dying_at
from tests.faults.model import UNKNOWN, Arithmetic, Attempt
from tests.faults.sales import buy, sale_of, units_held
from tests.kit.hows import (
    EVERY,
    How,
    drain_all,
    forget_shoppers,
    in_step,
    make_users,
    spoil_gate,
    wipe,
)
from tests.kit.machines import BATCH, Machine, run_machine
from tests.kit.marks import in_both_forms, on_mariadb
from tests.kit.units import counters

pytestmark = on_mariadb

STOCK, ALLOTMENT = 14, 8
IN_BUYING = ["gate.admitted", "commit.before", "commit.after"]
IN_DRAINING = ["drain.before", "drain.settled", "commit.before", "commit.after", "drain.after"]
SHOPPERS = 6
WISH = st.tuples(st.integers(0, SHOPPERS - 1), st.sampled_from([1, 1, 1, 2, 2, 3]))
WISHES = st.lists(WISH, min_size=2, max_size=6)
BEFORE_COMMIT = {"drain.before", "drain.settled", "commit.before"}


class Shop(Arithmetic, Machine):
    def __init__(self) -> None:
        super().__init__()
        self.attempts: list[Attempt] = []
        self.keys = 0

    @initialize(
        how=st.sampled_from(EVERY),
        limit=st.sampled_from([None, None, 2, 3]),
    )
    def open(self, how: How, limit: int | None) -> None:
        sku = make_sku(stock=STOCK)
        self.sale = sale_of(how, stock=ALLOTMENT, sku=sku, per_user_limit=limit)
        self.limit = limit
        self.users, [self.operator] = make_users(SHOPPERS), make_users(1)
        self.allotment = ALLOTMENT
        self.paused = self.ended = False
        self.disturbed = False

    # --- what shoppers do

    @rule(wishes=WISHES, lately=st.booleans(), is_settled=st.booleans())
    def a_crowd_buys(self, wishes: list[tuple[int, int]], lately: bool, is_settled: bool) -> None:
        for who, count in wishes:
            self.buys(who, count, lately=lately)
        if is_settled:
            self.drains()

    @rule(wish=WISH, death=st.sampled_from(IN_BUYING))
    def one_buys_and_the_server_dies(self, wish: tuple[int, int], death: str) -> None:
        self.buys(*wish, death=death)

    @rule(wish=WISH)
    def one_buys_while_redis_is_away(self, wish: tuple[int, int]) -> None:
        self.buys(*wish, is_deaf=True)

    def buys(
        self,
        who: int,
        count: int,
        *,
        lately: bool = False,
        death: str | None = None,
        is_deaf: bool = False,
    ) -> None:
        self.keys += 1
        attempt = Attempt(self.users[who], f"{self.sale.pk}-{self.keys}", count)
        self.attempts.append(attempt)
        if not lately:
            selectors.sale_terms_lately.forget()
        expected = UNKNOWN if lately or death else self.foretold(attempt, is_deaf=is_deaf)
        code = UNKNOWN
        with dying_at(death), deaf(is_deaf):
            code = self.code(lambda: self.asks(attempt))
        self.disturbed |= death is not None
        attempt.is_lost = death is not None and not self.stored(attempt)
        event(f"bought: {code or 'yes'}, foretold: {expected or 'yes'}")
        assert UNKNOWN in (code, expected) or code == expected, (code, expected)
        if code not in ("", UNKNOWN, "unavailable"):
            assert not self.stored(attempt)

    @precondition(lambda self: self.attempts)
    @rule(data=st.data())
    def one_repeats(self, data: st.DataObject) -> None:
        attempt = data.draw(st.sampled_from(self.attempts))
        told, was_stored = attempt.order_no, self.stored(attempt)
        code = self.code(lambda: self.asks(attempt))
        if was_stored:
            assert code == ""
        if told:
            assert attempt.order_no == told
        if attempt.is_lost and self.stored(attempt):
            # It passed by its key. The units of its first may have been corrected since then.
            attempt.is_lost, self.disturbed = False, True
            event("a lost request came again")

    @precondition(lambda self: self.unsettled_or_unpaid())
    @rule(data=st.data(), expires=st.booleans(), is_deaf=st.booleans())
    def one_cancels_or_forgets_to_pay(
        self, data: st.DataObject, expires: bool, is_deaf: bool
    ) -> None:
        order = data.draw(st.sampled_from(self.unsettled_or_unpaid()))
        with deaf(is_deaf):
            if expires and order.status == State.UNPAID:
                overdue(order)
                lifecycle.orders_expire()
                target = State.EXPIRED
            else:
                lifecycle.order_cancel(user=order.user, order_no=order.order_no)
                target = State.CANCELLED
        self.disturbed |= is_deaf
        order.refresh_from_db()
        assert order.status == target

    # --- what workers do

    @precondition(lambda self: self.waits_for())
    @rule(death=st.sampled_from(IN_DRAINING))
    def a_worker_dies_draining(self, death: str) -> None:
        self.drains(death=death)

    @precondition(lambda self: self.waits_for())
    @rule()
    def a_worker_drains_while_redis_is_away(self) -> None:
        self.drains(is_deaf=True)

    def drains(self, *, death: str | None = None, is_deaf: bool = False) -> None:
        expected = self.settled_in_order()
        before = {order.order_no for order in self.pending()}
        with dying_at(death), deaf(is_deaf):
            drain.drain(self.sale.queue_id)
        self.disturbed |= is_deaf
        if death:
            expected = [] if death in BEFORE_COMMIT else expected[:BATCH]
        self.assert_settled(expected)
        assert before - {order.order_no for order in self.pending()} == {
            order_no for order_no, _ in expected
        }

    @rule(force=st.booleans(), dies=st.booleans())
    def a_gate_is_rebuilt(self, force: bool, dies: bool) -> None:
        rebuilt = False
        with dying_at("gate.rebuild" if dies else None):
            rebuilt = gatekeeping.rebuild(self.sale.pool_id, force=force)
        if rebuilt:
            self.disturbed = False
            self.keys_are_as_stored()
            assert in_step(self.sale)

    @precondition(lambda self: self.sale.pool.gated and self.is_open())
    @rule()
    def a_gate_is_set_right(self) -> None:
        self.set_right()
        assert in_step(self.sale)

    # --- what Redis does

    @precondition(lambda self: self.sale.pool.gated)
    @rule(how=st.sampled_from(["wiped", "forgets"]), by=st.integers(-4, 4))
    def redis_fails(self, how: str, by: int) -> None:
        self.keys_are_as_stored()
        if how == "wiped":
            wipe(self.sale)
            return
        forget_shoppers(self.sale)
        self.disturbed = True
        if gate.client().exists(*gate.names(self.sale.pool_id)):
            spoil_gate(self.sale, by=by)

    # --- what operators do

    @precondition(lambda self: not self.ended)
    @rule(wish=WISH, is_deaf=st.booleans(), goes_on=st.sampled_from(["", "deaf", "told"]))
    def the_sale_is_paused(self, wish: tuple[int, int], is_deaf: bool, goes_on: str) -> None:
        self.steer(services.sale_pause, is_deaf=is_deaf)
        self.paused = True
        self.buys(*wish)
        if goes_on:
            self.steer(services.sale_resume, is_deaf=goes_on == "deaf")
            self.paused = False

    def steer(self, step: Callable[..., None], *, is_deaf: bool) -> None:
        with deaf(is_deaf):
            step(self.sale, operator=self.operator)
        self.disturbed |= is_deaf

    @precondition(lambda self: not self.ended)
    @rule(count=st.integers(1, 3), is_deaf=st.booleans())
    def units_are_added(self, count: int, is_deaf: bool) -> None:
        self.keys += 1
        reference = f"add-{self.keys}"
        with deaf(is_deaf):
            code = self.code(
                lambda: services.sale_add_units(
                    self.sale, count=count, operator=self.operator, reference=reference
                )
            )
        assert code == ("insufficient_stock" if self.allotment + count > STOCK else "")
        if not code:
            self.allotment += count
            self.disturbed |= is_deaf

    @precondition(lambda self: not self.ended)
    @rule(placement=st.sampled_from(Placement), gated=st.booleans(), is_deaf=st.booleans())
    def the_switches_are_set(self, placement: Placement, gated: bool, is_deaf: bool) -> None:
        operator = self.operator
        services.sale_set_placement(self.sale, placement=placement, operator=operator)
        if gated != self.sale.pool.gated:
            with deaf(is_deaf):
                services.sale_set_pool(
                    self.sale, strategy=Strategy.DEFAULT, gated=gated, operator=operator
                )
            self.disturbed = is_deaf
            if gated and not is_deaf:
                self.keys_are_as_stored()

    @precondition(lambda self: not self.ended and len(self.attempts) > 12)
    @rule(dies=st.booleans(), is_deaf=st.booleans())
    def the_sale_is_ended(self, dies: bool, is_deaf: bool) -> None:
        expected = self.settled_in_order()
        with dying_at("pool.end" if dies else None), deaf(is_deaf):
            services.sale_end(self.sale, operator=self.operator)
        self.ended = True
        self.disturbed |= is_deaf
        # Whoever was accepted before the end, and had units coming, has them.
        self.assert_settled(expected)
        assert dies or not self.is_open()

    def assert_settled(self, expected: list[tuple[str, str]]) -> None:
        for order_no, outcome in expected:
            order = Order.objects.get(order_no=order_no)
            event(f"settled: {outcome}")
            assert (order.failure or order.status) == outcome

    # --- what must hold

    @invariant()
    def no_unit_comes_or_goes(self) -> None:
        if not hasattr(self, "sale"):
            return
        held = sum(one["count"] for order in self.orders() for one in self.units_of(order))
        in_sale, taken = counters(self.sale.pool)
        at_home, _ = counters(self.sale.sku.pool)
        assert taken == held == units_held(self.sale)
        assert in_sale + at_home + held == STOCK
        if self.limit is not None:
            for user in self.users:
                assert self.holds(user) <= self.limit

    @invariant()
    def an_undisturbed_gate_is_in_step(self) -> None:
        if hasattr(self, "sale") and self.sale.pool.gated and self.is_open():
            is_cold = not gate.client().exists(*gate.names(self.sale.pool_id))
            assert is_cold or self.disturbed or in_step(self.sale)

    @invariant()
    def every_answered_order_is_stored_once(self) -> None:
        rows = list(
            Order.objects.filter(user__in=getattr(self, "users", [])).values_list(
                "idempotency_key", "order_no"
            )
        )
        stored = dict(rows)
        assert len(stored) == len(rows)
        for attempt in self.attempts:
            assert not attempt.order_no or stored[attempt.key] == attempt.order_no

    @invariant()
    def promises_hold(self) -> None:
        assert audit().broken == {}

    def teardown(self) -> None:
        """At rest: nothing waits, gate and database agree, and what is left can be bought."""
        if not hasattr(self, "sale"):
            return
        event("ended before the end" if self.ended else "sold to the end")
        if not self.ended:
            if self.paused:
                self.steer(services.sale_resume, is_deaf=True)
            drain_all(self.sale)
            if self.sale.pool.gated:
                self.set_right()
                assert in_step(self.sale)
            selectors.sale_terms_lately.forget()
            available, _ = counters(self.sale.pool)
            [stranger] = make_users(1)
            code = self.code(lambda: buy(stranger, self.sale))
            assert code == ("" if available else "sold_out")
            drain_all(self.sale)
            services.sale_end(self.sale)
        drain_all(self.sale)
        services.sales_sweep()
        assert counters(self.sale.pool)[0] == 0
        assert counters(self.sale.sku.pool)[0] + units_held(self.sale) == STOCK
        assert audit().broken == {}

    def code(self, step: Callable[[], object]) -> str:
        try:
            step()
        except Refusal as refusal:
            return refusal.code
        return ""

    def asks(self, attempt: Attempt) -> None:
        attempt.order_no = buy(
            attempt.user, self.sale, count=attempt.count, key=attempt.key
        ).order_no

    def stored(self, attempt: Attempt) -> bool:
        return Order.objects.filter(user=attempt.user, idempotency_key=attempt.key).exists()

    def keys_are_as_stored(self) -> None:
        """The gate knows no key of a request that left nothing behind."""
        for attempt in self.attempts:
            attempt.is_lost = False

    def set_right(self) -> None:
        """What beat does every few seconds: two looks that agree."""
        gatekeeping.correct(self.sale.pool_id)
        gatekeeping.correct(self.sale.pool_id)
        self.disturbed = False


@in_both_forms("examples", short=12, long=500)
@pytest.mark.usefixtures("deadly")
def test_nothing_is_sold_twice_or_lost_by_any_sequence_of_steps_and_deaths(examples: int) -> None:
    run_machine(Shop, examples=examples)
