"""What operators do to periods at the console that moves prizes, money or odds: done at once, or
asked of a second person, as the shop's settings say. Commands, seeds and the sweepers do not come
through here: whoever has a shell needs no console.
"""

from typing import TYPE_CHECKING

from django.utils.translation import gettext

from lottery.closing import period_cancel
from lottery.models import Period
from lottery.opening import PeriodPlan, period_check, period_open, period_stop_renewal
from shop.approvals.deeds import asks_second_person
from shop.approvals.models import Proposal
from shop.approvals.proposals import proposal_ask, written_down
from shop.errors import Invalid

if TYPE_CHECKING:
    from shop.accounts.models import User

# What SECOND_PERSON_FOR calls it, and the deeds that are proposed.
PART = "lottery"
OPEN, CANCEL, STOP = f"{PART}.open", f"{PART}.cancel", f"{PART}.stop"


def period_open_or_ask(plan: PeriodPlan, *, operator: "User", reference: str) -> Period | Proposal:
    """Opens a period, or asks for it, once per `reference`. Raises as `period_open`."""
    if not asks_second_person(PART):
        return period_open(plan, operator=operator, reference=reference)
    period_check(plan)
    return proposal_ask(
        OPEN,
        title=plan.prize_title,
        terms=written_down(plan),
        operator=operator,
        reference=reference,
    )


def period_cancel_or_ask(period: Period, *, operator: "User") -> Proposal | None:
    """Cancels a period, or asks for it. Raises as `period_cancel`."""
    if not asks_second_person(PART):
        period_cancel(period, operator=operator)
        return None
    if period.status != Period.State.OPEN or period.pool.taken:
        raise Invalid.field("", gettext("Only a period of which no share is sold is cancelled."))
    return _ask(CANCEL, period, operator=operator)


def period_stop_or_ask(period: Period, *, operator: "User") -> Proposal | bool:
    """Lets no period follow this one, or asks for it. Raises as `period_stop_renewal`."""
    if not asks_second_person(PART):
        return period_stop_renewal(period, operator=operator)
    return _ask(STOP, period, operator=operator)


def _ask(deed: str, period: Period, *, operator: "User") -> Proposal:
    return proposal_ask(deed, title=str(period), subject=period.pk, operator=operator)
