"""The shoppers of a rehearsal: they come when they are due, whether or not the shop keeps up.

An open loop: each visit has its moment, and all its times count from that moment, so a shop that
stalls is charged for everybody it kept waiting. A shopper behaves as the contract asks: one key for
a purchase, the same key for every repeat, after as long as the shop says, and a look at the order
from time to time until it is settled. Knows addresses and the contract; no Django, no database.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from orders.rehearsal.figures import Purchase, Seen, Trouble
from orders.rehearsal.journal import Journal

# Requests on their way at a time; further ones wait here, and their waiting counts.
CONNECTIONS = 200
# A request without an answer for so long (seconds) is given up: what became of it is unknown.
TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=3)
# Seconds between a shopper's repeats: what the shop says, or this, growing up to the longest.
PAUSE, GROWTH, LONGEST_PAUSE = 1.0, 1.5, 8.0
# Looks at pending orders per second, all shoppers together, as a share of the rate they come at.
LOOKS_SHARE, LEAST_LOOKS = 0.5, 20.0

TIMED_OUT, CONNECTION_LOST = "timeout", "connection lost"
# Nothing was stored, a repeat may succeed ...
REFUSED_FOR_NOW = frozenset({"busy", "rate_limited", "not_started"})
# ... and: what became of the request is known to no one yet.
NOTHING_KNOWN = frozenset(
    {"unavailable", "request_in_progress", TIMED_OUT, CONNECTION_LOST, "http 502", "http 504"}
)
REPEATED = REFUSED_FOR_NOW | NOTHING_KNOWN
# What the contract lets a sale and a cancellation answer besides.
REFUSALS = frozenset(
    {
        *("sold_out", "insufficient_stock", "purchase_limit", "ended", "paused"),
        *("token_required", "order_state"),
    }
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `code` is "" for what was asked for; `retry_after` is in seconds."""

    status: int
    code: str = ""
    body: Mapping[str, Any] | None = None
    retry_after: float = 0.0


class Server:
    """The shop at `base` (http://host:port) as its clients reach it."""

    def __init__(self, base: str) -> None:
        self._api = URL(base.rstrip("/") + "/api/v1/")
        self._slots = asyncio.Semaphore(CONNECTIONS)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=10),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=TIMEOUT,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        access: str = "",
        key: str = "",
        body: bytes | None = None,
        before: Callable[[], None] = lambda: None,
    ) -> Answer:
        """One request, as `access`'s user. `before` is called when its turn has come."""
        headers = {}
        if access:
            headers["Authorization"] = f"Bearer {access}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key:
            headers["Idempotency-Key"] = key
        async with self._slots:
            before()
            try:
                async with self._session.request(
                    method, self._api.join(URL(path)), data=body, headers=headers
                ) as response:
                    return _answer(response, await response.read())
            except TimeoutError:
                return Answer(0, TIMED_OUT)
            except (aiohttp.ClientError, OSError):
                return Answer(0, CONNECTION_LOST)


def _says_nothing_stored(answer: Answer) -> bool:
    refused = 400 <= answer.status < 500 and answer.code not in NOTHING_KNOWN
    return refused or answer.code in REFUSED_FOR_NOW


def _answer(response: aiohttp.ClientResponse, content: bytes) -> Answer:
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return Answer(response.status, f"http {response.status}")
    wait = response.headers.get("Retry-After", "")
    seconds = float(wait) if wait.isdecimal() else 0.0
    if response.status < 300:
        return Answer(response.status, body=body, retry_after=seconds)
    code = str(body.get("code") or f"http {response.status}")
    return Answer(response.status, code, body, seconds)


@dataclass(frozen=True, slots=True)
class Visit:
    """A shopper comes to buy one unit, `due` seconds after the start; `user` is an id."""

    user: int
    access: str
    key: str
    due: float


class Turns:
    """Lets callers through one at a time, at most `rate` a second."""

    def __init__(self, rate: float) -> None:
        self._gap = 1 / rate
        self._next = 0.0

    async def wait(self) -> None:
        now = time.monotonic()
        turn = max(now, self._next)
        self._next = turn + self._gap
        await asyncio.sleep(turn - now)


