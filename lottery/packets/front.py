"""The door of red packets: a POST to a packet's grab, before the framework (`shop.api.front`)."""

import re

from lottery.packets.grabbed import grabbed
from lottery.packets.grabbing import packet_grab
from lottery.packets.models import ID_PATTERN
from shop.api.front import Asked, Door, Fields
from shop.api.placed import Placed

_ID = re.compile(ID_PATTERN, re.ASCII)


class GrabDoor(Door):
    prefix = "/api/v1/red-packets/"
    suffix = "/grab"
    route = "red-packet-grab"
    is_keyed = False
    has_body = False

    def target(self, text: str) -> str | None:
        return text if _ID.fullmatch(text) else None

    def is_usual(self, fields: Fields) -> bool:
        return not fields

    def place(self, asked: Asked, fields: Fields, *, client_address: str) -> Placed:
        public_id: str = asked.target
        grab = packet_grab(
            user_id=asked.user_id, public_id=public_id, client_address=client_address
        )
        return grabbed(grab, public_id=public_id)
