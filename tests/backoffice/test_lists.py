"""The console's lists in a shop after years: each opens, filters and searches with a bounded number
of rows read, whatever the size of its table."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from orders import admin as orders
from orders.models import Order
from orders.payments.models import Payment
from orders.states import State
from shop.accounts.models import User
from shop.backoffice.facts import MOST_ROWS
from shop.notices.models import Notice
from shop.operators_log import log
from tests.factories import make_shipping, make_sku, make_user, pay, place
from tests.kit.many import analyze, multiply, numbered, rows_read, truncate
from tests.kit.marks import in_both_forms, on_mariadb

pytestmark = on_mariadb

# A list counts MOST_ROWS rows, each read and then read as counted, and reads up to the page that is
# asked for, with what its rows name.
BOUND = 3 * MOST_ROWS + 500
STATEMENTS = 20


@dataclass
class Look:
    """A way to open a list."""

    model: type
    query: dict[str, str] = field(default_factory=dict)
    bound: int = BOUND

    def __str__(self) -> str:
        return f"{self.model.__name__} {self.query or ''}".strip()


def looks(order: Order, payment: Payment) -> Iterator[Look]:
    for model in (Order, Payment, User, LogEntry, Notice):
        yield Look(model)
        yield Look(model, {"q": "nobody"})
        yield Look(model, {"q": order.order_no})
        yield Look(model, {"p": "40"})
        yield Look(model, {"o": "3"})
    for state in State:
        resting = state in (State.SHIPPED, State.COMPLETED, State.CANCELLED, State.EXPIRED)
        yield Look(
            Order, {"status": state.value}, 2 * orders.LOOKED_BACK + 500 if resting else BOUND
        )
    yield Look(Order, {"look": "failed"})
    yield Look(Order, {"sale": "1"})
    yield Look(Order, {"q": order.user.username})
    for days in ("1", "7", "30"):
        yield Look(Order, {"placed": days})
    yield Look(Payment, {"q": payment.payment_no})
    yield Look(Payment, {"status__exact": "pending"})
    yield Look(User, {"q": order.user.username})
    yield Look(LogEntry, {"q": "root"})
    for day in ("1", "7", "2026-08-31"):
        yield Look(LogEntry, {"day": day})
    yield Look(Notice, {"state__exact": "dead"})


@pytest.fixture(autouse=True)
def _emptied(transactional_db):
    yield
    truncate(Order, Payment, User, LogEntry, Notice)


@pytest.fixture
def english(settings):
    settings.LANGUAGE_CODE = "en"


@in_both_forms("rows", short=30_000, long=1_000_000)
def test_no_list_reads_more_than_its_newest_rows(desk, english, rows, monkeypatch):
    if rows < orders.LOOKED_BACK:
        monkeypatch.setattr(orders, "LOOKED_BACK", rows // 3)
    make_shipping()
    order = place(make_user(), {make_sku(): 1})
    payment = pay(order.user, order)
    root = make_user("root", is_staff=True)
    log(root, [order], CHANGE, "x")
    notice = Notice.objects.create(
        **{"channel": "log", "event": "e", "subject": order.order_no, "user": order.user},
        **{"created_at": Now(), "due_at": Now(), "facts": {}, "state": "delivered"},
    )
    number = numbered("1")
    one_in_thousand = "IF(n % 1000 = 0, 'paid', 'completed')"
    keyed = {"idempotency_key": number}
    multiply(order, rows, order_no=number, status=one_in_thousand, **keyed)
    multiply(payment, rows, payment_no=number, **keyed)
    multiply(order.user, rows, username=numbered("u"))
    multiply(LogEntry.objects.get(), rows, object_id="n", object_repr=numbered("o"))
    multiply(notice, rows, subject=number)
    analyze(Order, Payment, User, LogEntry, Notice)
    desk.get(reverse("admin:index"))

    too_many = []
    for look in looks(order, payment):
        meta = look.model._meta
        address = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
        started = time.monotonic()
        with rows_read() as read:
            page = desk.get(address, look.query)
        took = (time.monotonic() - started) * 1000
        print(f"| {look} | {took:.0f} | {read[0]:,} |")
        if page.status_code != 200 or read[0] > look.bound:
            too_many.append((str(look), page.status_code, read[0]))
    assert too_many == []
    with CaptureQueriesContext(connection) as asked:
        desk.get(reverse("admin:orders_order_changelist"))
    assert len(asked) <= STATEMENTS
    counts = [one["sql"] for one in asked if "COUNT(" in one["sql"]]
    assert all("LIMIT" in sql for sql in counts)
