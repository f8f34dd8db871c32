"""Files of orders and of their lines. Orders are facts: they leave the shop so, and none comes in.

Names, streets and phones are whole for those who send parcels or pay money back, who have a
permission for it, and shortened for all others.
"""

from django.utils.translation import gettext_lazy as _
from import_export.resources import Resource

from orders.models import Order, OrderLine
from orders.sheet import STATE_LABELS
from shop.transfers.columns import fen, moment, named, phone, private, text, whole, yuan
from shop.transfers.sheets import Sheet


class OrderColumns(Resource):
    id = whole("pk", _("id"))
    order_no = text("order_no", _("order number"))
    user = text("user__username", _("user"))
    kind = text("get_kind_display", _("kind"))
    status = named("status_now", _("status"), STATE_LABELS)
    goods_fen = fen("goods_fen", _("goods"))
    freight_fen = fen("freight_fen", _("freight"))
    discount_fen = fen("discount_fen", _("discount"))
    total_fen = fen("total_fen", _("total"))
    total_yuan = yuan("total_fen", _("total"))
    refunded_fen = fen("refunded_fen", _("refunded"))
    refunded_yuan = yuan("refunded_fen", _("refunded"))
    created_at = moment("created_at", _("placed at"))
    paid_at = moment("paid_at", _("paid at"))
    shipping_method = text("shipping_method__name", _("shipping method"))
    name = private("address__name", _("name"))
    phone = phone("address__phone", _("phone"))
    region = text("address__region", _("region"))
    detail = private("address__detail", _("address"))
    courier = text("courier", _("courier"))
    tracking_no = text("tracking_no", _("tracking number"))
    remark = text("remark", _("remark"))
    failure = text("failure", _("failure"))


class LineColumns(Resource):
    order_no = text("order__order_no", _("order number"))
    placed_at = moment("order__created_at", _("placed at"))
    sku = text("sku__code", _("code"))
    goods = text("sku__goods__title", _("goods"))
    spec = text("sku__spec", _("spec"))
    price_fen = fen("price_fen", _("price"))
    price_yuan = yuan("price_fen", _("price"))
    count = whole("count", _("count"))
    given_back = whole("given_back", _("given back"))
    reference = text("reference", _("reference"))


ORDERS = Sheet(
    name="orders",
    title=Order._meta.verbose_name_plural or "",
    columns=OrderColumns,
    prefetch=("user", "shipping_method"),
)
LINES = Sheet(
    name="order-lines",
    title=_("order lines: the units that orders hold"),
    columns=LineColumns,
    prefetch=("order", "sku__goods"),
    children=OrderLine.objects.all,
    parent="order",
)
