"""The rehearsal's shoppers against a server that does what shops do on a bad day.

The server is a real one, on a loopback port; what it answers is written down in each test.
"""

import asyncio
import json
import time
from collections import defaultdict
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from orders.rehearsal import clients
from orders.rehearsal.clients import Crowd, Server, Visit
from orders.rehearsal.figures import Seen
from orders.rehearsal.journal import Journal, StoredOrder

SALE = "/api/v1/flash-sales/3"
BUY, TOKEN = f"POST {SALE}/orders", f"POST {SALE}/token"
LOOK, CANCEL = "GET /api/v1/orders/1", "POST /api/v1/orders/1/cancel"


def answers(body, *, status=200, **headers):
    """What the server does: answers this."""

    async def answer(request):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(body, status=status, headers=named)

    return answer


def refuses(status, code, **headers):
    return answers({"code": code, "status": status}, status=status, **headers)


def order(status, *, http=200, failure=None, **headers):
    body = {"order_no": "1", "status": status, "failure": failure and {"code": failure}}
    return answers(body, status=http, **headers)


async def hangs_up(request):
    request.transport.abort()
    return web.Response()


async def never_answers(request):
    await asyncio.Event().wait()


async def answers_html(request):
    return web.Response(status=502, text="<h1>Bad Gateway</h1>", content_type="text/html")


class Script:
    """A server that deals with each kind of request as prepared, the last way again and again, and
    remembers what it was sent."""

    def __init__(self, prepared):
        self._prepared = prepared
        self.requests = defaultdict(list)
        self.at = defaultdict(list)

    async def deal_with(self, request):
        name = f"{request.method} {request.path}"
        key = request.headers.get("Idempotency-Key")
        self.at[name].append(time.monotonic())
        self.requests[name].append((key, await request.read()))
        ways = self._prepared[name]
        way = ways[min(len(self.requests[name]), len(ways)) - 1]
        return await way(request)

    def bodies(self, name):
        return [json.loads(body) for _, body in self.requests[name]]


@asynccontextmanager
async def serving(script):
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.deal_with)
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch):
    monkeypatch.setattr(clients, "PAUSE", 0.02)
    monkeypatch.setattr(clients, "LEAST_LOOKS", 1000.0)
    # But patient: however slow this machine is, it is the server's script that decides.
    monkeypatch.setattr(clients, "TIMEOUT", aiohttp.ClientTimeout(total=60))


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "clients.jsonl") as journal:
        yield journal


@pytest.fixture
def play(journal):
    """Lets shoppers come at `dues` to a server that does as `prepared`; what they saw, and the
    server."""

    def run(prepared, *, dues=(0.0,), deadline=60.0, cancel=False, seen=None, **options):
        script = Script(prepared)
        visits = [Visit(user=7, access="A", key=f"k{n}", due=due) for n, due in enumerate(dues)]

        async def playing():
            async with serving(script) as base, Server(base) as server:
                crowd = Crowd(
                    server,
                    journal,
                    seen,
                    sale_id=3,
                    rate=10.0,
                    began=time.monotonic(),
                    deadline=deadline,
                    **options,
                )
                await crowd.play(visits)
                if cancel:
                    await crowd.cancel(visits)
            assert crowd.waiting == 0

        seen = seen or Seen()
        asyncio.run(playing())
        return seen, script

    return run


def lines(journal):
    """What the journal holds, without keys: what became of each request."""
    return [
        {name: value for name, value in json.loads(line).items() if name not in ("key", "of")}
        for line in journal.path.read_text().splitlines()
    ]


def test_a_busy_shop_is_asked_again_with_the_same_key_and_body(play, journal):
    seen, script = play({BUY: [refuses(503, "busy"), order("unpaid", http=201)]})

    assert script.requests[BUY] == [("k0", b'{"count": 1}')] * 2
    [purchase] = seen.purchases
    assert (purchase.order_no, purchase.outcome) == ("1", "unpaid")
    assert [trouble.code for trouble in seen.troubles] == ["busy"]
    assert seen.unexpected == []
    stored = {"number": "1", "status": "unpaid", "failure": ""}
    assert lines(journal) == [{}, {"code": "busy"}, {}, stored]


