"""What a second person decides about coupons: a large issue, and adding to one."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from goods.models import Category, Sku
from orders.coupons.asking import ADD, CREATE, most_taken_off
from orders.coupons.forms import CouponForm
from orders.coupons.models import Coupon, Kind
from orders.coupons.services import CouponPlan, coupon_add, coupon_create
from shop.approvals.deciding import Decide
from shop.approvals.deeds import Deed, Facts, register
from shop.approvals.models import Proposal
from shop.approvals.worded import worded
from shop.backoffice.money import money

if TYPE_CHECKING:
    from shop.accounts.models import User

MOMENTS = ("starts_at", "ends_at", "use_from", "use_until")


def plan_of(terms: Mapping[str, Any]) -> CouponPlan:
    """The plan that was written down."""
    said = dict(terms)
    category, skus = said.pop("category"), said.pop("skus")
    said["kind"] = Kind(said["kind"])
    said |= {name: said[name] and datetime.fromisoformat(said[name]) for name in MOMENTS}
    return CouponPlan(
        category=Category.objects.get(pk=category) if category else None,
        skus=tuple(Sku.objects.filter(pk__in=skus).order_by("pk")),
        **said,
    )


def _in_all(terms: CouponPlan | Coupon, *, count: int) -> tuple[Any, str]:
    most = most_taken_off(terms, count=count)
    return _("takes off at most, in all"), gettext("no limit") if most is None else money(most)


def _terms(proposal: Proposal) -> Facts:
    plan = plan_of(proposal.terms)
    said = {
        name: money(getattr(plan, name))
        for name in ("off_fen", "most_fen", "minimum_fen")
        if getattr(plan, name) is not None
    }
    return [_in_all(plan, count=plan.total), *worded(CouponForm, plan, said)]


def _create(proposal: Proposal, operator: "User", decide: Decide) -> object:
    plan = plan_of(proposal.terms)
    return coupon_create(plan, operator=operator, reference=proposal.mark, decide=decide)


def _created(proposal: Proposal) -> str:
    coupon = Coupon.objects.filter(reference=proposal.mark).first()
    return reverse("admin:coupons_coupon_change", args=[coupon.pk]) if coupon else ""


def _coupon(proposal: Proposal) -> Coupon:
    return Coupon.objects.select_related("pool").get(pk=proposal.subject or 0)


def _addition(proposal: Proposal) -> Facts:
    coupon, count = _coupon(proposal), proposal.terms["count"]
    return (
        (_("coupon"), f"{coupon.pk}: {coupon}"),
        (_("issue"), coupon.total),
        (_("claimed"), coupon.pool.taken),
        (_("how many more"), count),
        _in_all(coupon, count=coupon.total + count),
    )


def _add(proposal: Proposal, operator: "User", decide: Decide) -> object:
    return coupon_add(
        _coupon(proposal),
        count=proposal.terms["count"],
        operator=operator,
        reference=proposal.mark,
        decide=decide,
    )


def _page(proposal: Proposal) -> str:
    return reverse("admin:coupons_coupon_change", args=[proposal.subject])


register(
    Deed(CREATE, _("Create a coupon"), _terms, _create, _created),
    Deed(ADD, _("Add to the issue"), _addition, _add, _page),
)