class Crowd:
    """Plays visits to one sale, and adds what it sees to `seen`.

    `rate`: visits a second. `began`: the moment that all times count from, by the monotonic clock.
    `deadline`: seconds after it when everybody goes home. `protected`: the sale wants a token.
    `token`: how a shopper (a user's id) comes by one without asking the server; None: by asking.
    """

    def __init__(
        self,
        server: Server,
        journal: Journal,
        seen: Seen,
        *,
        sale_id: int,
        rate: float,
        began: float,
        deadline: float,
        protected: bool = False,
        token: Callable[[int], str] | None = None,
    ) -> None:
        self.seen = seen
        # Shoppers that there are to send off, were sent off, and are done.
        self.total = self.sent = self.done = 0
        self._server = server
        self._journal = journal
        self._sale = f"flash-sales/{sale_id}"
        self._looks = Turns(max(LEAST_LOOKS, LOOKS_SHARE * rate))
        self._began = began
        self._deadline = deadline
        self._protected = protected
        self._token = token

    @property
    def waiting(self) -> int:
        """Shoppers on their way."""
        return self.sent - self.done

    async def play(self, visits: Sequence[Visit]) -> None:
        """Sends each visit off when it is due; returns when all are over."""
        self.total = len(visits)
        async with asyncio.TaskGroup() as shoppers:
            for visit in visits:
                await asyncio.sleep(max(0.0, visit.due - self._now()))
                self.seen.late.append(max(0.0, self._now() - visit.due))
                shoppers.create_task(self._counted(self._visit(visit)))

    async def cancel(self, visits: Iterable[Visit]) -> None:
        """Cancels every order that was stored and did not fail."""
        access = {visit.key: visit.access for visit in visits}
        stored = [one for one in self.seen.purchases if one.order_no and not one.failure]
        self.total = len(stored)
        async with asyncio.TaskGroup() as shoppers:
            for one in stored:
                shoppers.create_task(self._counted(self._cancel(one, access[one.key])))

    async def _counted(self, work: Coroutine[Any, Any, None]) -> None:
        self.sent += 1
        try:
            await work
        finally:
            self.done += 1

    async def _visit(self, visit: Visit) -> None:
        purchase = Purchase(visit.key, visit.due)
        self.seen.purchases.append(purchase)
        token = await self._token_of(visit, purchase) if self._protected else ""
        if not (purchase.refusal or purchase.gave_up):
            await self._buy(visit, purchase, token)
        if purchase.status == "pending":
            await self._watch(visit, purchase)

    async def _token_of(self, visit: Visit, purchase: Purchase) -> str:
        """A sale token; "" with the purchase refused, or given up, where there is none."""
        if self._token:
            return self._token(visit.user)
        answer = await self._persist("POST", f"{self._sale}/token", visit.access, body=b"{}")
        if answer.code:
            self._refused(purchase, answer)
            return ""
        return str((answer.body or {}).get("token", ""))

    async def _buy(self, visit: Visit, purchase: Purchase, token: str) -> None:
        body: dict[str, Any] = {"count": 1} | ({"token": token} if token else {})
        answer = await self._persist(
            "POST",
            f"{self._sale}/orders",
            visit.access,
            key=visit.key,
            body=json.dumps(body).encode(),
        )
        if answer.code:
            self._refused(purchase, answer)
            return
        self._learn(purchase, answer.body or {})
        purchase.answered = self._now()
        if purchase.status != "pending":
            purchase.settled = purchase.answered

    def _refused(self, purchase: Purchase, answer: Answer) -> None:
        if answer.code in REPEATED:
            purchase.gave_up = answer.code
        else:
            purchase.refusal = answer.code
            purchase.answered = self._now()

    async def _watch(self, visit: Visit, purchase: Purchase) -> None:
        """Looks at the order from time to time until it is settled or the deadline is there."""
        pause = PAUSE
        while purchase.status == "pending" and await self._rest(pause):
            await self._looks.wait()
            answer = await self._server.ask(
                "GET", f"orders/{purchase.order_no}", access=visit.access
            )
            pause = min(max(answer.retry_after, pause * GROWTH), LONGEST_PAUSE)
            if answer.code:
                self._trouble(answer, "GET order")
                continue
            self._learn(purchase, answer.body or {}, asked=True)
            purchase.settled = self._now() if purchase.status != "pending" else None

    async def _cancel(self, purchase: Purchase, access: str) -> None:
        answer = await self._persist("POST", f"orders/{purchase.order_no}/cancel", access)
        if not answer.code:
            self._learn(purchase, answer.body or {}, asked=True)

    def _learn(self, purchase: Purchase, body: Mapping[str, Any], *, asked: bool = False) -> None:
        """Writes down what the shop said of the purchase's order, then believes it."""
        number, status = str(body.get("order_no", "")), str(body.get("status", ""))
        failure = str((body.get("failure") or {}).get("code", ""))
        learns = self._journal.learns_status if asked else self._journal.learns_stored
        learns(purchase.key, number=number, status=status, failure=failure)
        purchase.order_no = purchase.order_no or number
        purchase.status, purchase.failure = status, failure

    async def _persist(
        self, method: str, path: str, access: str, *, key: str = "", body: bytes | None = None
    ) -> Answer:
        """Asks again and again, with the same key and body, until there is a final answer or the
        deadline: then the last answer."""
        pause = PAUSE
        while True:
            answer = await self._server.ask(
                method,
                path,
                access=access,
                key=key,
                body=body,
                before=lambda: self._journal.sends(key) if key else None,
            )
            if not answer.code:
                return answer
            if key and _says_nothing_stored(answer):
                self._journal.learns_refused(key, code=answer.code)
            self._trouble(answer, f"{method} {path}")
            if answer.code not in REPEATED:
                return answer
            if not await self._rest(max(answer.retry_after, pause)):
                return answer
            pause = min(pause * GROWTH, LONGEST_PAUSE)

    def _trouble(self, answer: Answer, request: str) -> None:
        known = answer.code in REPEATED
        if not known and answer.code not in REFUSALS:
            self.seen.unexpected.append(f"{request}: {answer.status} {answer.code}")
            known = True
        if known:
            self.seen.troubles.append(Trouble(self._now(), answer.code))

    async def _rest(self, seconds: float) -> bool:
        """Sleeps for so long and up to half as much again, so that those who were turned away
        together don't come back together. False, at once, where that is past the deadline."""
        seconds *= random.uniform(1.0, 1.5)  # noqa: S311
        if self._now() + seconds > self._deadline:
            return False
        await asyncio.sleep(seconds)
        return True

    def _now(self) -> float:
        return time.monotonic() - self._began