@pytest.mark.parametrize(
    ("silence", "trouble"),
    [
        (hangs_up, "connection lost"),
        (never_answers, "timeout"),
        (answers_html, "http 502"),
        (refuses(503, "unavailable"), "unavailable"),
        (refuses(409, "request_in_progress"), "request_in_progress"),
    ],
)
def test_what_may_have_been_stored_is_unknown_until_a_repeat_tells(
    play, journal, monkeypatch, silence, trouble
):
    if silence is never_answers:
        monkeypatch.setattr(clients, "TIMEOUT", aiohttp.ClientTimeout(total=0.3))

    seen, script = play({BUY: [silence, order("unpaid", http=201)]})

    # The second is answered; where time is short that may still be too late, and then the next.
    sent = len(script.requests[BUY])
    assert sent == 2 or (silence is never_answers and sent > 2)
    assert [key for key, _ in script.requests[BUY]] == ["k0"] * sent
    assert [one.code for one in seen.troubles] == [trouble] * (sent - 1)
    assert seen.purchases[0].outcome == "unpaid"
    # Sent, nothing learned, sent again, learned: so a row under this key contradicts nothing.
    assert lines(journal)[:2] == [{}, {}]
    assert journal.disagreements([StoredOrder("k0", "1", "unpaid", "")]) == []


def test_a_shopper_comes_back_no_sooner_than_the_shop_says(play):
    _, script = play({BUY: [refuses(503, "busy", Retry_After="1"), order("unpaid", http=201)]})

    first, second = script.at[BUY]
    assert second - first >= 1.0


def test_sold_out_is_final(play, journal):
    seen, script = play({BUY: [refuses(409, "sold_out")]})

    assert len(script.requests[BUY]) == 1
    assert seen.purchases[0].told_sold_out
    assert (seen.troubles, seen.unexpected) == ([], [])
    assert lines(journal) == [{}, {"code": "sold_out"}]


def test_a_shop_that_stays_busy_is_given_up_at_the_deadline(play, monkeypatch):
    monkeypatch.setattr(clients, "LONGEST_PAUSE", 0.03)

    seen, _ = play({BUY: [refuses(503, "busy")]}, deadline=0.5)

    [purchase] = seen.purchases
    assert purchase.outcome == "gave up: busy"
    assert purchase.answered is None
    # It came back until its next pause, which may be half as long again, would end too late.
    assert seen.troubles[-1].at + 1.5 * clients.LONGEST_PAUSE > 0.5


def test_a_queued_order_is_looked_at_until_it_is_settled(play, journal):
    seen, script = play(
        {
            BUY: [order("pending", http=202, Retry_After="0")],
            LOOK: [order("pending"), hangs_up, order("pending"), order("unpaid")],
        }
    )

    assert len(script.requests[LOOK]) == 4
    [purchase] = seen.purchases
    assert purchase.status == "unpaid"
    assert 0 < purchase.answered < purchase.settled
    assert [line["status"] for line in lines(journal) if line] == [
        *("pending", "pending", "pending", "unpaid")
    ]


def test_a_queued_order_that_fails_says_why(play):
    seen, _ = play({BUY: [order("pending", http=202)], LOOK: [order("failed", failure="sold_out")]})

    [purchase] = seen.purchases
    assert purchase.outcome == "failed: sold_out"
    assert purchase.told_sold_out


def test_an_order_that_stays_pending_is_left_so_at_the_deadline(play):
    seen, _ = play({BUY: [order("pending", http=202)], LOOK: [order("pending")]}, deadline=0.5)

    assert seen.purchases[0].outcome == "pending"
    assert seen.purchases[0].settled is None


