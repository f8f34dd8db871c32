"""Opening periods: terms are fixed, a seed is committed to, a prize set apart, shares loaded.

From here on nothing about a period's terms changes. Money is refused unless the shop's settings
allow it (the README says why), and whoever opens twice under one reference opens once.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.admin.models import ADDITION, CHANGE
from django.db import IntegrityError
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext

from goods.models import Sku
from lottery.beacons import CHOICES
from lottery.draws.encoding import moment_text
from lottery.draws.terms import Terms, commitment, new_seed
from lottery.models import POOL_KIND, QUEUE_KIND, Period, Scheme
from shop.errors import InsufficientStock, Invalid
from shop.operators_log import changed, log
from shop.pools import gate, gatekeeping
from shop.pools import services as pools
from shop.pools.models import Movement, Placement, Pool, Queue, Strategy
from shop.pools.refusals import No
from shop.pools.services import Claim
from shop.pools.strategies import Take
from shop.transactions import is_duplicate, run
from shop.wallet.models import Currency

if TYPE_CHECKING:
    from shop.accounts.models import User

FIRST_NUMBER = 1_000_002
MOST_SHARES = 10**9
# A period that sells out at this price is far below what a wallet can count.
MOST_PRICE = 10**9
# Characters of the columns of texts.
LONGEST = {
    "prize_title": 120,
    "prize_title_en": 120,
    "prize_image": 500,
    "public_number_source": 200,
}
# Calendars of programs end not long after.
LAST_YEAR = 9_000
# Nobody: whose the prize is, is not known before the draw.
NOBODY = 0


@dataclass(frozen=True, slots=True)
class PeriodPlan:
    """What a period is opened with. `share_price` is in points, or in fen where `currency` is cny;
    None is the settings' own choice, or no limit."""

    prize_title: str
    share_price: int
    total_shares: int
    prize_title_en: str = ""
    prize_image: str = ""
    sku: Sku | None = None
    currency: str = Currency.POINTS
    minimum_shares: int = 1
    per_user_limit: int | None = None
    first_number: int = FIRST_NUMBER
    ends_at: datetime | None = None
    auto_renew: bool = False
    scheme: str = Scheme.COMMIT_BEACON
    beacon: str = ""
    public_number_source: str = ""
    placement: str = Placement.QUEUED
    strategy: str = Strategy.DEFAULT
    gated: bool | None = None
    serial: int = 1


def period_open(
    plan: PeriodPlan,
    *,
    operator: "User | None" = None,
    reference: str = "",
    decide: Callable[[], object] = lambda: None,
) -> Period:
    """Opens a period, in one transaction; a prize that is a SKU loses a unit of its stock.

    Once per `reference` (up to 64 characters; without one each call has its own): again, it
    returns the period that the first call has opened. `decide` is part of the transaction. Raises
    Invalid for terms that make no sense, InsufficientStock when the prize is gone, Busy,
    Unavailable, and what `decide` raises.
    """
    period_check(plan)
    reference = reference or f"period-{uuid.uuid4().hex}"
    return _open(plan, operator=operator, reference=reference, decide=decide)


def period_renew(previous: Period) -> Period | None:
    """Opens the period after one that is over, on the same terms, once; None when its prize is
    gone, when an operator wants no more of them, or when the settings allow none for money.

    One that had an end gets as much time again. Raises Busy, Unavailable.
    """
    ends_at = None
    if previous.ends_at is not None:
        [now] = Period.objects.filter(pk=previous.pk).values_list(Now(), flat=True)
        ends_at = now + (previous.ends_at - previous.created_at)
    plan = PeriodPlan(
        prize_title=previous.prize_title,
        share_price=previous.share_price,
        total_shares=previous.total_shares,
        prize_title_en=previous.prize_title_en,
        prize_image=previous.prize_image,
        sku=previous.sku,
        currency=previous.currency,
        minimum_shares=previous.minimum_shares,
        per_user_limit=previous.pool.per_user_limit,
        first_number=previous.first_number,
        ends_at=ends_at,
        auto_renew=True,
        scheme=previous.scheme,
        beacon=previous.beacon,
        public_number_source=previous.public_number_source,
        placement=previous.placement,
        strategy=previous.pool.strategy,
        gated=previous.pool.gated,
        serial=previous.serial + 1,
    )
    try:
        return _open(plan, reference=f"after-{previous.pk}", previous=previous)
    except (InsufficientStock, _NoMore):
        return None


