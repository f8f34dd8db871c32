"""The demo's lottery: a period small enough to be bought whole, and one that others have all but
bought; each is drawn seconds after its last share, and followed by the next one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from goods.models import Sku
from lottery.draws.identity import LOCAL
from lottery.entries import EntryRequest, entry_place
from lottery.models import Period
from lottery.opening import PeriodPlan, period_open
from shop.accounts.models import User
from shop.api.idempotency import RequestKey
from shop.errors import InsufficientStock
from shop.pools.drain import drain
from shop.transactions import run
from shop.wallet.models import Currency, House, Transaction
from shop.wallet.services import credit

SHARE_PRICE = 10


@dataclass(frozen=True, slots=True)
class DemoPeriod:
    """`reference`: what the first one is opened under; those that follow it open by themselves.
    `sold`: who has how many of its shares already, by nickname."""

    reference: str
    prize_code: str
    shares: int
    sold: Mapping[str, int] = field(default_factory=dict)


WHOLE = DemoPeriod("demo-period", "WARE-GW-120", shares=10)
NEARLY_OVER = DemoPeriod(
    "demo-period-nearly-over",
    "TEA-PE-357",
    shares=30,
    sold={"阿青": 9, "老周": 7, "小鱼": 4, "十三": 3},
)


def seed_periods() -> list[str]:
    """Two periods that a newcomer can sell out and see drawn, each once: stopped or cancelled, or
    without a prize left, it is followed by none."""
    return [*_seed(WHOLE), *_seed(NEARLY_OVER)]


def _seed(demo: DemoPeriod) -> list[str]:
    sku = Sku.objects.filter(code=demo.prize_code).select_related("goods").first()
    if sku is None or Period.objects.filter(reference=demo.reference).exists():
        return []
    plan = PeriodPlan(
        prize_title=f"{sku.goods.title} {sku.spec}",
        prize_title_en=f"{sku.goods.title_en}, {sku.spec}",
        sku=sku,
        share_price=SHARE_PRICE,
        total_shares=demo.shares,
        auto_renew=True,
        # It needs no network; it is not independent, which every proof of it says.
        beacon=LOCAL,
    )
    try:
        period = period_open(plan, reference=demo.reference)
    except InsufficientStock:
        return []
    for number, (nickname, shares) in enumerate(demo.sold.items(), start=1):
        player, _ = User.objects.get_or_create(
            username=f"player-{number}", defaults={"nickname": nickname}
        )
        _enter(period, player, shares)
    # No worker runs yet.
    drain(period.queue_id)
    left = demo.shares - sum(demo.sold.values())
    return [f"lottery period {period.pk}: {left} of {demo.shares} shares left"]


def _enter(period: Period, user: User, shares: int) -> None:
    """Buys shares for a player, who is given just the points for them."""
    run(lambda: _give_points(user, shares * SHARE_PRICE, f"{period.reference}-{user.pk}"))
    key = RequestKey.of(
        user_id=user.pk, route="entries", key=period.reference, path="demo", body={"shares": shares}
    )
    entry_place(key=key, wanted=EntryRequest(period_id=period.pk, shares=shares))


def _give_points(user: User, amount: int, reference: str) -> None:
    if Transaction.objects.filter(reference=reference).exists():
        return
    credit(
        user_id=user.pk,
        currency=Currency.POINTS,
        amount=amount,
        house=House.GRANTS,
        reference=reference,
        kind="grant",
    )