def test_a_stall_is_charged_to_everybody_whom_it_kept_waiting(play, monkeypatch):
    """All times count from the intended click, also of those who could not even send theirs."""
    monkeypatch.setattr(clients, "CONNECTIONS", 1)
    seen = Seen()

    async def slow(request):
        # They were due and began; it is the shop that is slow.
        while len(seen.late) < 3:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        return await refuses(409, "sold_out")(request)

    _, script = play({BUY: [slow, refuses(409, "sold_out")]}, dues=(0.0, 0.1, 0.2), seen=seen)

    waited = [one.answered - one.due for one in seen.purchases]
    assert waited[0] >= 0.5
    assert waited[1] >= 0.4
    assert waited[2] >= 0.3
    assert len(script.requests[BUY]) == 3


def test_shoppers_come_when_they_are_due_though_nobody_was_answered_yet(play):
    everybody_is_here = asyncio.Barrier(3)

    async def answers_all_at_once(request):
        await everybody_is_here.wait()
        return await refuses(409, "sold_out")(request)

    # A closed loop would never send the third.
    seen, _ = play({BUY: [answers_all_at_once]}, dues=(0.0, 0.1, 0.2))

    assert [one.outcome for one in seen.purchases] == ["sold_out"] * 3
    assert min(one.answered for one in seen.purchases) >= 0.2


def test_a_token_is_fetched_first_and_sent_along_with_each_repeat(play):
    seen, script = play(
        {
            TOKEN: [refuses(503, "busy"), answers({"token": "T", "expires_at": "soon"})],
            BUY: [hangs_up, order("unpaid", http=201)],
        },
        protected=True,
    )

    assert [key for key, _ in script.requests[TOKEN]] == [None, None]
    assert script.bodies(BUY) == [{"count": 1, "token": "T"}] * 2
    assert seen.purchases[0].outcome == "unpaid"


def test_a_token_made_on_this_side_is_of_the_shopper_and_not_asked_for(play):
    seen, script = play(
        {BUY: [order("unpaid", http=201)]},
        protected=True,
        token=lambda user: f"token of {user}",
    )

    assert script.bodies(BUY) == [{"count": 1, "token": "token of 7"}]
    assert list(script.requests) == [BUY]
    assert seen.unexpected == []


def test_who_is_refused_a_token_does_not_try_to_buy(play):
    seen, script = play({TOKEN: [refuses(409, "sold_out")]}, protected=True)

    assert seen.purchases[0].outcome == "sold_out"
    assert list(script.requests) == [TOKEN]


@pytest.mark.parametrize(
    "answer",
    [
        refuses(500, "error"),
        refuses(422, "idempotency_key_reused"),
        refuses(401, "authentication_failed"),
        refuses(404, "not_found"),
    ],
)
def test_an_answer_that_no_shop_may_give_is_told_and_not_repeated(play, answer):
    seen, script = play({BUY: [answer]})

    assert len(script.requests[BUY]) == 1
    assert len(seen.unexpected) == 1
    assert seen.unexpected[0].startswith("POST flash-sales/3/orders: ")


def test_an_error_of_the_shop_is_not_taken_for_a_refusal(play, journal):
    """Nobody knows what a 500 left behind."""
    play({BUY: [refuses(500, "error")]})

    assert lines(journal) == [{}]


def test_cancelling_gives_back_what_was_bought_and_nothing_else(play, journal, monkeypatch):
    monkeypatch.setattr(clients, "CONNECTIONS", 1)  # one after the other, as they came

    seen, script = play(
        {
            BUY: [order("unpaid", http=201), refuses(409, "sold_out")],
            CANCEL: [refuses(503, "busy"), order("cancelled")],
        },
        dues=(0.0, 0.0),
        cancel=True,
    )

    assert len(script.requests[CANCEL]) == 2
    assert [one.outcome for one in seen.purchases] == ["cancelled", "sold_out"]
    assert journal.disagreements([StoredOrder("k0", "1", "cancelled", "")]) == []
    assert journal.disagreements([StoredOrder("k0", "1", "unpaid", "")]) == [
        "k0: 1 went from cancelled to unpaid"
    ]
