"""The classic draw's public number: typed in by two operators, who must have read the same."""

from typing import TYPE_CHECKING

from django.contrib.admin.models import CHANGE
from django.utils.translation import gettext

from lottery.draws.classic import PUBLIC_NUMBERS
from lottery.models import Period, PublicNumber, Scheme
from shop.errors import Invalid
from shop.operators_log import log
from shop.transactions import run

if TYPE_CHECKING:
    from shop.accounts.models import User


def public_number_enter(period: Period, *, number: int, operator: "User") -> bool:
    """Notes the public number that an operator has read, for a classic period that is closed; with
    the second operator who has read the same it stands. Returns whether it stands now.

    Each may correct what was typed in until then. Raises Invalid, Busy, Unavailable.
    """
    if not 0 <= number < PUBLIC_NUMBERS:
        raise Invalid.field("number", gettext("Five digits."))

    def write() -> bool:
        waiting = Period.objects.select_for_update().filter(
            pk=period.pk, scheme=Scheme.CLASSIC, status=Period.State.CLOSED
        )
        if not list(waiting.exclude(root="").values_list("pk")):
            raise Invalid.field("number", gettext("This period waits for no public number."))
        numbers = PublicNumber.objects.filter(period=period)
        if not waiting.filter(public_number=None).exists():
            return True
        numbers.update_or_create(period=period, operator=operator, defaults={"number": number})
        agreed = numbers.filter(number=number).exclude(operator=operator).exists()
        if agreed:
            waiting.update(public_number=number)
        # Not which, until it stands: the next operator must read it for themselves.
        said = f"Public number {number:05d} stands" if agreed else "Public number typed in"
        log(operator, [period], CHANGE, said)
        return agreed

    return run(write)
