"""Process memory of sales that are sold out or over: the flood of losers costs neither Redis nor
the database.

A refusal stands when, and only when, this process was told less than a second ago that nothing is
left, and the shopper has never had an order of this sale: whoever has one may be repeating it, and
a winner's repeat is never refused. Who asks, and how it is answered, is for `orders.front`.
"""

import json
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.utils.translation import override

from orders.models import Order
from shop.api import problems
from shop.errors import Ended, Refusal, SoldOut

# Seconds that a refusal is remembered. A shopper repeats a lost request after one at least, so an
# order that was stored meanwhile elsewhere is known by then.
LIFE_SECONDS = 0.8
# An order's id is given before it is committed; none takes longer than this (seconds) in between.
COMMIT_SECONDS = 10.0
# Sales remembered at once.
MOST_SALES = 100


@dataclass(slots=True)
class _Holders:
    """The users who have orders of a sale; each look reads only what is new since the last ones."""

    users: set[int] = field(default_factory=set)
    # When an id was the highest seen.
    _looks: deque[tuple[float, int]] = field(default_factory=lambda: deque([(0.0, 0)]))

    def look(self, sale_id: int) -> None:
        now = time.monotonic()
        while len(self._looks) > 1 and self._looks[1][0] < now - COMMIT_SECONDS:
            self._looks.popleft()
        floor = self._looks[0][1]
        highest = self._looks[-1][1]
        new = Order.objects.filter(sale_id=sale_id, pk__gt=floor).order_by()
        for pk, user_id in new.values_list("pk", "user_id").iterator():
            self.users.add(user_id)
            highest = max(highest, pk)
        self._looks.append((now, highest))


@dataclass(frozen=True, slots=True)
class _Over:
    """Until when (monotonic) which answer stands, by language, and for whom it does not."""

    until: float
    bodies: Mapping[str, bytes]
    holders: set[int]


_over: dict[int, _Over] = {}
# Sale -> answers given since they were last asked for. Threads that count at once may miss one.
_told: Counter[int] = Counter()
_holders: dict[int, _Holders] = {}


def remember(sale_id: int, refusal: Refusal) -> None:
    """Notes what a gate, or the database, has just said of a sale, if that says it of everybody."""
    if not isinstance(refusal, SoldOut | Ended):
        return
    if sale_id not in _holders and len(_holders) >= MOST_SALES:
        forget()
    holders = _holders.setdefault(sale_id, _Holders())
    holders.look(sale_id)
    _over[sale_id] = _Over(time.monotonic() + LIFE_SECONDS, _bodies(refusal), holders.users)


def forget() -> None:
    """Remembers nothing."""
    _over.clear()
    _told.clear()
    _holders.clear()


def _bodies(refusal: Refusal) -> dict[str, bytes]:
    bodies = {}
    for language, _ in settings.LANGUAGES:
        with override(language):
            document = problems.body(refusal)
            bodies[language] = json.dumps(document, ensure_ascii=False).encode()
    return bodies


def answer(sale_id: int, user_id: int) -> Mapping[str, bytes] | None:
    """The refusal, by language, or None: somebody has to look."""
    over = _over.get(sale_id)
    if over is None or time.monotonic() > over.until or user_id in over.holders:
        return None
    _told[sale_id] += 1
    return over.bodies


def told(sale_id: int) -> int:
    """How many have been answered here since this was asked last: for the gate, which did not see
    them."""
    return _told.pop(sale_id, 0)
