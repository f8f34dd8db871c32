"""The lottery over HTTP: periods, entries, winners, proofs, and what nobody is told too early."""

import json
import logging
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from goods.models import GoodsImage
from lottery.closing import periods_sweep
from lottery.drawing import periods_draw
from lottery.models import Entry, Period
from lottery.numbers import leaf_of
from lottery.verify_draw import WRONG, parse, verify
from shop.accounts.models import User
from tests.factories import enter, make_goods, make_period, make_sku, make_user
from tests.kit.doors import Door
from tests.kit.offers import ENTRIES
from tests.kit.periods import (
    close,
    draw,
    let_pass,
    let_round_come,
    numbers_given,
    rich,
    sell_out,
    settle,
    stored,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_a_request")]

Login = Callable[[User], APIClient]

HOUR = timedelta(hours=1)
LOTTERY = "/api/v1/lottery"
PERIOD = {
    "id",
    "serial",
    "prize",
    "currency",
    "share_price",
    "total_shares",
    "sold_shares",
    "minimum_shares",
    "per_user_limit",
    "first_number",
    "ends_at",
    "status",
    "scheme",
    "commitment",
    "terms",
    "root",
    "closed_at",
    "beacon",
    "draw",
    "next_period",
    "server_time",
}
ENTRY = {
    "entry_no",
    "period",
    "status",
    "failure",
    "shares",
    "cost",
    "currency",
    "numbers",
    "receipt",
    "created_at",
}


@pytest.fixture(params=["front", "view"])
def door(request: pytest.FixtureRequest) -> Door:
    return Door(front=request.param == "front", offer=ENTRIES)


@pytest.fixture(params=["direct", "queued"])
def placement(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def get(client: APIClient, path: str, expected: int = 200, /, **query: Any) -> Any:
    answer = client.get(f"{LOTTERY}{path}", query)
    assert answer.status_code == expected, answer.content
    return answer.json()


def is_now(text: str) -> bool:
    return abs(datetime.fromisoformat(text) - timezone.now()) < timedelta(minutes=1)


# --- periods


def test_a_period_is_told_with_all_that_its_buyers_go_by(api: APIClient) -> None:
    coin = make_sku(stock=2)
    ends_at = timezone.now() + HOUR
    period = make_period(
        sku=coin, total_shares=9, per_user_limit=3, minimum_shares=2, ends_at=ends_at
    )
    enter(rich(), period, 2)
    settle(period)

    told = get(api, f"/periods/{period.pk}")

    assert set(told) == PERIOD
    assert is_now(told["server_time"])
    assert told["prize"] == {"title": "银币", "image": "", "sku": coin.pk}
    assert told["beacon"] == {"name": "local", "round": None, "due_at": None}
    assert datetime.fromisoformat(told["ends_at"]) == ends_at
    expected = {
        "id": period.pk,
        "serial": 1,
        "currency": "points",
        "share_price": 5,
        "total_shares": 9,
        "sold_shares": 2,
        "minimum_shares": 2,
        "per_user_limit": 3,
        "first_number": 1_000_002,
        "status": "open",
        "scheme": "commit-beacon",
        "commitment": period.commitment,
        "terms": period.terms,
        "root": "",
        "closed_at": None,
        "draw": None,
        "next_period": None,
    }
    assert {name: told[name] for name in expected} == expected


def test_a_prize_is_told_in_the_readers_language_with_its_own_picture_or_its_goods(
    api: APIClient,
) -> None:
    goods = make_goods()
    GoodsImage.objects.create(goods=goods, url="https://shop.example/coin.png")
    coin = make_sku(stock=2, goods=goods)
    of_goods = make_period(sku=coin, prize_title_en="Coin")
    own = make_period(sku=coin, prize_image="https://shop.example/own.png")

    answer = api.get(f"{LOTTERY}/periods/{of_goods.pk}", headers={"Accept-Language": "en"})

    prize = answer.json()["prize"]
    assert prize == {"title": "Coin", "image": "https://shop.example/coin.png", "sku": coin.pk}
    assert get(api, f"/periods/{own.pk}")["prize"]["image"] == "https://shop.example/own.png"


def test_what_decides_is_told_at_the_close_and_the_winner_at_the_draw(api: APIClient) -> None:
    period = make_period(total_shares=3, auto_renew=True)
    winner = rich()
    winner.nickname = "Han Meimei"
    winner.save(update_fields=["nickname"])
    sell_out(period, winner)
    path = f"/periods/{period.pk}"
    assert get(api, path)["status"] == "open"

    closed = close(period)
    told = get(api, path)
    assert (told["status"], told["root"], told["draw"]) == ("closed", closed.root, None)
    assert told["beacon"]["round"] == closed.beacon_round
    due_at = datetime.fromisoformat(told["beacon"]["due_at"])
    assert timedelta(seconds=5) <= due_at - closed.closed_at < timedelta(seconds=6)
    assert told["next_period"] == Period.objects.get(previous=period).pk

    let_round_come(period)
    periods_draw()
    told = get(api, path)
    drawn = Period.objects.get(pk=period.pk)
    assert told["status"] == "drawn"
    assert told["draw"] == {
        "number": drawn.number,
        "winner": "H***",
        "drawn_at": told["draw"]["drawn_at"],
        "scheme": "commit-beacon",
    }
    assert is_now(told["draw"]["drawn_at"])


def test_time_alone_closes_a_period(api: APIClient, door: Door) -> None:
    period = make_period(ends_at=timezone.now() + HOUR)
    let_pass(period, hours=2)

    assert get(api, f"/periods/{period.pk}")["status"] == "closed"
    assert door.post(rich(), period.pk, {"shares": 1}).refusal == (409, "ended")
    assert get(api, "/periods", status="open")["results"] == []
    assert [one["id"] for one in get(api, "/periods", status="closed")["results"]] == [period.pk]


def test_periods_are_listed_newest_first_by_the_state_that_holds_now(api: APIClient) -> None:
    one, drawn, cancelled, closed = (make_period(total_shares=2) for _ in range(4))
    sell_out(drawn)
    draw(drawn)
    sell_out(closed)
    close(closed)
    ended = make_period(ends_at=timezone.now() + HOUR)
    let_pass(ended, hours=2)
    Period.objects.filter(pk=cancelled.pk).update(status="cancelled", shares_sold=0)

    def ids(**query: object) -> list[int]:
        return [period["id"] for period in get(api, "/periods", **query)["results"]]

    assert ids() == [ended.pk, closed.pk, cancelled.pk, drawn.pk, one.pk]
    assert ids(status="open") == [one.pk]
    assert ids(status="closed") == [ended.pk, closed.pk]
    assert ids(status="drawn") == [drawn.pk]
    assert ids(status="cancelled") == [cancelled.pk]
    page = get(api, "/periods", page=2, page_size=2)
    assert (page["count"], [one["id"] for one in page["results"]]) == (5, [cancelled.pk, drawn.pk])
    assert set(page) == {"count", "next", "previous", "results", "server_time"}
    assert set(page["results"][0]) == PERIOD


@pytest.mark.parametrize("query", [{"status": "over"}, {"page": "0"}, {"page_size": "101"}])
def test_a_senseless_question_is_400(api: APIClient, query: dict[str, str]) -> None:
    assert get(api, "/periods", 400, **query)["code"] == "invalid"


@pytest.mark.parametrize("number", ["987654", "0", "9223372036854775808", "x", "-1"])
@pytest.mark.parametrize("path", ["", "/proof", "/entries/mine"])
def test_there_is_no_such_period(login: Login, shopper: User, number: str, path: str) -> None:
    assert get(login(shopper), f"/periods/{number}{path}", 404)["code"] == "not_found"


# --- entries


def test_what_was_bought_is_told_at_once_or_soon(
    door: Door, login: Login, shopper: User, placement: str
) -> None:
    period, user = make_period(placement=placement, first_number=1), rich(100)

    reply = door.post(user, period.pk, {"shares": 3, "allow_partial": False})

    entry = Entry.objects.get()
    if placement == "queued":
        assert (reply.status, reply.body) == (
            202,
            {"entry_no": entry.entry_no, "status": "pending"},
        )
        assert reply.headers["Location"] == f"{LOTTERY}/entries/{entry.entry_no}"
        assert reply.headers["Retry-After"] == "1"
        waiting = get(login(user), f"/entries/{entry.entry_no}")
        assert (waiting["status"], waiting["shares"], waiting["cost"]) == ("pending", 3, 0)
        assert (waiting["numbers"], waiting["receipt"]) == ([], "")
        settle(period)
    else:
        assert reply.status == 201
        assert reply.body == get(login(user), f"/entries/{entry.entry_no}")
        assert "Location" not in reply.headers
    told = get(login(user), f"/entries/{entry.entry_no}")
    assert set(told) == ENTRY
    assert is_now(told["created_at"])
    shares = stored(entry).shares
    receipt = leaf_of(entry.entry_no, shares.first, shares.count, entry.nonce).receipt
    expected = {
        "entry_no": entry.entry_no,
        "period": period.pk,
        "status": "confirmed",
        "failure": None,
        "shares": 3,
        "cost": 15,
        "currency": "points",
        "numbers": numbers_given(period),
        "receipt": receipt,
    }
    assert {name: told[name] for name in expected} == expected
    assert all(1 <= number <= 10 for number in told["numbers"])


def test_fewer_shares_are_told_as_they_are(door: Door, placement: str) -> None:
    period = make_period(total_shares=4, placement=placement)
    enter(rich(), period, 3)
    settle(period)
    user = rich()

    refused = door.post(user, period.pk, {"shares": 5})
    reply = door.post(user, period.pk, {"shares": 5, "allow_partial": True}, key="k")
    settle(period)
    told = door.post(user, period.pk, {"shares": 5, "allow_partial": True}, key="k")

    assert (refused.refusal, refused.body["available"]) == ((409, "insufficient_stock"), 1)
    assert reply.status == told.status
    assert (told.body["shares"], told.body["cost"], len(told.body["numbers"])) == (1, 5, 1)
    assert told.is_replay


def test_who_can_not_pay_is_told_what_is_missing(door: Door, login: Login, placement: str) -> None:
    period, user = make_period(placement=placement), rich(9)

    reply = door.post(user, period.pk, {"shares": 2})
    settle(period)

    if placement == "direct":
        assert reply.refusal == (409, "insufficient_balance")
        assert {"currency": "points", "balance": 9, "amount": 10}.items() <= reply.body.items()
        assert not Entry.objects.exists()
    else:
        told = get(login(user), f"/entries/{reply.body['entry_no']}")
        assert (told["status"], told["failure"]) == ("failed", {"code": "insufficient_balance"})
        assert (told["shares"], told["cost"], told["numbers"], told["receipt"]) == (2, 0, [], "")


def test_a_repeat_has_the_first_status_and_the_entry_as_it_is_now(
    door: Door, placement: str
) -> None:
    period = make_period(placement=placement, minimum_shares=9, ends_at=timezone.now() + HOUR)
    user = rich()
    statuses = []

    first = door.post(user, period.pk, {"shares": 2}, key="k")
    for step in (lambda: settle(period), lambda: let_pass(period, hours=2), periods_sweep):
        step()
        reply = door.post(user, period.pk, {"shares": 2}, key="k")
        assert (reply.status, reply.is_replay) == (first.status, True)
        assert reply.body["entry_no"] == first.body["entry_no"]
        assert set(reply.body) == ENTRY
        statuses.append(reply.body["status"])

    assert statuses == ["confirmed", "confirmed", "refunded"]
    assert Entry.objects.count() == 1


def test_a_key_with_another_body_is_refused_and_changes_nothing(door: Door, placement: str) -> None:
    period, other, user = make_period(placement=placement), make_period(), rich()
    first = door.post(user, period.pk, {"shares": 1}, key="k")

    replies = [
        door.post(user, period.pk, {"shares": 2}, key="k"),
        door.post(user, period.pk, {"shares": 1, "allow_partial": True}, key="k"),
        door.post(user, other.pk, {"shares": 1}, key="k"),
    ]

    assert {reply.refusal for reply in replies} == {(422, "idempotency_key_reused")}
    assert (
        door.post(user, period.pk, {"shares": 1}, key="k").body["entry_no"]
        == (first.body["entry_no"])
    )
    assert Entry.objects.count() == 1


def test_the_same_key_of_another_user_is_another_entry(door: Door) -> None:
    period = make_period()

    numbers = {
        door.post(user, period.pk, {"shares": 1}, key="k").body["entry_no"]
        for user in (rich(), rich())
    }

    assert len(numbers) == 2


def test_mine_are_mine_newest_first(login: Login) -> None:
    period, elsewhere, user = make_period(), make_period(), rich()
    entries = [enter(user, period, shares) for shares in (1, 2, 3)]
    enter(user, elsewhere)
    enter(rich(), period, 1)
    settle(period)
    client = login(user)

    page = get(client, f"/periods/{period.pk}/entries/mine", page_size=2)
    rest = client.get(page["next"]).json()

    assert set(page) == {"count", "next", "previous", "results", "server_time"}
    assert (page["count"], is_now(page["server_time"])) == (3, True)
    told = [*page["results"], *rest["results"]]
    assert [one["entry_no"] for one in told] == [entry.entry_no for entry in entries[::-1]]
    assert all(set(one) == ENTRY for one in told)
    assert [len(one["numbers"]) for one in told] == [3, 2, 1]


def test_entries_of_others_are_not_there(login: Login, api: APIClient, shopper: User) -> None:
    period = make_period()
    entry = enter(rich(), period)
    path = f"/entries/{entry.entry_no}"

    assert get(login(shopper), path, 404)["code"] == "not_found"
    assert get(login(shopper), f"/periods/{period.pk}/entries/mine")["results"] == []
    for closed in (path, f"/periods/{period.pk}/entries/mine"):
        assert get(api, closed, 401)["code"] == "not_authenticated"
    for unknown in ("1" * 24, "1" * 23, "x" * 24, "１" * 24):
        assert get(login(shopper), f"/entries/{unknown}", 404)["code"] == "not_found"


def test_a_disabled_user_gets_nothing(door: Door, placement: str) -> None:
    """The door trusts the short-lived token; the transaction that pays does not."""
    period, user = make_period(placement=placement), rich()
    User.objects.filter(pk=user.pk).update(is_active=False)

    reply = door.post(user, period.pk, {"shares": 1})
    settle(period)

    if placement == "direct":
        assert reply.refusal == (403, "permission_denied")
    else:
        assert Entry.objects.get().failure == "permission_denied"
    assert not Entry.objects.filter(status="confirmed").exists()


# --- winners and proofs


def test_winners_are_told_the_last_draw_first_and_not_by_name(api: APIClient) -> None:
    first, second = (make_period(total_shares=2, prize_title=title) for title in ("金币", "银币"))
    drawn = []
    for period in (second, first):
        sell_out(period, make_named("Li Lei"))
        drawn.append(draw(period))

    page = get(api, "/winners")

    assert set(page) == {"count", "next", "previous", "results", "server_time"}
    assert [one["period"] for one in page["results"]] == [first.pk, second.pk]
    assert set(page["results"][0]) == {
        "number",
        "winner",
        "drawn_at",
        "scheme",
        "period",
        "serial",
        "prize",
    }
    assert {one["winner"] for one in page["results"]} == {"L***"}
    assert "Li Lei" not in json.dumps(page)
    assert [one["number"] for one in page["results"]] == [drawn[1].number, drawn[0].number]
    assert get(api, "/winners", page=2, page_size=1)["results"][0]["period"] == second.pk


def make_named(name: str) -> User:
    user = rich()
    user.nickname = name
    user.save(update_fields=["nickname"])
    return user


def test_a_winner_without_a_nickname_is_told_by_one_letter(api: APIClient) -> None:
    period = make_period(total_shares=1)
    sell_out(period, rich())
    winner = draw(period).winner.user

    assert get(api, "/winners")["results"][0]["winner"] == f"{winner.username[0]}***"


def test_the_proof_is_there_after_the_draw_and_a_stranger_can_check_it(
    api: APIClient, login: Login
) -> None:
    period, user = make_period(total_shares=4), rich()
    entries = sell_out(period, user, rich())
    receipt = get(login(user), f"/entries/{entries[0].entry_no}")["receipt"]
    path = f"{LOTTERY}/periods/{period.pk}/proof"
    before = []
    for step in (lambda: None, periods_sweep, lambda: let_round_come(period)):
        step()
        before.append(api.get(path).status_code)
    published = get(api, f"/periods/{period.pk}")
    periods_draw()

    proofs = [api.get(path) for _ in range(2)]

    assert before == [404, 404, 404]
    assert proofs[0]["Content-Type"] == "application/json"
    assert proofs[0].content == proofs[1].content
    steps = verify(
        parse(proofs[0].content),
        commitment=published["commitment"],
        root=published["root"],
        round=published["beacon"]["round"],
    )
    assert [step.line() for step in steps if step.verdict == WRONG] == []
    leaves = {
        leaf_of(number, first, count, nonce).receipt
        for number, first, count, nonce in json.loads(proofs[0].content)["entries"]
    }
    assert receipt in leaves


# --- what is secret


def test_before_the_draw_no_answer_and_no_log_has_the_seed_or_a_nonce(
    api: APIClient, login: Login, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    period = make_period(total_shares=4, auto_renew=True, gated=False)
    user, other, stranger = rich(), rich(), make_user()
    heard = []

    def hear() -> None:
        for client in (api, login(user), login(stranger)):
            for path in (
                "/periods",
                f"/periods/{period.pk}",
                f"/periods/{period.pk}/proof",
                f"/periods/{period.pk}/entries/mine",
                "/winners",
                *(f"/entries/{entry.entry_no}" for entry in Entry.objects.all()),
            ):
                heard.append(client.get(f"{LOTTERY}{path}").content.decode())

    hear()
    for shares, buyer in ((1, user), (2, other), (1, stranger), (1, user)):
        reply = door.post(buyer, period.pk, {"shares": shares})
        heard.append(json.dumps([reply.body, dict(reply.headers)]))
        settle(period)
        hear()
    periods_sweep()
    hear()
    let_round_come(period)
    hear()

    entered = Entry.objects.filter(status="confirmed").values_list("nonce", flat=True)
    secrets = [Period.objects.get(pk=period.pk).seed, *entered]
    said = "\n".join([*heard, caplog.text, *(str(record.__dict__) for record in caplog.records)])
    for secret in secrets:
        raw = bytes.fromhex(secret)
        for form in (secret, b64encode(raw).decode().rstrip("="), str(raw), str(list(raw))):
            assert form not in said
    # What was looked for would have been found.
    periods_draw()
    hear()
    assert all(any(secret in text for text in heard) for secret in secrets)
