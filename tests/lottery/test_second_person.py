"""What moves prizes or odds waits, at the console, for somebody else than who asked for it."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, CHANGE
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from goods.models import Sku
from lottery.asking import CANCEL, STOP, period_cancel_or_ask
from lottery.models import Period
from lottery.opening import PeriodPlan
from shop.accounts.models import User
from shop.approvals.models import Proposal
from shop.approvals.proposals import proposal_approve, proposal_ask, proposal_reject, written_down
from shop.errors import InsufficientStock, Invalid
from shop.pools.audit import audit
from tests.factories import make_period, make_sku, make_user
from tests.kit.controls import checks_off
from tests.kit.desk import listed, logged, offered, page_of, said
from tests.kit.periods import sell
from tests.kit.units import counters

pytestmark = pytest.mark.django_db

OPEN = reverse("admin:lottery_period_add")


@pytest.fixture(autouse=True)
def english(settings: Settings) -> None:
    settings.LANGUAGE_CODE = "en"


@pytest.fixture
def second() -> User:
    return make_user("second", is_staff=True, is_superuser=True)


@pytest.fixture
def coin() -> Sku:
    return make_sku(stock=2)


def ask_to_open(operator: User, sku: Sku | None = None, **terms: Any) -> Proposal:
    plan = PeriodPlan("银币", share_price=5, total_shares=10, sku=sku, **terms)
    return proposal_ask(
        "lottery.open",
        title="银币",
        terms=written_down(plan),
        operator=operator,
        reference=f"asked-{Proposal.objects.count()}",
    )


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def state_of(proposal: Proposal) -> tuple[str, int | None]:
    return Proposal.objects.values_list("state", "decided_by").get(pk=proposal.pk)


def filled_in(desk: Client, **values: str) -> dict[str, str]:
    [reference] = re.findall(r'name="reference" value="([^"]+)"', desk.get(OPEN).content.decode())
    return {
        "prize_title": "银币",
        "currency": "points",
        "share_price": "5",
        "total_shares": "10",
        "minimum_shares": "1",
        "first_number": "1000002",
        "serial": "1",
        "ends_at": "2031-01-01T20:00",
        "auto_renew": "on",
        "scheme": "commit-beacon",
        "beacon": "local",
        "placement": "queued",
        "reference": reference,
        **values,
    }


def test_a_period_that_one_asks_for_opens_when_another_says_so(
    desk: Client, operator: User, second: User, coin: Sku
) -> None:
    form = filled_in(desk, sku=coin.code)
    for _ in range(2):
        answer = desk.post(OPEN, form)

    proposal = Proposal.objects.get()
    assert answer.url == page_of(proposal)
    assert said(answer)[-1] == "It waits for a second person."
    assert not Period.objects.exists()
    assert counters(coin.pool) == (2, 0)

    other = browser_of(second)
    assert listed(other, Proposal, waits="1") == [proposal.pk]
    look = other.get(page_of(proposal, "approve")).content.decode()
    for fact in ("Asked for by operator", "银币", "5 points", str(coin), "Jan. 1, 2031", "local"):
        assert fact in look
    assert not Period.objects.exists()
    answer = other.post(page_of(proposal, "approve"))

    assert said(answer) == ["Open a period: 银币: approved and carried out."]
    period = Period.objects.select_related("pool").get()
    assert (period.sku, period.total_shares, period.auto_renew) == (coin, 10, True)
    assert period.ends_at is not None and period.ends_at.isoformat() == "2031-01-01T12:00:00+00:00"
    assert counters(coin.pool) == (1, 1)
    assert logged(proposal) == [
        (operator.pk, ADDITION, "requested: 银币"),
        (second.pk, CHANGE, "approved"),
    ]
    assert page_of(period) in other.get(page_of(proposal)).content.decode()
    assert offered(other, proposal) == []
    assert said(other.post(page_of(proposal, "approve"))) == [
        "Carried out before; nothing changed now."
    ]
    assert Period.objects.count() == 1
    assert audit().broken == {}


def test_nobody_opens_what_they_asked_for_not_even_a_superuser(
    desk: Client, operator: User
) -> None:
    proposal = ask_to_open(operator)

    answer = desk.post(page_of(proposal, "approve"))

    assert "A second person approves it, not who asked for it." in answer.content.decode()
    assert not Period.objects.exists()
    assert state_of(proposal) == ("requested", None)
    for decided_by in (operator.pk, None):
        mine = Proposal.objects.filter(pk=proposal.pk)
        with pytest.raises(IntegrityError), transaction.atomic():
            mine.update(state="approved", decided_by=decided_by)


def test_terms_that_make_no_sense_are_not_even_asked_for(desk: Client) -> None:
    answer = desk.post(OPEN, filled_in(desk, minimum_shares="11"))
    assert answer.context["form"].errors["minimum_shares"] == ["From 1 to 10."]
    assert not Proposal.objects.exists()


def test_what_is_rejected_is_not_done_any_more(operator: User, second: User) -> None:
    proposal = ask_to_open(operator)

    assert proposal_reject(proposal, operator=second, reason="too dear") is True
    assert proposal_reject(proposal, operator=second, reason="too dear") is False
    with pytest.raises(Invalid) as refused:
        proposal_approve(proposal, operator=make_user())

    [fault] = refused.value.data["errors"]
    assert fault["message"] == "Another operator has decided about it."
    assert not Period.objects.exists()
    assert logged(proposal)[-1] == (second.pk, CHANGE, "rejected: too dear")


def test_what_has_waited_too_long_is_to_be_asked_for_again(
    operator: User, second: User, settings: Settings
) -> None:
    proposal = ask_to_open(operator)
    late = proposal.requested_at - timedelta(hours=settings.SECOND_PERSON_HOURS)
    Proposal.objects.filter(pk=proposal.pk).update(requested_at=late)

    for step in (
        lambda: proposal_approve(proposal, operator=second),
        lambda: proposal_reject(proposal, operator=second, reason="late"),
    ):
        with pytest.raises(Invalid) as refused:
            step()
        assert "waited too long" in refused.value.data["errors"][0]["message"]

    assert not Period.objects.exists()
    other = browser_of(second)
    assert listed(other, Proposal, waits="1") == []
    assert "expired: nobody decided in time" in other.get(page_of(proposal)).content.decode()


def test_a_prize_that_is_gone_by_now_leaves_the_proposal_waiting(
    operator: User, second: User
) -> None:
    coin = make_sku(stock=1)
    first, last = (ask_to_open(operator, coin) for _ in range(2))
    proposal_approve(first, operator=second)

    with pytest.raises(InsufficientStock):
        proposal_approve(last, operator=second)

    assert state_of(last) == ("requested", None)
    assert len(logged(last)) == 1
    assert Period.objects.count() == 1
    assert audit().broken == {}


def test_a_period_for_money_needs_the_setting_as_well(
    operator: User, second: User, settings: Settings
) -> None:
    settings.LOTTERY_FOR_MONEY = True
    proposal = ask_to_open(operator, currency="cny")
    settings.LOTTERY_FOR_MONEY = False

    with pytest.raises(Invalid):
        proposal_approve(proposal, operator=second)

    assert not Period.objects.exists()
    assert state_of(proposal) == ("requested", None)


@pytest.mark.parametrize(("name", "deed"), [("cancel", CANCEL), ("stop", STOP)])
def test_cancelling_and_ending_a_chain_are_done_when_another_says_so(
    desk: Client, operator: User, second: User, name: str, deed: str
) -> None:
    period = make_period(auto_renew=True)

    for _ in range(2):
        answer = desk.post(page_of(period, name))

    proposal = Proposal.objects.get()
    assert (proposal.deed, proposal.subject, proposal.requested_by) == (deed, period.pk, operator)
    assert answer.url == page_of(proposal)
    period.refresh_from_db()
    assert (period.status, period.auto_renew) == ("open", True)

    other = browser_of(second)
    assert str(period) in other.get(page_of(proposal, "approve")).content.decode()
    other.post(page_of(proposal, "approve"))

    period.refresh_from_db()
    assert (period.status, period.auto_renew) == (
        "cancelled" if name == "cancel" else "open",
        False,
    )
    assert logged(period)[-1][0] == second.pk
    assert audit().broken == {}


def test_a_period_that_has_sold_a_share_by_now_is_not_cancelled(
    operator: User, second: User
) -> None:
    period = make_period()
    proposal = period_cancel_or_ask(period, operator=operator)
    assert proposal is not None
    sell(period, 1)

    with pytest.raises(Invalid):
        proposal_approve(proposal, operator=second)

    period.refresh_from_db()
    assert (period.status, state_of(proposal)) == ("open", ("requested", None))


def test_what_was_decided_may_be_asked_for_again(operator: User, second: User) -> None:
    period = make_period()
    first = period_cancel_or_ask(period, operator=operator)
    assert first is not None
    assert period_cancel_or_ask(period, operator=make_user()) == first
    proposal_reject(first, operator=second, reason="not yet")

    again = period_cancel_or_ask(period, operator=operator)

    assert again is not None and again.pk != first.pk


def test_the_audit_sees_what_one_person_alone_has_done(operator: User, second: User) -> None:
    never, undone = ask_to_open(operator), ask_to_open(operator)
    proposal_approve(never, operator=second)
    Proposal.objects.filter(pk=never.pk).update(state="requested", decided_by=None)
    Proposal.objects.filter(pk=undone.pk).update(state="approved", decided_by=second)

    broken = audit().broken

    assert broken == {
        4: [
            f"proposal {never.pk}: is requested, and has a period",
            f"proposal {undone.pk}: is approved, and has no period",
        ]
    }


def test_the_audit_names_what_was_decided_by_who_asked(operator: User) -> None:
    proposal = ask_to_open(operator)
    with checks_off():
        Proposal.objects.filter(pk=proposal.pk).update(state="approved", decided_by=operator)

    assert audit().broken[6] == [
        f"proposal {proposal.pk}: is approved;"
        f" asked for by operator {operator.pk}, decided by {operator.pk}"
    ]
