"""Finding a red packet from anywhere in the console."""

import re

from django.db.models import QuerySet

from lottery.packets.models import ID_PATTERN, Packet
from shop.backoffice.search import finder

PUBLIC_ID = re.compile(ID_PATTERN, re.ASCII)


@finder("packets.packet", PUBLIC_ID)
def by_public_id(term: str) -> QuerySet[Packet]:
    """A packet by the id that its link has."""
    return Packet.objects.filter(public_id=term)
