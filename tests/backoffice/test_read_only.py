"""Who may only look sees each fact and no button on it, and whatever they send changes nothing."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.db.models import Model
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from goods.models import Sku
from goods.sales.models import FlashSale
from lottery.models import Entry, Period
from lottery.packets.models import Grab
from orders.models import Order
from orders.payments.oversight.models import PaymentAlarm
from shop.accounts.models import User
from shop.approvals.proposals import proposal_ask, written_down
from shop.backoffice.seeding import roles_seed
from shop.pools.models import Pool
from tests.backoffice.pages import every_page
from tests.factories import enter, make_period, make_sale, make_sku, make_user, pay, place
from tests.kit.coupons import make_coupon, make_plan
from tests.kit.desk import offered
from tests.kit.packets import grab, make_packet
from tests.kit.periods import rich
from tests.kit.refunds import ask as ask_refund
from tests.notices.outbox import write
from tests.wallet.asking import ask as ask_correction

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader() -> User:
    roles_seed()
    user = make_user("reader", is_staff=True)
    user.groups.add(Group.objects.get(name="read-only"))
    return user


@pytest.fixture
def facts(shopper: User, operator: User) -> list[Model]:
    """For each step of the console a fact that it is offered on, and one row of what has none."""
    tea = make_sku(stock=50)
    return [
        tea.goods,
        tea,
        *orders_of(shopper, tea),
        *sales_of(tea),
        *lottery_of(),
        *packet_and_grab(),
        make_coupon(),
        PaymentAlarm.objects.create(kind="unknown", number="1", last_at=Now()),
        ask_correction(shopper, 5),
        proposal_ask(
            "coupons.create",
            title="coupon",
            terms=written_down(make_plan(off_fen=10**6)),
            operator=operator,
            reference="asked",
        ),
        write(shopper),
    ]


def orders_of(shopper: User, tea: Sku) -> list[Model]:
    paid, accepted, failed = (place(shopper, {tea: 1}) for _ in range(3))
    pay(shopper, paid)
    request = ask_refund(shopper, paid)
    Order.objects.filter(pk=accepted.pk).update(status="accepted")
    Order.objects.filter(pk=failed.pk).update(status="failed", failure="internal", attempts=5)
    return [paid, accepted, failed, request]


def sales_of(tea: Sku) -> list[Model]:
    running, paused = make_sale(tea, total=2), make_sale(tea, total=2)
    FlashSale.objects.filter(pk=paused.pk).update(paused=True)
    Pool.objects.filter(pk=running.pool_id).update(gated=True)
    return [running, paused]


def lottery_of() -> list[Model]:
    chain, failing = make_period(auto_renew=True), make_period()
    Pool.objects.filter(pk=chain.pool_id).update(gated=True)
    entry = enter(rich(), failing)
    Entry.objects.filter(pk=entry.pk).update(status="failed", failure="internal", queue=None)
    classic = make_period(scheme="classic", beacon="", public_number_source="read it there")
    Period.objects.filter(pk=classic.pk).update(status="closed", root="0" * 64)
    return [chain, classic, entry]


def packet_and_grab() -> list[Model]:
    packet = make_packet()
    grab(packet)
    given_up = Grab.objects.filter(packet=packet)
    given_up.update(status="failed", failure="internal", attempts=5, queue=None)
    return [packet, given_up.get()]


def stored() -> dict[str, list[Any]]:
    """Every row of every table, but for who is logged in and when they were."""
    return {
        model._meta.label: [
            {name: value for name, value in row.items() if name != "last_login"}
            for row in model._base_manager.order_by("pk").values()
        ]
        for model in apps.get_models()
        if model is not Session
    }


def test_every_step_is_offered_to_who_may_take_it_and_none_to_who_may_only_look(
    desk: Client, reader: User, facts: list[Model]
) -> None:
    looking = Client()
    looking.force_login(reader)
    seen: set[str] = set()
    for fact in facts:
        steps = getattr(page_admin(fact), "steps", ())
        if steps:
            seen |= {f"{fact._meta.label_lower} {name}" for name in offered(desk, fact)}
            assert offered(looking, fact) == []

    assert seen == {
        f"{page.pages.opts.label_lower} {step.name}"
        for page in every_page()
        for step in getattr(page.pages, "steps", ())
    }


def test_whatever_a_reader_sends_is_refused_and_changes_nothing(
    reader: User, facts: list[Model]
) -> None:
    looking = Client()
    looking.force_login(reader)
    rows: dict[str, list[int]] = {}
    for fact in facts:
        rows.setdefault(fact._meta.label_lower, []).append(fact.pk)
    before = stored()

    for page in every_page():
        pks = rows.get(page.pages.opts.label_lower, [0])
        if not page.address:
            prefix = f"admin:{page.pages.opts.app_label}_{page.pages.opts.model_name}"
            ticked = {"action": page.name, "_selected_action": pks, "post": "yes"}
            looking.post(reverse(f"{prefix}_changelist"), ticked)
        elif page.name not in LOOKING:
            for pk in pks:
                sent = {"reason": "x", "count": "1", "number": "00042", "post": "yes"}
                assert looking.post(page.url(pk), sent).status_code == 403, page

    assert stored() == before


# Pages that only show something.
LOOKING = {"view", "movements", "postings", "verify", "live", "live_figures"}


def page_admin(fact: Model) -> Any:
    return next(page.pages for page in every_page() if page.pages.model is type(fact))
