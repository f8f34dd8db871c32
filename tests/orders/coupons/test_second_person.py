"""An issue that can take off more than one person may promise waits for a second one."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from goods.models import Category
from orders.coupons.asking import coupon_add_or_ask, coupon_create_or_ask
from orders.coupons.deeds import plan_of
from orders.coupons.models import Coupon
from orders.coupons.services import coupon_stop
from shop.accounts.models import User
from shop.approvals.models import Proposal
from shop.approvals.proposals import proposal_approve, written_down
from shop.errors import Ended, Invalid
from shop.pools.audit import audit
from tests.factories import make_sku, make_user
from tests.kit.coupons import make_coupon, make_plan
from tests.kit.desk import page_of, said
from tests.kit.units import counters

pytestmark = pytest.mark.django_db

REFERENCE = "admin-" + "0" * 32


@pytest.fixture(autouse=True)
def limit(settings):
    settings.LANGUAGE_CODE = "en"
    settings.COUPON_MOST_FEN = 1_000


@pytest.fixture
def second():
    return make_user("second", is_staff=True, is_superuser=True)


def create(operator, **terms):
    return coupon_create_or_ask(make_plan(**terms), operator=operator, reference="asked-1")


@pytest.mark.parametrize(
    ("terms", "waits"),
    [
        ({"off_fen": 100, "total": 10}, False),
        ({"off_fen": 100, "total": 11}, True),
        ({"kind": "percent", "most_fen": 100, "total": 10}, False),
        ({"kind": "percent", "most_fen": 101, "total": 10}, True),
        ({"kind": "freight", "total": 1}, True),
    ],
    ids=str,
)
def test_one_person_promises_up_to_the_limit(operator, terms, waits):
    made = create(operator, **terms)
    assert isinstance(made, Proposal if waits else Coupon)
    assert Coupon.objects.exists() is not waits


def test_a_shop_that_asks_nobody_has_no_limit(operator, settings):
    settings.SECOND_PERSON_FOR = []
    assert isinstance(create(operator, off_fen=10**6), Coupon)


def test_terms_that_make_no_sense_are_not_asked_for(operator):
    with pytest.raises(Invalid):
        create(operator, off_fen=10**6, title=" ")
    assert not Proposal.objects.exists()


def test_what_is_approved_is_the_coupon_that_was_asked_for(
    desk: Client, operator: User, second: User
) -> None:
    tea = make_sku()
    until = timezone.now() + timedelta(days=9)
    plan = make_plan(off_fen=200, total=50, scope="skus", skus=[tea], use_until=until)
    proposal = coupon_create_or_ask(plan, operator=operator, reference=REFERENCE)
    assert isinstance(proposal, Proposal)
    assert "¥100.00 (10000 fen)" in desk.get(page_of(proposal)).content.decode()

    assert proposal_approve(proposal, operator=second) is True
    assert proposal_approve(proposal, operator=second) is False

    coupon = Coupon.objects.get()
    assert (coupon.off_fen, coupon.total, coupon.sku_ids) == (200, 50, [tea.pk])
    assert (coupon.starts_at, coupon.use_until, coupon.use_days) == (plan.starts_at, until, None)
    assert counters(coupon.pool) == (50, 0)
    assert page_of(coupon) in desk.get(page_of(proposal)).content.decode()
    assert audit().broken == {}


def test_a_plan_that_was_written_down_reads_the_same() -> None:
    category = Category.objects.create(title="饮料", title_en="Drinks")
    for plan in (
        make_plan(kind="percent", scope="category", category=category),
        make_plan(scope="skus", skus=(make_sku(), make_sku())),
    ):
        assert plan_of(json.loads(json.dumps(written_down(plan)))) == plan


def test_many_small_additions_are_one_large_one(desk: Client, operator: User, second: User) -> None:
    coupon = make_coupon(off_fen=100, total=9)
    form = {"count": "1", "reference": REFERENCE}
    assert said(desk.post(page_of(coupon, "issue"), form))[-1] == "The issue is larger."

    form["reference"] = "admin-" + "1" * 32
    answer = desk.post(page_of(coupon, "issue"), form)

    assert said(answer)[-1] == "It waits for a second person."
    assert counters(coupon.pool) == (10, 0)
    proposal = Proposal.objects.get()
    assert "¥11.00 (1100 fen)" in desk.get(page_of(proposal)).content.decode()
    with pytest.raises(Invalid):
        proposal_approve(proposal, operator=operator)
    proposal_approve(proposal, operator=second)
    assert counters(coupon.pool) == (11, 0)
    assert Coupon.objects.get().total == 11
    assert audit().broken == {}


def test_an_addition_that_is_sent_again_is_not_asked_for_beside(operator):
    """What was added up to the limit by it is no reason to ask for it once more."""
    coupon = make_coupon(off_fen=100, total=7)
    for is_first in (True, False):
        coupon.refresh_from_db()
        added = coupon_add_or_ask(coupon, count=3, operator=operator, reference=REFERENCE)
        assert added is is_first

    assert not Proposal.objects.exists()
    assert counters(coupon.pool) == (10, 0)


def test_a_coupon_that_was_stopped_meanwhile_is_not_added_to(operator, second):
    coupon = make_coupon(off_fen=100, total=10)
    proposal = coupon_add_or_ask(coupon, count=1, operator=operator, reference=REFERENCE)
    coupon_stop(coupon, operator=operator)

    with pytest.raises(Ended):
        proposal_approve(proposal, operator=second)

    proposal.refresh_from_db()
    assert proposal.state == "requested"
    assert counters(coupon.pool) == (10, 0)
