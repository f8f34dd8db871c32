"""What a second person decides about periods: opening, cancelling, and that none follows."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from goods.models import Sku
from lottery.asking import CANCEL, OPEN, STOP
from lottery.closing import period_cancel
from lottery.forms import OpenForm
from lottery.models import Period
from lottery.opening import PeriodPlan, beacon_of, period_open, period_stop_renewal
from shop.approvals.deciding import Decide
from shop.approvals.deeds import Deed, Facts, register
from shop.approvals.models import Proposal
from shop.approvals.worded import worded
from shop.backoffice.money import amount

if TYPE_CHECKING:
    from shop.accounts.models import User


def plan_of(terms: Mapping[str, Any]) -> PeriodPlan:
    """The plan that was written down."""
    said = dict(terms)
    sku, ends_at = said.pop("sku"), said.pop("ends_at")
    return PeriodPlan(
        sku=Sku.objects.select_related("goods").get(pk=sku) if sku else None,
        ends_at=datetime.fromisoformat(ends_at) if ends_at else None,
        **said,
    )


def _terms(proposal: Proposal) -> Facts:
    plan = plan_of(proposal.terms)
    said = {
        "share_price": amount(plan.share_price, plan.currency),
        "beacon": beacon_of(plan),
    }
    return worded(OpenForm, plan, said)


def _open(proposal: Proposal, operator: "User", decide: Decide) -> object:
    plan = plan_of(proposal.terms)
    return period_open(plan, operator=operator, reference=proposal.mark, decide=decide)


def _opened(proposal: Proposal) -> str:
    period = Period.objects.filter(reference=proposal.mark).first()
    return reverse("admin:lottery_period_change", args=[period.pk]) if period else ""


def _period(proposal: Proposal) -> Period:
    return Period.objects.select_related("pool", "sku").get(pk=proposal.subject or 0)


def _standing(proposal: Proposal) -> Facts:
    period = _period(proposal)
    return (
        (_("period"), f"{period.pk}: {period}"),
        (_("status"), period.get_status_display()),
        (_("shares sold"), period.pool.taken),
        (_("price of a share"), amount(period.share_price, period.currency)),
        (_("the next one opens by itself"), _("yes") if period.auto_renew else _("no")),
    )


def _to(
    service: Callable[..., object], proposal: Proposal, operator: "User", decide: Decide
) -> object:
    return service(_period(proposal), operator=operator, decide=decide)


def _page(proposal: Proposal) -> str:
    return reverse("admin:lottery_period_change", args=[proposal.subject])


register(
    Deed(OPEN, _("Open a period"), _terms, _open, _opened),
    Deed(CANCEL, _("Cancel a period"), _standing, partial(_to, period_cancel), _page),
    Deed(STOP, _("No more periods after it"), _standing, partial(_to, period_stop_renewal), _page),
)
