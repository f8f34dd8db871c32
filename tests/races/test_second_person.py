"""Several second persons at one moment: one decides, and what was asked for is done once."""

import threading
from collections.abc import Callable
from functools import partial

import pytest

from lottery.asking import period_cancel_or_ask
from lottery.models import Period
from lottery.opening import PeriodPlan
from shop.approvals.models import AwaitingRows, Proposal
from shop.approvals.proposals import proposal_approve, proposal_ask, proposal_reject, written_down
from shop.errors import Invalid
from shop.pools.audit import audit
from tests.factories import make_period, make_sku, make_user
from tests.kit.barrier import race
from tests.kit.marks import on_mariadb

pytestmark = on_mariadb

ROUNDS = 5


def ask_to_open() -> Proposal:
    sku = make_sku(stock=5)
    plan = PeriodPlan("coin", share_price=5, total_shares=10, sku=sku, beacon="local")
    return proposal_ask(
        "lottery.open",
        title="coin",
        terms=written_down(plan),
        operator=make_user(),
        reference=f"asked-{sku.pk}",
    )


def ask_to_cancel(period: Period | None = None) -> Proposal:
    period = period or make_period(sku=make_sku(stock=1))
    proposal = period_cancel_or_ask(period, operator=make_user())
    assert proposal is not None
    return proposal


@pytest.mark.parametrize("ask", [ask_to_open, ask_to_cancel])
def test_of_many_who_decide_at_once_one_does(ask: Callable[[], Proposal]) -> None:
    for _ in range(ROUNDS):
        proposal = ask()
        before = Period.objects.count()
        approve = [partial(proposal_approve, proposal, operator=make_user()) for _ in range(4)]
        reject = [
            partial(proposal_reject, proposal, operator=make_user(), reason="no") for _ in range(2)
        ]

        outcomes = race([*approve, *reject])

        assert [outcome.value for outcome in outcomes if outcome.error is None] == [True]
        assert all(isinstance(one.error, Invalid) for one in outcomes if one.error is not None)
        proposal.refresh_from_db()
        is_approved = proposal.state == "approved"
        assert (outcomes[4].error is None or outcomes[5].error is None) is not is_approved
        if proposal.deed == "lottery.open":
            assert Period.objects.count() - before == is_approved
        else:
            period = Period.objects.get(pk=proposal.subject)
            assert period.status == ("cancelled" if is_approved else "open")
    assert audit().broken == {}


def test_one_who_clicks_twice_at_once_does_it_once() -> None:
    for _ in range(ROUNDS):
        proposal, second = ask_to_open(), make_user()
        before = Period.objects.count()

        outcomes = race([partial(proposal_approve, proposal, operator=second)] * 4)

        assert sorted(outcome.value for outcome in outcomes) == [False, False, False, True]
        assert Period.objects.count() - before == 1


def test_asked_for_by_many_at_once_it_waits_once() -> None:
    for waiting in range(1, ROUNDS + 1):
        outcomes = race([partial(ask_to_cancel, make_period())] * 6)

        assert len({outcome.result().pk for outcome in outcomes}) == 1
        assert Proposal.objects.count() == waiting


def test_without_the_lock_two_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: both have read that it waits before either has written."""
    proposal = ask_to_open()
    both_have_read = threading.Barrier(2)

    def nobody(_proposal: Proposal) -> tuple[int, ...]:
        both_have_read.wait(60)
        return ()

    monkeypatch.setattr(AwaitingRows, "select_for_update", lambda rows: rows)
    monkeypatch.setattr(Proposal, "concerned", nobody)

    approve = [partial(proposal_approve, proposal, operator=make_user()) for _ in range(2)]
    outcomes = race(approve)

    assert [outcome.result() for outcome in outcomes] == [True, True]
