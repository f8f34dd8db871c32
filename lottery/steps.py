"""The steps that operators take with periods and entries: what each is called, asks, does, and
where it is offered. The pages are `lottery.admin`'s. There is none for what decides a draw: its
seed, its entries, its close, its round."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from lottery import asking, given_up, opening, public_numbers
from lottery.forms import PublicNumberForm
from lottery.models import Entry, Period, Scheme
from shop.backoffice.steps import Step
from shop.forms import ConfirmForm
from shop.pools.waiting import INTERNAL


def _waits_for_number(period: Any) -> bool:
    return bool(
        period.scheme == Scheme.CLASSIC
        and period.status == Period.State.CLOSED
        and period.root
        and period.public_number is None
    )


def _is_open(period: Any) -> bool:
    return bool(period.status == Period.State.OPEN)


def _was_given_up(entry: Any) -> bool:
    return bool(entry.status == Entry.State.FAILED and entry.failure == INTERNAL)


NUMBER = Step(
    name="number",
    title=_("Enter the public number"),
    about=_(
        "Read it where the terms say, for yourself: it stands as soon as two operators have typed"
        " in the same. Until then each may correct their own."
    ),
    done=_("The public number stands; the draw follows at once."),
    not_now=_("Noted. It stands as soon as another operator has typed in the same."),
    form=PublicNumberForm,
    service=public_numbers.public_number_enter,
    permission="lottery.enter_number",
    is_offered=_waits_for_number,
)
STOP = Step(
    name="stop",
    title=_("No more after it"),
    about=_(
        "No period follows the one that is open now; that one is sold and drawn as it was promised."
        " Buyers were never promised another one, so this may be done whatever is sold."
    ),
    done=_("No period follows."),
    not_now=_("None was to follow; nothing changed now."),
    form=ConfirmForm,
    service=asking.period_stop_or_ask,
    is_offered=lambda period: period.auto_renew,
)
CANCEL = Step(
    name="cancel",
    title=_("Cancel"),
    about=_(
        "Only as long as no share is sold; entries that wait are settled first. Its prize goes back"
        " into stock, and no period follows it."
    ),
    done=_("The period is cancelled."),
    form=ConfirmForm,
    service=asking.period_cancel_or_ask,
    is_offered=lambda period: _is_open(period) and not period.pool.taken,
)
REBUILD = Step(
    name="rebuild",
    title=_("Rebuild the gate"),
    about=_("Opens the gate anew with what the database says. Buyers may go on meanwhile."),
    done=_("The gate is rebuilt."),
    form=ConfirmForm,
    service=opening.period_rebuild_gate,
    is_offered=lambda period: _is_open(period) and period.pool.gated,
)
PERIOD_STEPS = (NUMBER, STOP, CANCEL, REBUILD)

RETRY = Step(
    name="retry",
    title=_("Try again"),
    about=_(
        "The entry goes back into its queue, with its price, its limits and as many attempts as a"
        " new one. Its shopper was told that it failed, and may have bought others since; settled,"
        " it is paid for from their wallet."
    ),
    done=_("%(entry)s is back in its queue."),
    form=ConfirmForm,
    service=given_up.entry_retry,
    is_offered=lambda entry: _was_given_up(entry) and _is_open(entry.period),
)
DROP = Step(
    name="drop",
    title=_("Drop"),
    about=_("The entry stays failed, and unpaid. It is no longer listed as one to look after."),
    done=_("%(entry)s stays failed, and is no longer one to look after."),
    form=ConfirmForm,
    service=given_up.entry_drop,
    is_offered=_was_given_up,
)
ENTRY_STEPS = (RETRY, DROP)
