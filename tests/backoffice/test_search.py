"""The console finds whatever a number, a name or a code names, and only what one may look at."""

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from orders.payments.models import Refund
from orders.payments.oversight.models import PaymentAlarm
from orders.refunds.models import RefundRequest
from shop.backoffice.search import MOST
from shop.notices.models import Notice
from shop.wallet.models import Transaction
from tests.factories import (
    enter,
    give_points,
    make_period,
    make_sale,
    make_shipping,
    make_sku,
    make_user,
    pay,
    place,
)
from tests.kit.coupons import claim, make_coupon
from tests.kit.desk import page_of
from tests.kit.marks import on_mariadb
from tests.kit.packets import make_packet

pytestmark = pytest.mark.django_db

SEARCH = reverse("admin:search")


@pytest.fixture(autouse=True)
def english(settings):
    settings.LANGUAGE_CODE = "en"


def found(desk, term):
    """Where the results lead."""
    page = desk.get(SEARCH, {"s": term, "extended": "1"})
    assert page.status_code == 200
    return [str(result.link) for result in page.context["results"]]


def a_refund(order, number):
    refund = Refund.objects.create(
        **{"refund_no": number, "order": order, "payment": order.payments.get(), "amount_fen": 1},
        **{"cause": "requested", "due_at": Now(), "part": 1},
    )
    request = RefundRequest.objects.create(
        **{"refund_no": number, "order": order, "origin": "shopper", "goods_fen": 1},
        **{"user": order.user, "idempotency_route": "refunds", "idempotency_key": "k"},
        **{"request_hash": "", "first_status": 201, "created_at": Now()},
    )
    return refund, request


@pytest.fixture
def everything(operator):
    """A row of each kind, by the term that names it."""
    make_shipping()
    user, period, coupon = make_user("Ada-Lovelace"), make_period(), make_coupon(per_user_limit=3)
    order = place(user, {make_sku(): 1})
    payment = pay(user, order)
    refund, request = a_refund(order, "9" * 24)
    give_points(user, 100)
    entry, piece, sale = enter(user, period), claim(user, coupon), make_sale()
    packet = make_packet(user)
    alarm = PaymentAlarm.objects.create(kind="unknown", number="4200001", last_at=Now())
    notice = Notice.objects.create(
        **{"channel": "log", "event": "e", "subject": "8" * 24, "user": user, "facts": {}},
        **{"created_at": Now(), "due_at": Now()},
    )
    booked, sku = Transaction.objects.earliest("pk"), order.lines.get().sku
    group = Group.objects.create(name="Packers")
    return [
        (order.order_no, order),
        (payment.payment_no, payment),
        (refund.refund_no, refund),
        (request.refund_no, request),
        (entry.entry_no, entry),
        (piece.coupon_no, piece),
        (notice.subject, notice),
        (alarm.number, alarm),
        (booked.reference, booked),
        (packet.public_id, packet),
        (user.username, user),
        (sku.code, sku),
        (group.name, group),
        (str(sale.pk), sale),
        (str(period.pk), period),
        (str(coupon.pk), coupon),
        (str(sku.goods_id), sku.goods),
    ]


def test_each_kind_of_row_is_found_by_what_names_it(desk, everything):
    kinds = {type(row) for _term, row in everything}
    assert len(kinds) == len(everything) == 17
    for term, row in everything:
        assert page_of(row) in found(desk, f" {term} "), type(row)
        assert page_of(row) not in found(desk, f"{term}0"), type(row)


def test_nobody_finds_what_they_may_not_look_at(desk_of, everything):
    clerk = desk_of("view_order")
    seen = [page_of(row) for term, row in everything if page_of(row) in found(clerk, term)]
    assert seen == [page_of(everything[0][1])]
    # And at once, when it is no longer theirs to see.
    assert found(desk_of("view_sku"), everything[0][0]) == []


def test_a_code_is_found_as_it_is_written(desk, everything):
    codes = [term for term, row in everything if row._meta.model_name == "sku"]
    assert found(desk, codes[0].lower()) == []


def test_a_list_is_found_by_its_name(desk):
    assert found(desk, "shipping") == [reverse("admin:orders_shippingmethod_changelist")]


@pytest.mark.parametrize("term", ["", "   ", "x" * 200, "%", "' OR 1=1 --", "\0", "9" * 24, "0"])
def test_what_names_nothing_finds_nothing(desk, term):
    assert desk.get(SEARCH, {"s": term, "extended": "1"}).status_code == 200
    if term.strip():
        assert found(desk, term) == []


def test_a_search_asks_only_the_kinds_that_the_term_could_be_of(desk, everything):
    found(desk, "warm")
    for term, most in ((everything[0][0], 12), ("nobody", 5), ("7", 9)):
        with CaptureQueriesContext(connection) as asked:
            found(desk, term)
        looks = [one["sql"] for one in asked if one["sql"].endswith(f"LIMIT {MOST}")]
        assert len(looks) == most
        assert not [sql for sql in looks if "COUNT(" in sql or " LIKE " in sql]


class TestOnMariaDB:
    pytestmark = on_mariadb

    def test_each_look_up_goes_through_an_index(self, desk, everything):
        plans = {}
        for term in ("7" * 24, "7", "x" * 22):
            with CaptureQueriesContext(connection) as asked:
                found(desk, term)
            for one in asked:
                if one["sql"].endswith(f"LIMIT {MOST}"):
                    with connection.cursor() as cursor:
                        cursor.execute(f"EXPLAIN {one['sql']}")
                        plans[one["sql"]] = cursor.fetchall()
        assert len(plans) == 12 + 9 + 6
        # What a unique index does not know is "impossible", and names no table.
        read = [row for plan in plans.values() for row in plan if row[2] is not None]
        assert {row[3] for row in read} <= {"const", "ref", "eq_ref"}, read
