"""Any sequence of steps, by anybody: the units in the shop are conserved after each of them.

The model beside the database is plain arithmetic: what was loaded and adjusted, and what each order
holds. It knows nothing of movements, so it can't share a mistake with them.
"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from goods.stock import adjust_stock
from orders import lifecycle
from orders.models import Order
from orders.payments import refunding
from orders.payments import services as payments
from orders.payments.models import Payment, SandboxCharge
from orders.states import State
from shop.errors import Refusal
from shop.pools.audit import audit
from shop.pools.refusals import Shortage
from tests.factories import (
    make_sku,
    make_user,
    overdue,
    overdue_top_up,
    pay_from_wallet,
    place,
    start_payment,
    start_top_up,
)
from tests.kit.marks import in_both_forms
from tests.kit.wallets import balance

pytestmark = [pytest.mark.django_db]

HOLDING = {
    State.UNPAID,
    State.CLOSING,
    State.PAID,
    State.ACCEPTED,
    State.SHIPPED,
    State.COMPLETED,
}


class Shop(RuleBasedStateMachine):
    orders = Bundle("orders")
    payments = Bundle("payments")

    def __init__(self) -> None:
        super().__init__()
        self.shopper, self.operator = make_user(), make_user(is_staff=True)
        self.skus = [make_sku(stock=6, strategy=name) for name in ("pessimistic", "optimistic")]
        self.loaded = [6, 6]
        self.placed: dict[int, tuple[int, int]] = {}
        self.references = 0

    def attempt(self, step):
        """A refusal is an answer like any other; what it must not do is change a counter."""
        try:
            return step()
        except Refusal:
            return None

    @rule(target=orders, counts=st.tuples(st.integers(0, 4), st.integers(0, 4)))
    def order(self, counts):
        items = {sku: count for sku, count in zip(self.skus, counts, strict=True) if count}
        order = self.attempt(lambda: place(self.shopper, items)) if items else None
        if order is not None:
            self.placed[order.pk] = counts
        return order

    @rule(target=payments, order=orders)
    def start_paying(self, order):
        return order and self.attempt(lambda: start_payment(self.shopper, order))

    @rule(order=orders)
    def pay_from_wallet(self, order):
        if order:
            self.attempt(lambda: pay_from_wallet(self.shopper, order))

    @rule(target=payments, amount_fen=st.integers(1, 20_000))
    def start_filling_the_wallet(self, amount_fen):
        return start_top_up(self.shopper, amount_fen)

    @rule(payment=payments)
    def time_to_fill_is_up(self, payment):
        if payment and payment.order_id is None:
            overdue_top_up(payment)

    @rule(payment=payments)
    def money_arrives(self, payment):
        if payment:
            self.attempt(lambda: payments.sandbox_succeed(payment))

    @rule(payment=payments)
    def money_arrives_and_its_notification_is_lost(self, payment):
        if payment:
            payments.sandbox.succeed(payment_no=payment.payment_no)

    @rule(order=orders)
    def cancel(self, order):
        if order:
            self.attempt(lambda: lifecycle.order_cancel(user=self.shopper, order_no=order.order_no))

    @rule(order=orders)
    def time_is_up(self, order):
        if order:
            overdue(order)

    @rule()
    def sweep(self):
        lifecycle.orders_expire()
        payments.payments_close()
        refunding.refunds_execute()

    @rule(order=orders, step=st.sampled_from(["accept", "refuse", "ship"]))
    def merchant(self, order, step):
        if not order:
            return
        known = {"order_no": order.order_no, "operator": self.operator}
        steps = {
            "accept": lambda: lifecycle.order_accept(**known),
            "refuse": lambda: lifecycle.order_refuse(**known, reason="closed"),
            "ship": lambda: lifecycle.order_ship(**known, courier="SF", tracking_no="1"),
        }
        self.attempt(steps[step])

    @rule(which=st.integers(0, 1), delta=st.integers(-5, 5).filter(bool))
    def adjust(self, which, delta):
        self.references += 1
        try:
            adjust_stock(
                sku=self.skus[which],
                delta=delta,
                reason="counted",
                operator=self.operator,
                reference=f"count-{self.references}",
            )
        except Shortage:
            return
        self.loaded[which] += delta

    @invariant()
    def units_are_conserved(self):
        states = dict(Order.objects.filter(pk__in=self.placed).values_list("pk", "status"))
        for which, sku in enumerate(self.skus):
            held = sum(counts[which] for pk, counts in self.placed.items() if states[pk] in HOLDING)
            sku.pool.refresh_from_db()
            assert (sku.stock, sku.sold) == (self.loaded[which] - held, held)

    def teardown(self):
        """At rest: everything that was due is done, and every promise holds."""
        for payment in Payment.objects.filter(user=self.shopper, order=None):
            overdue_top_up(payment)
        while lifecycle.orders_expire() + payments.payments_close() + refunding.refunds_execute():
            pass
        paid_in = Payment.objects.filter(order__in=self.placed, status="succeeded")
        for order in Order.objects.filter(pk__in=self.placed):
            received = sum(
                payment.amount_fen for payment in paid_in if payment.order_id == order.pk
            )
            kept = order.total_fen if order.status in HOLDING - {State.UNPAID} else 0
            assert received - order.refunded_fen == kept
        filled = SandboxCharge.objects.filter(
            status="paid",
            payment_no__in=Payment.objects.filter(user=self.shopper, order=None).values(
                "payment_no"
            ),
        )
        spent = paid_in.filter(provider="wallet", refunds=None)
        assert balance(self.shopper) == sum(charge.amount_fen for charge in filled) - sum(
            payment.amount_fen for payment in spent
        )
        assert audit().ok, audit()


@in_both_forms("examples", short=20, long=400)
def test_units_and_money_are_conserved_by_any_sequence_of_steps(examples: int) -> None:
    run_state_machine_as_test(
        Shop,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
