"""Coupons for operators: created by a form, added to and stopped by steps, and read."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from orders.coupons.models import Coupon
from orders.coupons.services import coupon_stop
from shop.forms import MINUTES
from shop.operators_log import words_of
from shop.pools.audit import audit
from tests.factories import make_sku
from tests.kit.coupons import claim, make_coupon, place_with
from tests.kit.desk import listed, offered, page_of, said, shown
from tests.kit.units import counters

pytestmark = [pytest.mark.django_db]

ADD = reverse("admin:coupons_coupon_add")
REFERENCE = "admin-" + "0" * 32


@pytest.fixture(autouse=True)
def english(settings):
    settings.LANGUAGE_CODE = "en"


def form(**fields):
    day = timezone.localtime().replace(second=0, microsecond=0)
    return {
        "title": "满减",
        "kind": "amount",
        "off_fen": "300",
        "minimum_fen": "1000",
        "scope": "all",
        "total": "5",
        "per_user_limit": "1",
        "starts_at": (day - timedelta(hours=1)).strftime(MINUTES),
        "ends_at": (day + timedelta(days=1)).strftime(MINUTES),
        "use_days": "7",
        "reference": REFERENCE,
    } | fields


def test_a_form_creates_a_coupon_once_however_often_it_is_sent(desk, operator):
    for _ in range(2):
        assert desk.post(ADD, form()).status_code == 302
    coupon = Coupon.objects.get()
    assert (coupon.off_fen, coupon.minimum_fen, coupon.use_days) == (300, 1000, 7)
    assert counters(coupon.pool) == (5, 0)
    assert LogEntry.objects.get().user_id == operator.pk
    assert audit().broken == {}


def test_skus_are_named_by_their_codes(desk):
    tea, pot = make_sku(), make_sku()
    desk.post(ADD, form(scope="skus", skus=f"{tea.code}\n{pot.code} {tea.code}"))
    coupon = Coupon.objects.get()
    assert coupon.sku_ids == [tea.pk, pot.pk]
    assert shown(desk, coupon)["skus"] == f"{tea.code}, {pot.code}"


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("off_fen", {"off_fen": ""}),
        ("off_fen", {"off_fen": "-1"}),
        ("percent", {"kind": "percent", "percent": "101", "most_fen": "1"}),
        ("most_fen", {"kind": "percent", "percent": "10"}),
        ("skus", {"scope": "skus", "skus": "no-such-code"}),
        ("category", {"scope": "category"}),
        ("use_until", {"use_days": ""}),
        ("total", {"total": "0"}),
    ],
)
def test_a_form_that_makes_no_sense_says_where(desk, field, wrong):
    page = desk.post(ADD, form(**wrong))
    assert list(page.context["form"].errors) == [field]
    assert not Coupon.objects.exists()


def test_steps_add_to_the_issue_and_stop_it(desk):
    coupon = make_coupon(total=1)
    assert offered(desk, coupon) == ["issue", "stop"]
    for expected in ("The issue is larger.", "Carried out before; nothing changed now."):
        answer = desk.post(page_of(coupon, "issue"), {"count": "2", "reference": REFERENCE})
        assert said(answer)[-1] == expected
    assert counters(coupon.pool) == (3, 0)
    assert said(desk.post(page_of(coupon, "stop")))[-1] == "The coupon is stopped."
    coupon.pool.refresh_from_db()
    assert not coupon.pool.open
    assert offered(desk, coupon) == []
    assert [words_of(entry) for entry in LogEntry.objects.order_by("pk")] == [
        f"Added 2 ({REFERENCE})",
        "Stopped",
    ]


def test_who_may_only_look_takes_no_step(desk_of):
    coupon = make_coupon(total=1)
    clerk = desk_of("view_coupon")
    assert clerk.get(page_of(coupon)).status_code == 200
    assert offered(clerk, coupon) == []
    for step, body in (("issue", {"count": "2", "reference": REFERENCE}), ("stop", {})):
        assert clerk.post(page_of(coupon, step), body).status_code == 403
    assert clerk.post(ADD, form()).status_code == 403
    assert counters(coupon.pool) == (1, 0)
    coupon.pool.refresh_from_db()
    assert coupon.pool.open


def test_issued_coupons_are_facts(desk, shopper, operator):
    coupon, tea = make_coupon(), make_sku()
    issued = claim(shopper, coupon)
    claim(operator, make_coupon())
    order = place_with(shopper, {tea: 1}, issued)
    coupon_stop(coupon, operator=operator)
    facts = shown(desk, issued)
    assert (facts["status_shown"], facts["order_shown"]) == ("used", order.order_no)
    assert shown(desk, coupon)["status_shown"] == "ended"
    assert listed(desk, type(issued), coupon=coupon.pk) == [issued.pk]
    assert listed(desk, type(issued), q=issued.coupon_no) == [issued.pk]
    assert listed(desk, type(issued), q="shopper") == [issued.pk]
    assert desk.post(page_of(issued), {"status": "issued"}).status_code == 403
    assert desk.post(page_of(coupon), {"total": "99"}).status_code == 403
