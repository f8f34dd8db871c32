"""What is told of a lottery, in the transaction in which it happens: who has won is told so."""

from django.utils.translation import gettext_lazy as _

from lottery.models import Entry, Period
from shop.notices.events import Event, register
from shop.notices.services import News, tell

WON = register(Event("period_won", _("lottery won"), frozenset({"period", "title", "number"})))


def period_won(period: Period, winner: Entry, *, number: int) -> None:
    """Tells the holder of the winning share."""
    facts: dict[str, str | int] = {
        "period": period.pk,
        "title": period.prize_title,
        "number": number,
    }
    tell(WON, [News(winner.user_id, f"period-{period.pk}", facts)])