def period_stop_renewal(
    period: Period, *, operator: "User", decide: Callable[[], object] = lambda: None
) -> bool:
    """Lets no period follow the last one of those that began with this one; returns whether one was
    to follow.

    Allowed whatever is sold: that another one follows is no part of what a period promises, and
    changes nothing of its draw. `decide` is part of the transaction. Raises Busy, Unavailable, and
    what `decide` raises.
    """

    def work() -> bool:
        decide()
        last = Period.objects.select_for_update().get(pk=period.pk)
        # Whoever opens the next one holds the row of the one before.
        while (after := _locked_next(last)) is not None:
            last = after
        if not last.auto_renew:
            return False
        Period.objects.filter(pk=last.pk).update(auto_renew=False)
        changed(operator, last, "No period follows", auto_renew=False)
        return True

    return run(work)


def _locked_next(period: Period) -> Period | None:
    return Period.objects.select_for_update().filter(previous=period).first()


def may_open() -> Q:
    """Periods in a currency that this shop may sell shares for, now."""
    return Q() if settings.LOTTERY_FOR_MONEY else ~Q(currency=Currency.CNY)


class _NoMore(Exception):
    """The period that was to be followed is not to be followed any more."""


def _open(
    plan: PeriodPlan,
    *,
    reference: str,
    operator: "User | None" = None,
    previous: Period | None = None,
    decide: Callable[[], object] = lambda: None,
) -> Period:
    beacon = beacon_of(plan)

    def work() -> Period:
        decide()
        if previous is not None:
            _require_renewing(previous)
        seed = new_seed()
        terms = _terms(plan, beacon)
        pool = Pool.objects.create(
            kind=POOL_KIND,
            strategy=plan.strategy,
            per_user_limit=plan.per_user_limit,
            gated=gate.configured() if plan.gated is None else plan.gated,
        )
        period = Period.objects.create(
            serial=plan.serial,
            previous=previous,
            reference=reference,
            pool=pool,
            queue=Queue.objects.create(kind=QUEUE_KIND, name=f"{POOL_KIND}:{pool.pk}"),
            placement=plan.placement,
            prize_title=plan.prize_title,
            prize_title_en=plan.prize_title_en,
            prize_image=plan.prize_image,
            sku=plan.sku,
            currency=plan.currency,
            share_price=plan.share_price,
            total_shares=plan.total_shares,
            minimum_shares=plan.minimum_shares,
            first_number=plan.first_number,
            ends_at=plan.ends_at,
            auto_renew=plan.auto_renew,
            scheme=plan.scheme,
            beacon=beacon if plan.scheme == Scheme.COMMIT_BEACON else "",
            public_number_source=plan.public_number_source,
            seed=seed.hex(),
            terms=terms.canonical().decode(),
            commitment=commitment(seed, terms),
            created_at=Now(),
        )
        if operator is not None:
            log(operator, [period], ADDITION, f"Opened {period}")
        _set_prize_apart(period)
        pools.adjust({pool.pk: plan.total_shares}, kind=Movement.LOAD, reference=reference)
        return period

    try:
        period = run(work)
    except IntegrityError as error:
        earlier = Period.objects.filter(reference=reference).first()
        if earlier is None or not is_duplicate(error):
            raise
        return earlier
    period.refresh_from_db()
    gatekeeping.quietly(gatekeeping.reopen, period.pool)
    return period


def _is_allowed(currency: str) -> bool:
    return currency != Currency.CNY or settings.LOTTERY_FOR_MONEY


def _require_renewing(previous: Period) -> None:
    """Raises _NoMore when an operator has just stopped it; who does so now waits for us."""
    renewing = Period.objects.select_for_update().filter(
        may_open(), pk=previous.pk, auto_renew=True
    )
    if not list(renewing.values_list("pk")):
        raise _NoMore


