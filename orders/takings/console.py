"""Orders and money of today and yesterday on the console's landing page, and their charts."""

from collections.abc import Sequence

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orders.takings.selectors import Sum, Takings, takings_now
from shop.backoffice.money import money, yuan
from shop.backoffice.today import Chart, Figure, Level, Part, Series, age_words, panel

# Seconds behind, from which on the figures are old: a minute is always left to settle.
LATE_SECONDS = 300


@panel("takings.hour", _("takings"))
def takings() -> Sequence[Part]:
    """Two days in words, the last hours and days as charts; one read of the sums."""
    now = takings_now()
    return [
        _figure(_("today"), now.today, now),
        _figure(_("yesterday"), now.yesterday, now),
        *_charts(now.hours, _("the last 24 hours"), "%H:%M"),
        *_charts(now.days, _("the last 14 days"), "%m-%d"),
    ]


def _figure(title: "str | Promise", of: Sum, now: Takings) -> Figure:
    text = gettext("%(placed)d orders placed, %(paid)d paid, %(money)s")
    return Figure(
        title,
        text % {"placed": of.placed, "paid": of.paid, "money": money(of.paid_fen)},
        _level(now),
        more=_more(of, now),
        query={"q": f"{timezone.localtime(of.starts_at):%Y-%m-%d}"},
    )


def _level(now: Takings) -> Level:
    if now.until is None:
        return Level.UNKNOWN
    return Level.LOOK if now.behind > LATE_SECONDS else Level.OK


def _more(of: Sum, now: Takings) -> str:
    if now.until is None:
        return gettext("not counted yet: beat and a worker of sweepers do it")
    said = []
    if of.refunded_fen:
        said.append(gettext("%(money)s to go back") % {"money": money(of.refunded_fen)})
    if of is now.today:
        at = date_format(timezone.localtime(now.until), "H:i")
        said.append(gettext("counted up to %(at)s") % {"at": at})
        if now.behind > LATE_SECONDS:
            said.append(gettext("%(age)s ago") % {"age": age_words(now.behind)})
    return ", ".join(said)


def _charts(sums: Sequence[Sum], title: "str | Promise", form: str) -> Sequence[Chart]:
    labels = [f"{timezone.localtime(one.starts_at):{form}}" for one in sums]
    placed = [str(one.placed) for one in sums]
    paid = [str(one.paid) for one in sums]
    money_paid = [yuan(one.paid_fen) for one in sums]
    money_back = [yuan(one.refunded_fen) for one in sums]
    return [
        Chart(
            gettext("orders, %(when)s") % {"when": title},
            labels,
            [Series(gettext("placed"), placed), Series(gettext("paid"), paid, is_main=True)],
        ),
        Chart(
            gettext("money, %(when)s") % {"when": title},
            labels,
            [
                Series(gettext("paid (¥)"), money_paid, is_main=True),
                Series(gettext("to go back (¥)"), money_back),
            ],
        ),
    ]
