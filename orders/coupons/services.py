"""Creating coupons, adding to their issue, stopping and claiming them: units of a pool, each step a
whole transaction that is safe to repeat. What orders do with them is `orders.coupons.using`'s.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from django.contrib.admin.models import ADDITION, CHANGE
from django.db import IntegrityError
from django.db.models.functions import Now
from django.utils.translation import gettext

from goods.models import Category, Sku
from goods.sales.services import MAX_PRICE_FEN
from goods.stock import MAX_UNITS
from orders.coupons.models import POOL_KIND, Coupon, IssuedCoupon, Kind, Scope
from shop.api.idempotency import Answer, RequestKey, insert, once
from shop.errors import Ended, Invalid, NotFound, NotStarted, SoldOut
from shop.numbers import new_number
from shop.operators_log import Changes, log
from shop.pools import services as pools
from shop.pools.models import Movement, Pool, PoolMovement, Strategy
from shop.pools.refusals import No, refusal_of
from shop.pools.services import Claim, Terms, admitted
from shop.pools.strategies import Take
from shop.transactions import is_duplicate, run

if TYPE_CHECKING:
    from shop.accounts.models import User

CREATED = 201
# SKUs that one coupon can name, and days that it can be valid.
MOST_SKUS = 200
MOST_DAYS = 3650


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponPlan:
    """What a coupon is created with; amounts in fen. Of `off_fen`, `percent` with `most_fen`, the
    kind takes its own; `per_user_limit` None: any number."""

    title: str
    title_en: str = ""
    kind: Kind
    off_fen: int = 0
    percent: int = 0
    most_fen: int | None = None
    minimum_fen: int = 0
    scope: Scope = Scope.ALL
    category: Category | None = None
    skus: Sequence[Sku] = ()
    total: int
    starts_at: datetime
    ends_at: datetime
    use_from: datetime | None = None
    use_until: datetime | None = None
    use_days: int | None = None
    per_user_limit: int | None = 1
    strategy: Strategy = Strategy.DEFAULT


def coupon_create(
    plan: CouponPlan,
    *,
    operator: "User | None" = None,
    reference: str = "",
    decide: Callable[[], object] = lambda: None,
) -> Coupon:
    """Creates the coupon with its issue in its pool, in one transaction.

    Once per `reference` (up to 64 characters; without one each call has its own): again, it returns
    the coupon that the first call has created. `decide` is part of the transaction. Raises Invalid
    for terms that make no sense, Busy, Unavailable, and what `decide` raises.
    """
    coupon_check(plan)
    reference = reference or f"coupon-{uuid.uuid4().hex}"

    def work() -> Coupon:
        decide()
        pool = Pool.objects.create(
            kind=POOL_KIND, strategy=plan.strategy, per_user_limit=plan.per_user_limit
        )
        coupon = Coupon.objects.create(
            title=plan.title,
            title_en=plan.title_en,
            pool=pool,
            kind=plan.kind,
            off_fen=plan.off_fen if plan.kind == Kind.AMOUNT else 0,
            percent=plan.percent if plan.kind == Kind.PERCENT else 0,
            most_fen=plan.most_fen if plan.kind == Kind.PERCENT else None,
            minimum_fen=plan.minimum_fen,
            scope=plan.scope,
            category=plan.category if plan.scope == Scope.CATEGORY else None,
            sku_ids=[sku.pk for sku in plan.skus] if plan.scope == Scope.SKUS else None,
            total=plan.total,
            reference=reference,
            starts_at=plan.starts_at,
            ends_at=plan.ends_at,
            use_from=plan.use_from,
            use_until=plan.use_until,
            use_days=plan.use_days,
        )
        _log(coupon, operator, f"Created with an issue of {plan.total}", flag=ADDITION)
        pools.adjust(
            {pool.pk: plan.total}, kind=Movement.LOAD, reference=reference, operator=operator
        )
        return coupon

    try:
        return run(work)
    except IntegrityError as error:
        if not is_duplicate(error):
            raise
        return Coupon.objects.select_related("pool").get(reference=reference)


def coupon_check(plan: CouponPlan) -> None:
    """Raises Invalid, with the field, for terms that make no sense."""
    if not plan.title.strip():
        raise Invalid.field("title", gettext("Give it a title."))
    numbers: list[tuple[str, int | None, int, int]] = [
        ("minimum_fen", plan.minimum_fen, 0, MAX_PRICE_FEN),
        ("total", plan.total, 1, MAX_UNITS),
    ]
    if plan.kind == Kind.AMOUNT:
        numbers.append(("off_fen", plan.off_fen, 1, MAX_PRICE_FEN))
    if plan.kind == Kind.PERCENT:
        numbers.append(("percent", plan.percent, 1, 100))
        numbers.append(("most_fen", plan.most_fen, 1, MAX_PRICE_FEN))
    if plan.per_user_limit is not None:
        numbers.append(("per_user_limit", plan.per_user_limit, 1, MAX_UNITS))
    if plan.use_days is not None:
        numbers.append(("use_days", plan.use_days, 1, MOST_DAYS))
    for field, number, least, most in numbers:
        if number is None or not least <= number <= most:
            message = gettext("From %(least)d to %(most)d.") % {"least": least, "most": most}
            raise Invalid.field(field, message)
    if plan.scope == Scope.CATEGORY and plan.category is None:
        raise Invalid.field("category", gettext("Which one?"))
    if plan.scope == Scope.SKUS and not 1 <= len(plan.skus) <= MOST_SKUS:
        raise Invalid.field("skus", gettext("From 1 to %(most)d.") % {"most": MOST_SKUS})
    _check_times(plan)


def _check_times(plan: CouponPlan) -> None:
    for field in ("starts_at", "ends_at", "use_from", "use_until"):
        moment = getattr(plan, field)
        if moment is not None and not 2000 <= moment.year <= 9000:
            raise Invalid.field(field, gettext("A year from 2000 to 9000."))
    if plan.starts_at >= plan.ends_at:
        raise Invalid.field("ends_at", gettext("It must end after it starts."))
    if (plan.use_until is None) == (plan.use_days is None):
        raise Invalid.field("use_until", gettext("Either a moment or a number of days."))
    if plan.use_until is not None:
        if plan.use_until < plan.ends_at:
            raise Invalid.field(
                "use_until", gettext("Whoever claims it last must be able to use it.")
            )
        if plan.use_from is not None and plan.use_from >= plan.use_until:
            raise Invalid.field("use_from", gettext("It must end after it starts."))


def coupon_add(
    coupon: Coupon,
    *,
    count: int,
    operator: "User",
    reference: str,
    decide: Callable[[], object] = lambda: None,
) -> bool:
    """Adds `count` to the issue of a coupon that is not stopped, once per `reference`; returns
    whether this call did. `decide` is part of the transaction. Raises Invalid, Ended, Busy,
    Unavailable, and what `decide` raises."""
    if not 1 <= count <= MAX_UNITS:
        raise Invalid.field("count", gettext("From 1 to %(most)d.") % {"most": MAX_UNITS})

    def work() -> None:
        decide()
        locked = Coupon.objects.select_for_update().filter(pk=coupon.pk, ends_at__gt=Now())
        if not (list(locked.values_list("pk")) and is_open(coupon)):
            raise Ended(coupon=coupon.pk)
        total = Coupon.objects.values_list("total", flat=True).get(pk=coupon.pk)
        said = f"Added {count} ({reference})"
        locked.update(total=total + count)
        _log(coupon, operator, said, changes={"issue": (total, total + count)})
        pools.adjust({coupon.pool_id: count}, reference=reference, operator=operator)

    try:
        run(work)
    except IntegrityError as error:
        if not is_duplicate(error):
            raise
        return False
    return True


def was_added(coupon: Coupon, reference: str) -> bool:
    """Whether `coupon_add` has added to it under that reference."""
    added = PoolMovement.objects.filter(kind=Movement.ADJUST, reference=reference)
    return added.filter(pool_id=coupon.pool_id).exists()


def coupon_stop(coupon: Coupon, *, operator: "User") -> bool:
    """Lets nobody claim it any more; what was issued stays valid. Stopping a stopped one changes
    nothing; returns whether this call did. Raises Busy, Unavailable."""

    def work() -> bool:
        list(Coupon.objects.select_for_update().filter(pk=coupon.pk).values_list("pk"))
        # Whoever has taken one has committed: the pool's lock says so.
        stopped = bool(Pool.objects.filter(pk=coupon.pool_id, open=True).update(open=False))
        if stopped:
            _log(coupon, operator, "Stopped", changes={"can be claimed": (True, False)})
        return stopped

    return run(work)


def is_open(coupon: Coupon) -> bool:
    """Whether its pool gives units, whatever the time."""
    return Pool.objects.filter(pk=coupon.pool_id, open=True).exists()


def coupon_claim(*, key: RequestKey, coupon_id: int) -> Answer[IssuedCoupon]:
    """Claims one piece, or finds the one that an earlier request with `key` claimed.

    Raises NotFound, NotStarted, Ended, SoldOut, PurchaseLimit, Busy, Unavailable,
    RequestInProgress, IdempotencyKeyReused. Then nothing of it is stored.
    """
    rows = IssuedCoupon.objects.select_related("coupon", "order")
    return once(key, rows, partial(_claim, coupon_id=coupon_id))


def _claim(key: RequestKey, *, coupon_id: int) -> IssuedCoupon:
    coupon = (
        Coupon.objects.select_related("pool").annotate(db_now=Now()).filter(pk=coupon_id).first()
    )
    if coupon is None:
        raise NotFound(coupon=coupon_id)
    now: datetime = coupon.db_now
    _refuse_early(coupon, now)
    valid_from = max(now, coupon.use_from) if coupon.use_from else now
    issued = IssuedCoupon(
        **key.columns(),
        first_status=CREATED,
        coupon_no=new_number(now),
        coupon=coupon,
        pool_id=coupon.pool_id,
        claimed_at=now,
        valid_from=valid_from,
        expires_at=coupon.use_until or valid_from + timedelta(days=coupon.use_days or 0),
    )
    terms = {coupon.pool_id: Terms(coupon.pool.strategy, coupon.pool.per_user_limit)}

    def write() -> IssuedCoupon:
        insert(issued)
        claim = Claim(issued.coupon_no, key.user_id, [Take(coupon.pool_id, 1)])
        pools.take(claim, terms=terms)
        return issued

    try:
        with admitted(terms):
            return run(write)
    except No as no:
        raise refusal_of(no, coupon=coupon.pk) from no


def _refuse_early(coupon: Coupon, now: datetime) -> None:
    """Says no to what a plain read shows already. Only a yes needs the locks."""
    if now < coupon.starts_at:
        raise NotStarted(starts_at=coupon.starts_at.isoformat())
    if now >= coupon.ends_at or not coupon.pool.open:
        raise Ended(coupon=coupon.pk)
    if coupon.pool.available < 1:
        raise SoldOut(coupon=coupon.pk)


def _log(
    coupon: Coupon,
    operator: "User | None",
    said: str,
    *,
    flag: int = CHANGE,
    changes: Changes | None = None,
) -> None:
    if operator is not None:
        log(operator, [coupon], flag, said, changes=changes)
