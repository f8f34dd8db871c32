"""What operators issue at the console: done at once, or asked of a second person where it can take
off more than the shop's settings let one person promise."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext

from orders.coupons.models import Coupon, Kind
from orders.coupons.services import (
    CouponPlan,
    coupon_add,
    coupon_check,
    coupon_create,
    was_added,
)
from shop.approvals.deeds import asks_second_person
from shop.approvals.models import Proposal
from shop.approvals.proposals import proposal_ask, written_down

if TYPE_CHECKING:
    from shop.accounts.models import User

# What SECOND_PERSON_FOR calls it, and the deeds that are proposed.
PART = "coupons"
CREATE, ADD = f"{PART}.create", f"{PART}.add"


def most_taken_off(terms: CouponPlan | Coupon, *, count: int) -> int | None:
    """What so many pieces can take off at most, in fen; None where nothing limits it: freight costs
    what the parcel weighs."""
    if terms.kind == Kind.FREIGHT:
        return None
    most = terms.off_fen if terms.kind == Kind.AMOUNT else terms.most_fen
    return None if most is None else most * count


def coupon_create_or_ask(
    plan: CouponPlan, *, operator: "User", reference: str
) -> Coupon | Proposal:
    """Creates a coupon, or asks for it, once per `reference`. Raises as `coupon_create`."""
    coupon_check(plan)
    if not _is_large(plan, count=plan.total):
        return coupon_create(plan, operator=operator, reference=reference)
    return proposal_ask(
        CREATE,
        title=plan.title,
        terms=written_down(plan),
        operator=operator,
        reference=reference,
    )


def coupon_add_or_ask(
    coupon: Coupon, *, count: int, operator: "User", reference: str
) -> bool | Proposal:
    """Adds to a coupon's issue, or asks for it: many small steps are one large one. Raises as
    `coupon_add`."""

    def refuse_large() -> None:
        # Of the issue as it is now, under its lock: others may be adding to it. Where this very
        # addition is in it already, there is nothing to ask for.
        issue = Coupon.objects.select_for_update().get(pk=coupon.pk)
        if _is_large(issue, count=issue.total + count) and not was_added(coupon, reference):
            raise _Large

    try:
        return coupon_add(
            coupon, count=count, operator=operator, reference=reference, decide=refuse_large
        )
    except _Large:
        return proposal_ask(
            ADD,
            title=gettext("%(count)d more of %(coupon)s") % {"count": count, "coupon": coupon},
            subject=coupon.pk,
            terms={"count": count},
            operator=operator,
            reference=reference,
        )


class _Large(Exception):
    """It would take off more than one person may promise."""


def _is_large(terms: CouponPlan | Coupon, *, count: int) -> bool:
    most = most_taken_off(terms, count=count)
    return asks_second_person(PART) and (most is None or most > settings.COUPON_MOST_FEN)
