"""Shoppers over HTTP, each with a log written before its next step, and storms of them.

A shopper behaves as the contract asks: one key for a purchase and the same key for every repeat. A
time-out and a broken connection are *unknown*, never a failure. Nothing here looks into the
database but `agreement`.
"""

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from rest_framework_simplejwt.tokens import AccessToken

from goods.sales.models import FlashSale
from shop.accounts.models import User
from tests.kit.clientlog import ClientLog
from tests.kit.offers import Scarce, offer_of

TIMEOUT_SECONDS = 60
# A server that was killed is back by then, and answers.
PATIENCE_SECONDS = 240
# No answer at all.
CUT = "cut"
NOTHING_KNOWN = {CUT, "unavailable", "request_in_progress"}
WORTH_A_REPEAT = NOTHING_KNOWN | {"busy", "rate_limited"}


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; `code` is "" for what was asked for, and `cut` where there was none."""

    status: int
    code: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def replayed(self) -> bool:
        return "idempotent-replayed" in self.headers


class Line:
    """One client's connection, kept open between its requests and opened anew after a break."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            headers = {"Content-Type": "application/json", **(headers or {})}
        try:
            self._connection.request(method, f"/api/v1{path}", content, dict(headers or {}))
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return Reply(0, CUT, {})
        told = {name.lower(): value for name, value in answer.getheaders()}
        if told.get("connection") == "close":
            self.close()
        try:
            said = json.loads(text)
        except ValueError:
            said = {}
        code = "" if answer.status < 300 else str(said.get("code", f"http {answer.status}"))
        return Reply(answer.status, code, said, told)

    def close(self) -> None:
        self._connection.close()


def access_of(user: User) -> str:
    """An access token that outlives the longest round."""
    token = AccessToken.for_user(user)
    token.set_exp(lifetime=timedelta(hours=4))
    return str(token)


class Client:
    """One device of one shopper at one web server of the shop."""

    def __init__(self, user: User, *, port: int, log: ClientLog) -> None:
        self.user = user
        self.log = log
        # Answers by what was asked and code.
        self.seen: Counter[tuple[Scarce, str]] = Counter()
        self._line = Line(port)
        self._access = access_of(user)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """One request of this shopper."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["Authorization"] = f"Bearer {self._access}"
        return self._line.ask(method, path, body, named)

    def order(self, scarce: Scarce, *, key: str, **wanted: Any) -> Reply:
        """Asks a sale for an order, or a period for an entry, once, and logs what it learns."""
        offer = offer_of(scarce)
        self.log.sends(self._logged(key))
        reply = self.ask(
            "POST",
            offer.address.format(scarce.pk),
            {offer.units: 1, **wanted},
            Idempotency_Key=key,
        )
        if not reply.code:
            self.log.learns_stored(self._logged(key), reply.body[offer.number])
        elif reply.code not in NOTHING_KNOWN:
            self.log.learns_refused(self._logged(key), reply.code)
        self.seen[scarce, reply.code] += 1
        return reply

    def buy(self, scarce: Scarce, *, key: str = "", **wanted: Any) -> Reply:
        """Asks until there is an answer, as often as it takes."""
        key = key or uuid4().hex
        until = time.monotonic() + PATIENCE_SECONDS
        while (reply := self.order(scarce, key=key, **wanted)).code in WORTH_A_REPEAT:
            if time.monotonic() > until:
                break
            wait = min(1.0, float(reply.headers.get("retry-after", "0.3")))
            time.sleep(wait * random.uniform(0.5, 1.0))  # as a client does
        return reply

    def _logged(self, key: str) -> str:
        """Keys are a shopper's own."""
        return f"{self.user.pk} {key}"

    def close(self) -> None:
        self._line.close()


def agreement(log: ClientLog, asked: Iterable[Scarce]) -> list[str]:
    """Where what the clients know and what is stored of all that they asked contradict each
    other."""
    stored: list[tuple[str, str]] = []
    for scarce in asked:
        offer = offer_of(scarce)
        rows = offer.stored(scarce).values_list("user_id", "idempotency_key", offer.number)
        stored += [(f"{user} {key}", number) for user, key, number in rows]
    return log.disagreements(stored)


def at_once(work: Sequence[Callable[[], Reply]], *, seconds: float = 240) -> list[Reply]:
    """All of them at one moment; their replies in the same order."""
    start = threading.Barrier(len(work))

    def run(one: Callable[[], Reply]) -> Reply:
        start.wait(seconds)
        return one()

    with ThreadPoolExecutor(len(work)) as threads:
        return [future.result(seconds) for future in [threads.submit(run, one) for one in work]]


class Storm:
    """Clients that go on buying, one purchase after the other, until they are told to stop."""

    def __init__(self, clients: Sequence[Client], sales: Sequence[FlashSale], *, seed: int) -> None:
        self._clients = clients
        self._sales = sales
        self._seed = seed
        self._over = threading.Event()
        self._bought: list[tuple[FlashSale, str, str]] = []

    @property
    def stored(self) -> int:
        """Orders that clients were told of."""
        return len(self._bought)

    def told(self, sale: FlashSale) -> Counter[str]:
        """What this sale has answered so far, by code."""
        codes: Counter[str] = Counter()
        for client in self._clients:
            for (scarce, code), count in list(client.seen.items()):
                if scarce == sale:
                    codes[code] += count
        return codes

    @contextmanager
    def raging(self, *, seconds: float = 300) -> Iterator[None]:
        """Inside, the clients buy; when it ends, each has had the answer it was waiting for."""
        with ThreadPoolExecutor(len(self._clients)) as threads:
            running: list[Future[None]] = [
                threads.submit(self._shop, number, client)
                for number, client in enumerate(self._clients)
            ]
            try:
                yield
            finally:
                self._over.set()
                # Also where the block has failed: it may have waited for a client that had.
                for one in running:
                    one.result(seconds)

    def _shop(self, number: int, client: Client) -> None:
        dice = random.Random(f"{self._seed} {number}")
        mine: list[tuple[FlashSale, str, str]] = []
        for turn in range(100_000):
            if self._over.wait(dice.uniform(0, 0.1)):
                break
            if mine and dice.random() < 0.2:
                # Some ask again for what they have: the answer is the same, whatever died since.
                sale, key, order_no = dice.choice(mine)
                again = client.buy(sale, key=key)
                assert (again.code, again.body.get("order_no")) == ("", order_no), again
                assert again.replayed
                continue
            sale, key = dice.choice(self._sales), f"{turn}"
            reply = client.buy(sale, key=key)
            if not reply.code:
                mine.append((sale, key, reply.body["order_no"]))
                self._bought.append(mine[-1])
