"""Periods and entries as they stand now. Time is a predicate: a period that has an end is over when
that has come, by the database's clock, whatever beat has done about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Case, CharField, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Now

from lottery.beacons import CHOICES
from lottery.models import Entry, Period, Shares
from shop.errors import NotFound
from shop.lately import Lately
from shop.pools.kinds import GateTerms
from shop.statements import Select

if TYPE_CHECKING:
    from shop.accounts.models import User

# A gate needs an end; a period without one goes on until it is sold out.
FOREVER = datetime.fromisoformat("9000-01-01T00:00:00+00:00")
# Out of time, whether or not beat has closed it yet.
IS_OVER = Q(status=Period.State.OPEN, ends_at__lte=Now())


@dataclass(frozen=True, slots=True)
class PeriodTerms:
    """A period as one read of the database showed it at `read_at`, by the database's clock."""

    period_id: int
    currency: str
    share_price: int
    ends_at: datetime | None
    opened_at: datetime
    placement: str
    queue_id: int
    pool_id: int
    per_user_limit: int | None
    strategy: str
    gated: bool
    seed: str
    total_shares: int
    first_number: int
    available: int
    pool_open: bool
    read_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether it took entries when it was read."""
        return self.pool_open and (self.ends_at is None or self.read_at < self.ends_at)

    def period(self) -> Period:
        """What of the period tells an entry's numbers and what they cost."""
        return Period(
            pk=self.period_id,
            currency=self.currency,
            seed=self.seed,
            total_shares=self.total_shares,
            first_number=self.first_number,
        )


_terms = Select(
    lambda pk: Period.objects.filter(pk=pk).values_list(
        "pk",
        "currency",
        "share_price",
        "ends_at",
        "created_at",
        "placement",
        "queue_id",
        "pool_id",
        "pool__per_user_limit",
        "pool__strategy",
        "pool__gated",
        "seed",
        "total_shares",
        "first_number",
        "pool__available",
        "pool__open",
        Now(),
    )
)


def period_terms(period_id: int) -> PeriodTerms:
    """The period as it stands. Raises NotFound."""
    row = _terms.row(period_id)
    if row is None:
        raise NotFound
    return PeriodTerms(*row)


# A gated period as it stood a moment ago at most: what has changed since, its gate knows.
period_terms_lately = Lately(period_terms, may_be_old=lambda terms: terms.gated)


def gate_terms(pool_id: int) -> GateTerms:
    """The terms of the period that has this pool, as its gate needs them."""
    period = Period.objects.select_related("pool").get(pool_id=pool_id)
    return GateTerms(
        opens_at=period.created_at,
        closes_at=period.ends_at or FOREVER,
        paused=False,
        per_user_limit=period.pool.per_user_limit,
    )


def periods_now() -> QuerySet[Period]:
    """All periods, each with `status_now`, `db_now` and `next_id`."""
    return (
        Period.objects.select_related("pool", "sku__goods", "winner__user")
        .prefetch_related("sku__goods__images")
        .annotate(
            db_now=Now(),
            next_id=F("next__pk"),
            status_now=Case(
                When(IS_OVER, then=Value(Period.State.CLOSED.value)),
                default=F("status"),
                output_field=CharField(),
            ),
        )
    )


def periods_page(*, status: str | None = None) -> QuerySet[Period]:
    """The periods that shoppers see, newest first; `status`: only those."""
    periods = periods_now().order_by("-pk")
    return periods if status is None else periods.filter(is_now(status))


def is_now(status: str) -> Q:
    """In that state now: by the columns, which an index has, not by `status_now`, which none
    has."""
    match status:
        case Period.State.OPEN:
            return Q(Q(ends_at=None) | Q(ends_at__gt=Now()), status=status)
        case Period.State.CLOSED:
            return Q(status=status) | IS_OVER
    return Q(status=status)


def period_get(period_id: int) -> Period:
    """One period as it stands now. Raises NotFound."""
    period = periods_now().filter(pk=period_id).first()
    if period is None:
        raise NotFound
    return period


def winners() -> QuerySet[Period]:
    """Periods that are drawn, the last draw first."""
    # The second one only settles ties; ascending, as the index has it.
    return periods_now().filter(status=Period.State.DRAWN).order_by("-drawn_at", "pk")


def entries_of(user: "User", *, period_id: int) -> QuerySet[Entry]:
    """What a user has in a period, newest first. Raises NotFound for a period that is none."""
    if not Period.objects.filter(pk=period_id).exists():
        raise NotFound
    mine = Entry.objects.filter(period_id=period_id, user=user)
    return mine.select_related("shares", "period").order_by("-pk")


def entry_of(user_id: int, entry_no: str) -> Entry:
    """One entry of the user's. Raises NotFound."""
    entries = Entry.objects.filter(user_id=user_id, entry_no=entry_no)
    entry = entries.select_related("shares", "period").first()
    if entry is None:
        raise NotFound
    return entry


def shares_of(entry: Entry) -> Shares | None:
    """What the entry got; None while, or where, that is nothing."""
    return getattr(entry, "shares", None)


def draw_due_at(period: Period) -> datetime | None:
    """When the deciding round is out; None where none is known yet."""
    if not period.beacon or period.beacon_round is None:
        return None
    return CHOICES[period.beacon].identity.time_of(period.beacon_round)


def over_since() -> Any:
    """Since when a period is over, or will be: from its root or its cancellation, its last share's
    moment, or its end."""
    bought_last = Shares.objects.filter(pool=OuterRef("pool")).order_by("-first")
    return Case(
        When(closed_at__isnull=False, then=F("closed_at")),
        When(pool__available__lte=0, then=Subquery(bought_last.values("entry__created_at")[:1])),
        default=F("ends_at"),
    )


def winner_name(period: Period) -> str:
    """Who has won, as everybody may read it: the first letter of the nickname is enough for those
    who know."""
    if period.winner is None:
        return ""
    user = period.winner.user
    name = user.nickname or user.username
    return f"{name[0]}***" if name else "***"


def prize_image(period: Period) -> str:
    """The prize's own picture, or the first one of its goods."""
    if period.prize_image or period.sku is None:
        return period.prize_image
    image = next(iter(period.sku.goods.images.all()), None)
    return "" if image is None else image.address