def period_rebuild_gate(period: Period, *, operator: "User") -> None:
    """Opens the period's gate anew from the database. Raises Invalid for a period without a gate,
    Ended for one that is closed, Unavailable."""
    gatekeeping.reopen_by_hand(period.pool)
    run(lambda: log(operator, [period], CHANGE, "Gate rebuilt"))


def beacon_of(plan: PeriodPlan) -> str:
    """The name of the beacon that the plan, or the shop's setting, chooses."""
    return plan.beacon or str(settings.LOTTERY_BEACON)


def period_check(plan: PeriodPlan) -> None:
    """Raises Invalid for terms that make no sense, or that this shop does not allow."""
    if not _is_allowed(plan.currency):
        raise Invalid.field("currency", gettext("This shop sells shares for points only."))
    if not plan.prize_title.strip():
        raise Invalid.field("prize_title", gettext("Say what can be won."))
    for field, number, most in (
        ("share_price", plan.share_price, MOST_PRICE),
        ("total_shares", plan.total_shares, MOST_SHARES),
        ("minimum_shares", plan.minimum_shares, plan.total_shares),
        ("per_user_limit", plan.per_user_limit, MOST_SHARES),
        ("first_number", plan.first_number, MOST_SHARES),
        ("serial", plan.serial, MOST_SHARES),
    ):
        if number is not None and not 1 <= number <= most:
            raise Invalid.field(field, gettext("From 1 to %(most)d.") % {"most": most})
    for field, longest in LONGEST.items():
        if len(getattr(plan, field)) > longest:
            raise Invalid.field(field, gettext("At most %(most)d characters.") % {"most": longest})
    _check_draw(plan)
    if plan.gated and not gate.configured():
        raise Invalid.field("gated", gettext("This shop has no Redis for gates."))


def _check_draw(plan: PeriodPlan) -> None:
    """When it will be drawn, and by what."""
    if plan.ends_at is not None and plan.ends_at <= timezone.now():
        raise Invalid.field("ends_at", gettext("A period must end in the future."))
    if plan.ends_at is not None and plan.ends_at.year > LAST_YEAR:
        raise Invalid.field("ends_at", gettext("A year up to %(most)d.") % {"most": LAST_YEAR})
    if plan.scheme == Scheme.CLASSIC and plan.ends_at is not None:
        message = gettext("The classic formula is for periods that are sold out: without an end.")
        raise Invalid.field("scheme", message)
    if plan.scheme == Scheme.CLASSIC and not plan.public_number_source.strip():
        message = gettext("Say, before anybody can know it, which public number will be used.")
        raise Invalid.field("public_number_source", message)
    if plan.scheme == Scheme.COMMIT_BEACON and beacon_of(plan) not in CHOICES:
        raise Invalid.field("beacon", gettext("There is no such beacon."))


def _terms(plan: PeriodPlan, beacon: str) -> Terms:
    """What is committed to."""
    is_beacon = plan.scheme == Scheme.COMMIT_BEACON
    return Terms(
        scheme=plan.scheme,
        serial=str(plan.serial),
        prize_title=plan.prize_title,
        currency=plan.currency,
        share_price=plan.share_price,
        total_shares=plan.total_shares,
        minimum_shares=plan.minimum_shares,
        per_user_limit=plan.per_user_limit,
        first_number=plan.first_number,
        ends_at=None if plan.ends_at is None else moment_text(plan.ends_at),
        beacon=CHOICES[beacon].identity if is_beacon else None,
        beacon_delay_seconds=CHOICES[beacon].delay_seconds if is_beacon else 0,
        public_number_source=None if is_beacon else plan.public_number_source,
    )


def _set_prize_apart(period: Period) -> None:
    """Takes a unit of the prize's stock for whoever wins. Raises InsufficientStock."""
    if period.sku is None:
        return
    pool = Pool.objects.get(pk=period.sku.pool_id)
    claim = Claim(period.reference, NOBODY, [Take(pool.pk, 1)])
    try:
        pools.take(claim, terms={pool.pk: pools.Terms(pool.strategy)})
    except No as no:
        raise InsufficientStock(sku=period.sku_id, available=0) from no
