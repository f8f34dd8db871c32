"""What the API's document says beyond its shapes: groups with a sentence each, and examples of
bodies that work as they stand in the demo's shop, with the status that they are answered with.

The examples are in an order in which they can be sent one after the other by the demo's shopper to
a shop that was just seeded; a test does that. Data only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# In the order in which somebody new needs them.
GROUPS: Mapping[str, str] = {
    "accounts": "Who somebody is and where parcels go: register or log in first, renew tokens.",
    "goods": "The shelves, for everybody: categories, goods, and their SKUs, which are bought.",
    "cart": "What somebody means to buy; it outlives a refused order and loses what was ordered.",
    "orders": "From a quote to a parcel: placed whole or not at all, paid in time or expired.",
    "payments": "The ways to pay that this shop offers, and the sandbox that plays one.",
    "coupons": "Claimed once, named in a quote or an order, free again when its order dies.",
    "flash-sales": "Few units for a short time: an order is taken at once or waits in a queue.",
    "lottery": "Numbered shares of a period, the draw, and the proof that anybody can repeat.",
    "red-packets": "Money in parts for friends: each takes one, what nobody takes goes back.",
    "wallet": "A shopper's money and points, and every movement of them.",
}


@dataclass(frozen=True, slots=True)
class Example:
    """`body` of the operation of this id in the document, answered with `status`."""

    operation: str
    name: str
    summary: str
    body: Mapping[str, Any]
    status: int = 200


ADDRESS = {
    "name": "林小满",
    "phone": "13800000000",
    "region": "浙江省杭州市西湖区",
    "detail": "龙井路 2 号",
}
TEA = {"sku": 1, "count": 1}

EXAMPLES = (
    Example(
        "auth_register_create",
        "shopper",
        "Somebody new",
        {"username": "newcomer", "password": "first-come-first-served"},
        201,
    ),
    Example(
        "auth_login_create",
        "demo",
        "The demo's shopper",
        {"username": "demo", "password": "buy-the-last-one"},
    ),
    Example("addresses_create", "second", "Another address", ADDRESS, 201),
    Example(
        "addresses_update",
        "moved",
        "The whole address anew",
        {**ADDRESS, "detail": "龙井路 3 号", "is_default": True},
    ),
    Example(
        "orders_quote_create",
        "items",
        "What it would cost",
        {"items": [TEA], "address": 1, "shipping_method": 1},
    ),
    Example(
        "orders_quote_create",
        "coupon",
        "... with a coupon (claim it first)",
        {"items": [TEA], "address": 1, "coupon": 1},
    ),
    Example(
        "orders_create",
        "items",
        "These items, with a coupon",
        {"items": [TEA], "address": 1, "shipping_method": 1, "coupon": 1, "remark": "谢谢"},
        201,
    ),
    Example("orders_pay_create", "sandbox", "Opens a payment", {"provider": "sandbox"}),
    Example(
        "orders_refunds_create",
        "whole",
        "All that is left of a paid order",
        {"reason": "It comes too late."},
        201,
    ),
    Example("cart_items_update", "two", "Two of them", {"count": 2}),
    Example(
        "orders_create",
        "cart",
        "All that is in the cart",
        {"from_cart": True, "address": 1},
        201,
    ),
    Example(
        "wallet_top_ups_create",
        "sandbox",
        "Opens a payment of ¥500",
        {"amount_fen": 50_000, "provider": "sandbox"},
    ),
    Example("orders_pay_create", "wallet", "Pays at once", {"provider": "wallet"}),
    Example(
        "orders_refunds_create",
        "part",
        "One unit of a paid order",
        {"items": [TEA], "reason": "One is broken."},
        201,
    ),
    Example(
        "orders_create",
        "refused",
        "More than there is: refused, and nothing is stored",
        {"items": [{"sku": 1, "count": 9_999}], "address": 1},
        409,
    ),
    Example("flash_sales_token_create", "plain", "Of a sale without a captcha", {}),
    Example("flash_sales_orders_create", "one", "One unit", {"count": 1}, 202),
    Example("orders_address_update", "later", "Where it goes", {"address": 1}),
    Example(
        "lottery_periods_entries_create",
        "three",
        "Three shares or none",
        {"shares": 3, "allow_partial": False},
        202,
    ),
    Example(
        "lottery_periods_entries_create",
        "rest",
        "Ten, or what is left",
        {"shares": 10, "allow_partial": True},
        202,
    ),
    Example(
        "red_packets_create",
        "three",
        "¥8.88 for three, by luck",
        {"total_fen": 888, "count": 3, "split": "random", "greeting": "恭喜发财"},
        201,
    ),
)

# What has a body and no example, because it holds something that only its sender can have.
WITHOUT = {"auth_refresh_create", "auth_wechat_create", "me_phone_create"}
