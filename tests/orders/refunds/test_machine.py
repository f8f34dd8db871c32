"""Any sequence of requests, decisions, refusals and steps of the order: no unit is refunded twice,
no more money goes back than was paid, and just that once everything is back.

The model beside the database counts units and adds fen; it knows nothing of shares, movements or
states, so it can't share a mistake with them.
"""

from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from orders import lifecycle, unattended
from orders.refunds.models import RefundLine, RefundRequest
from orders.states import State
from shop.errors import Refusal
from shop.pools.audit import audit
from tests.factories import make_sku, make_user
from tests.kit.marks import in_both_forms
from tests.kit.refunds import accept, age, ask, begin, decline, paid_order, send_money, told
from tests.kit.units import counters

pytestmark = [pytest.mark.django_db]

COUNTS = st.tuples(st.integers(0, 3), st.integers(0, 2))
FREIGHT = st.one_of(st.none(), st.integers(-1, 900))
OVER = {State.REFUNDING, State.REFUNDED}


class Refunds(RuleBasedStateMachine):
    requests = Bundle("requests")

    @initialize(
        prices=st.tuples(st.integers(0, 500), st.integers(1, 999)),
        freight_fen=st.sampled_from([0, 1, 800]),
        off=st.integers(0, 100),
    )
    def order_is_paid(self, prices, freight_fen, off):
        self.shopper, self.operator = make_user(), make_user(is_staff=True)
        self.skus = [make_sku(stock=5, price_fen=price_fen) for price_fen in prices]
        self.taken = Counter({self.skus[0].pk: 3, self.skus[1].pk: 2})
        goods_fen = 3 * prices[0] + 2 * prices[1]
        self.order = paid_order(
            self.shopper,
            dict(zip(self.skus, (3, 2), strict=True)),
            freight_fen=freight_fen,
            discount_fen=goods_fen * off // 100 - (off == 100 and not freight_fen),
        )
        self.restocked: Counter[int] = Counter()
        self.promised: dict[int, int] = {}

    def attempt(self, step):
        """A refusal is an answer like any other; what it must not do is change anything."""
        before = self.facts()
        try:
            return step()
        except Refusal:
            assert self.facts() == before
            return None

    def facts(self):
        return (
            list(RefundRequest.objects.filter(order=self.order).order_by("pk").values()),
            [counters(sku.pool) for sku in self.skus],
            list(self.order.moves.values()),
            list(self.order.refunds.values()),
        )

    def of(self, counts):
        items = {sku: n for sku, n in zip(self.skus, counts, strict=True) if n}
        return items or None

    def units(self, *statuses):
        lines = RefundLine.objects.filter(
            request__order=self.order, request__status__in=statuses
        ).select_related("line")
        units: Counter[int] = Counter()
        for one in lines:
            units[one.line.sku_id] += one.count
        return units

    def was_restocked(self, request):
        for one in request.lines.select_related("line"):
            self.restocked[one.line.sku_id] += one.count

    @rule(target=requests, counts=COUNTS)
    def shopper_asks(self, counts):
        request = self.attempt(lambda: ask(self.shopper, self.order, self.of(counts)))
        return multiple() if request is None else request

    @rule(counts=COUNTS, restock=st.booleans(), freight_fen=FREIGHT)
    def operator_begins(self, counts, restock, freight_fen):
        request = self.attempt(
            lambda: begin(
                self.operator,
                self.order,
                self.of(counts),
                restock=restock,
                freight_fen=freight_fen,
            )
        )
        if request and restock:
            self.was_restocked(request)

    @rule(request=requests, restock=st.booleans(), freight_fen=FREIGHT)
    def operator_accepts(self, request, restock, freight_fen):
        is_new = self.attempt(
            lambda: accept(request, self.operator, restock=restock, freight_fen=freight_fen)
        )
        if is_new and restock:
            self.was_restocked(request)

    @rule(request=requests)
    def operator_declines(self, request):
        self.attempt(lambda: decline(request, self.operator))

    @rule(step=st.sampled_from(["accept", "ship", "confirm", "refuse", "age"]))
    def order_moves(self, step):
        known = {"order_no": self.order.order_no, "operator": self.operator}
        steps = {
            "accept": lambda: lifecycle.order_accept(**known),
            "ship": lambda: lifecycle.order_ship(**known, courier="SF", tracking_no="1"),
            "confirm": lambda: lifecycle.order_confirm_receipt(
                user=self.shopper, order_no=self.order.order_no
            ),
            "refuse": lambda: lifecycle.order_refuse(**known, reason="closed"),
            "age": lambda: age(self.order, days=16),
        }
        refusals = self.order.refund_requests.filter(origin="refusal")
        was_refused = refusals.exists()
        self.attempt(steps[step])
        if not was_refused and refusals.exists():
            self.was_restocked(refusals.get())

    @rule()
    def sweep(self):
        unattended.orders_complete()
        send_money()

    @invariant()
    def each_unit_goes_back_once(self):
        assert self.units("requested", "accepted") <= self.taken
        assert self.restocked <= self.units("accepted")
        for sku in self.skus:
            held = self.taken[sku.pk] - self.restocked[sku.pk]
            assert counters(sku.pool) == (5 - held, held)

    @invariant()
    def no_more_money_than_was_paid(self):
        promised = [
            (one.status, one.amount_fen) for one in self.order.refund_requests.order_by("pk")
        ]
        asked_fen = sum(fen for status, fen in promised if status != "declined")
        accepted_fen = sum(fen for status, fen in promised if status == "accepted")
        assert accepted_fen <= asked_fen <= self.order.total_fen
        assert sum(refund.amount_fen for refund in self.order.refunds.all()) == accepted_fen
        self.order.refresh_from_db()
        is_all_back = accepted_fen == self.order.total_fen and (
            self.units("accepted") == self.taken
        )
        assert (State(self.order.status) in OVER) == is_all_back

    @invariant()
    def what_was_accepted_stands(self):
        for request in self.order.refund_requests.filter(status="accepted"):
            amount_fen = self.promised.setdefault(request.pk, request.amount_fen)
            assert told(request)[1] == amount_fen

    def teardown(self):
        """Whatever is left goes back: just what was paid, but for freight that was kept."""
        if not hasattr(self, "order"):
            return
        for request in self.order.refund_requests.filter(status="requested"):
            accept(request, self.operator)
        self.attempt(lambda: begin(self.operator, self.order))
        send_money()
        self.order.refresh_from_db()
        assert self.units("accepted") == self.taken
        kept_fen = self.order.total_fen - self.order.refunded_fen
        assert 0 <= kept_fen <= self.order.freight_fen
        assert (self.order.status == State.REFUNDED) == (kept_fen == 0)
        assert audit().ok, audit().broken


@in_both_forms("examples", short=12, long=300)
def test_any_sequence_of_requests_and_decisions_pays_back_each_unit_once(examples):
    run_state_machine_as_test(
        Refunds,
        settings=settings(
            max_examples=examples,
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
