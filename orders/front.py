"""The door of flash sales: a POST to a sale's orders, before the framework (`shop.api.front`)."""

from collections.abc import Mapping

from orders import shield
from orders.placed import placed
from orders.sale_orders import SaleRequest, sale_order_place
from orders.serializers import MAX_COUNT, MAX_TOKEN
from shop.api.front import Asked, Door, Fields, is_count, is_id
from shop.api.placed import Placed


class SaleDoor(Door):
    prefix = "/api/v1/flash-sales/"
    suffix = "/orders"
    route = "sale-orders"

    def refused(self, asked: Asked) -> Mapping[str, bytes] | None:
        return shield.answer(asked.target, asked.user_id)

    def is_usual(self, fields: Fields) -> bool:
        return (
            fields.keys() <= {"count", "address", "token"}
            and is_count(fields.get("count"), most=MAX_COUNT)
            and ("address" not in fields or is_id(fields["address"]))
            and ("token" not in fields or _is_token(fields["token"]))
        )

    def place(self, asked: Asked, fields: Fields, *, client_address: str) -> Placed:
        answer = sale_order_place(
            key=asked.request_key(self.route, fields),
            wanted=SaleRequest(
                sale_id=asked.target,
                count=fields["count"],
                address_id=fields.get("address"),
                token=fields.get("token", ""),
                client_address=client_address,
            ),
        )
        return placed(answer)


def _is_token(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_TOKEN and value == value.strip()
