"""The door of periods: a POST to a period's entries, before the framework (`shop.api.front`)."""

from lottery.entered import entered
from lottery.entries import EntryRequest, entry_place
from lottery.serializers import MAX_SHARES
from shop.api.front import Asked, Door, Fields, is_count
from shop.api.placed import Placed


class EntryDoor(Door):
    prefix = "/api/v1/lottery/periods/"
    suffix = "/entries"
    route = "entries"

    def is_usual(self, fields: Fields) -> bool:
        return (
            fields.keys() <= {"shares", "allow_partial"}
            and is_count(fields.get("shares"), most=MAX_SHARES)
            and type(fields.get("allow_partial", False)) is bool
        )

    def place(self, asked: Asked, fields: Fields, *, client_address: str) -> Placed:
        answer = entry_place(
            key=asked.request_key(self.route, fields),
            wanted=EntryRequest(
                period_id=asked.target,
                shares=fields["shares"],
                allow_partial=fields.get("allow_partial", False),
                client_address=client_address,
            ),
        )
        return entered(answer)
