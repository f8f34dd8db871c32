"""What a newcomer may try in the demo right now: the two logins, which are public, and what there
is to buy, win, verify and open. Served only where the settings say that this shop is a demo."""

from typing import Any

from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from goods.models import Sku
from goods.sales.selectors import Status, sales_now
from lottery.models import Period
from lottery.packets.models import Packet
from lottery.selectors import is_now
from orders.coupons.selectors import Offer, coupons_offered
from shop.accounts.models import User
from shop.demo.people import OPERATOR, SHOPPER


@require_safe
def guide(request: HttpRequest) -> HttpResponse:
    """For the storefront's first page. What is not there is null."""
    return JsonResponse(guide_now(), headers={"Cache-Control": "no-store"})


def guide_now() -> dict[str, Any]:
    """Logins of users who are there, and ids of what can be tried."""
    there = set(
        User.objects.filter(username__in=[SHOPPER[0], OPERATOR[0]], is_active=True).values_list(
            "username", flat=True
        )
    )

    def login(name: str, password: str) -> dict[str, str] | None:
        return {"username": name, "password": password} if name in there else None

    goods = Sku.objects.filter(on_shelf=True, goods__on_shelf=True, pool__available__gt=0)
    return {
        "shopper": login(*SHOPPER),
        "operator": login(*OPERATOR),
        "goods": goods.order_by("pk").values_list("goods_id", flat=True).first(),
        "coupon": _coupon(),
        "sale": _sale(),
        **_periods(),
        "packet": _packet(),
    }


def _coupon() -> int | None:
    """The newest that can be claimed."""
    coupons = coupons_offered().filter(status_now=Offer.OPEN)  # type: ignore[misc]  # annotated
    return coupons.values_list("pk", flat=True).first()


def _sale() -> dict[str, Any] | None:
    """The one that opens next or, if none is to open, opened last."""
    alive = (Status.SCHEDULED, Status.RUNNING)
    sale: Any = sales_now().filter(status_now__in=alive).order_by("-starts_at", "-pk").first()  # type: ignore[misc]  # annotated
    if sale is None:
        return None
    return {"id": sale.pk, "starts_at": sale.starts_at, "server_time": sale.db_now}


def _periods() -> dict[str, int | None]:
    """The open one of which most can be bought, and the one that was drawn last."""
    periods = Period.objects.values_list("pk", flat=True)
    return {
        "period": periods.filter(is_now(Period.State.OPEN)).order_by("pool__taken", "pk").first(),
        "drawn": periods.filter(status=Period.State.DRAWN).order_by("-drawn_at").first(),
    }


def _packet() -> str | None:
    """The operator's, as long as a part is left."""
    packets = Packet.objects.filter(
        user__username=OPERATOR[0],
        pool__available__gt=0,
        ended_at=None,
        expires_at__gt=Now(),
    )
    return packets.order_by("-pk").values_list("public_id", flat=True).first()
