"""Red packets over HTTP: what is answered, to whom, and what is never carried out twice."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from lottery.packets.models import Grab, Packet
from lottery.packets.services import packets_sweep
from lottery.packets.shown import NEWEST
from lottery.packets.split import How
from shop.accounts.models import User
from shop.pools.audit import audit
from shop.pools.models import Placement
from tests.factories import make_user
from tests.kit.packets import amounts, expire, got, grab, make_packet, settle
from tests.kit.wallets import balance, fund

pytestmark = pytest.mark.django_db

MONEY = 100_000
BODY: dict[str, Any] = {"total_fen": 1_000, "count": 5, "split": "random"}


@pytest.fixture
def sender(db: None) -> User:
    user = make_user("sender", nickname="阿明")
    fund(user, MONEY)
    return user


def send(client: APIClient, body: Any = None, *, key: str | None = None, **changes: Any) -> Any:
    headers = {"Idempotency-Key": uuid4().hex if key is None else key}
    return client.post("/api/v1/red-packets", body or {**BODY, **changes}, headers=headers)


def take(client: APIClient, packet: Packet | str, body: Any = None) -> Any:
    public_id = packet if isinstance(packet, str) else packet.public_id
    return client.post(f"/api/v1/red-packets/{public_id}/grab", body)


def look(client: APIClient, packet: Packet | str) -> Any:
    public_id = packet if isinstance(packet, str) else packet.public_id
    return client.get(f"/api/v1/red-packets/{public_id}")


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


# --- sending


def test_a_packet_is_answered_as_it_is_seen(login, sender: User) -> None:
    answer = send(login(sender), greeting="恭喜 <b>发财</b> 🧧")

    assert answer.status_code == 201
    packet = Packet.objects.get()
    seen = answer.json()
    assert seen.pop("server_time")
    sent_at, until = (datetime.fromisoformat(seen.pop(at)) for at in ("created_at", "expires_at"))
    assert (until - sent_at).total_seconds() == 24 * 3600
    assert seen == {
        "id": packet.public_id,
        "greeting": "恭喜 <b>发财</b> 🧧",
        "sender": {"nickname": "阿明"},
        "total_fen": 1_000,
        "count": 5,
        "split": "random",
        "grabbed_count": 0,
        "grabbed_fen": 0,
        "status": "open",
        "mine": None,
        "grabs": [],
    }
    assert balance(sender) == MONEY - 1_000


def test_without_a_greeting_it_is_the_shops_in_the_readers_language(login, sender: User) -> None:
    for body in (BODY, {**BODY, "greeting": ""}, {**BODY, "greeting": "  "}):
        answer = send(login(sender), body)
        assert answer.status_code == 201
        assert answer.json()["greeting"]
    assert set(Packet.objects.values_list("greeting", flat=True)) == {""}
    with translation.override("en"):
        client = login(sender)
        seen = client.get(
            f"/api/v1/red-packets/{Packet.objects.all()[0].public_id}",
            headers={"Accept-Language": "en"},
        )
    assert seen.json()["greeting"] == "Best wishes, and good luck!"


INTEGERS_THAT_ARE_NONE = [0, -1, 2**63, 2**64, 10**400, 1.5, 1.0, "1", True, None, [], {}]


@pytest.mark.parametrize("field", ["total_fen", "count"])
@pytest.mark.parametrize("value", INTEGERS_THAT_ARE_NONE, ids=lambda value: str(value)[:25])
def test_a_number_that_is_none_is_refused_with_its_field(
    login, sender: User, field: str, value: Any
) -> None:
    answer = send(login(sender), **{field: value})

    assert code(answer) == (400, "invalid")
    assert {error["field"] for error in answer.json()["errors"]} == {field}
    assert not Packet.objects.exists()
    assert balance(sender) == MONEY


@pytest.mark.parametrize(
    "text",
    [
        *(f'"total_fen": {no}' for no in ("1e400", "NaN", "Infinity", "-Infinity", "0x10", "01")),
        '"total_fen": 5, "greeting": "\\ud800"',
        '"total_fen": 5, "total_fen": 6',
    ],
)
def test_what_is_no_strict_json_is_refused(login, sender: User, text: str) -> None:
    answer = login(sender).generic(
        "POST",
        "/api/v1/red-packets",
        f'{{"count": 1, "split": "random", {text}}}',
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )

    assert code(answer) == (400, "invalid")
    assert not Packet.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"total_fen": 4, "count": 5}, "total_fen"),
        ({"total_fen": 10**12}, "total_fen"),
        ({"count": 501}, "count"),
        ({"split": "fair"}, "split"),
        ({"split": None}, "split"),
        ({"split": ["random"]}, "split"),
        ({"greeting": "x" * 61}, "greeting"),
        ({"greeting": None}, "greeting"),
        ({"greeting": 5}, "greeting"),
        ({"greeting": "a\x00b"}, "greeting"),
    ],
    ids=str,
)
def test_whatever_else_is_wrong_is_refused_with_its_field(
    login, sender: User, changes: dict[str, Any], field: str
) -> None:
    answer = send(login(sender), **changes)

    assert code(answer) == (400, "invalid")
    assert {error["field"] for error in answer.json()["errors"]} <= {field, ""}
    assert not Packet.objects.exists()


@pytest.mark.parametrize("field", ["total_fen", "count", "split"])
def test_what_is_missing_is_named(login, sender: User, field: str) -> None:
    body = {name: value for name, value in BODY.items() if name != field}

    answer = send(login(sender), body)

    assert code(answer) == (400, "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(("total_fen", "count"), [(5, 5), (1, 1), (500, 500), (MONEY, 1)])
def test_the_tightest_packets_are_accepted(login, sender: User, total_fen: int, count: int) -> None:
    assert send(login(sender), total_fen=total_fen, count=count).status_code == 201
    assert balance(sender) == MONEY - total_fen


def test_fields_that_are_not_the_senders_to_say_are_ignored(login, sender: User) -> None:
    answer = send(
        login(sender),
        seed="00" * 32,
        user=1,
        status="finished",
        public_id="A" * 22,
        placement="queued",
        refunded_fen=5,
        amounts=[1, 1, 1, 1, 996],
    )

    assert answer.status_code == 201
    packet = Packet.objects.get()
    assert (packet.user_id, packet.refunded_fen, packet.placement) == (sender.pk, 0, "direct")
    assert packet.seed != "00" * 32
    assert packet.public_id != "A" * 22


def test_too_little_in_the_wallet_is_said_with_figures(login, sender: User) -> None:
    answer = send(login(sender), total_fen=MONEY + 1)

    assert code(answer) == (409, "insufficient_balance")
    said = {name: answer.json()[name] for name in ("currency", "balance", "amount")}
    assert said == {"currency": "cny", "balance": MONEY, "amount": MONEY + 1}
    assert not Packet.objects.exists()


# --- one key, one packet


def test_a_lost_answer_repeated_is_the_same_packet_as_it_is_now(login, sender: User) -> None:
    first = send(login(sender), key="k")
    grab(Packet.objects.get())

    again = send(login(sender), key="k")

    assert (first.status_code, again.status_code) == (201, 201)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["grabbed_count"] == 1
    assert Packet.objects.count() == 1
    assert balance(sender) == MONEY - 1_000


def test_the_same_key_with_another_body_is_refused(login, sender: User) -> None:
    send(login(sender), key="k")

    assert code(send(login(sender), key="k", total_fen=999)) == (422, "idempotency_key_reused")
    assert Packet.objects.count() == 1


def test_keys_of_two_users_are_two(login, sender: User) -> None:
    other = make_user()
    fund(other, 1_000)

    ids = {send(login(user), key="k").json()["id"] for user in (sender, other)}

    assert len(ids) == 2


@pytest.mark.parametrize(
    ("key", "refusal"),
    [
        (None, "idempotency_key_required"),
        ("", "invalid"),
        ("x" * 256, "invalid"),
        ("x" * 10**6, "invalid"),
        ("a\tb", "invalid"),
        ("a\x7f", "invalid"),
        ("钥匙", "invalid"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_key_that_is_none_sends_nothing(
    login, sender: User, key: str | None, refusal: str
) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}

    answer = login(sender).post("/api/v1/red-packets", BODY, headers=headers)

    assert code(answer) == (400, refusal)
    assert not Packet.objects.exists()
    assert send(login(sender), key="x" * 255).status_code == 201


# --- grabbing


def test_a_grab_is_answered_with_its_amount(login, shopper: User) -> None:
    packet = make_packet()

    answer = take(login(shopper), packet)

    assert answer.status_code == 200
    assert answer.json() == {"amount_fen": got(packet, shopper)}
    assert balance(shopper) == got(packet, shopper)


def test_a_queued_grab_is_pending_until_it_is_settled(
    login, shopper: User, settings: Settings
) -> None:
    settings.RED_PACKET_PLACEMENT = "queued"
    packet, client = make_packet(), login(shopper)

    for answer in (take(client, packet), take(client, packet)):
        assert answer.status_code == 202
        assert answer.json() == {"status": "pending"}
        assert answer.headers["Location"] == f"/api/v1/red-packets/{packet.public_id}"
        assert answer.headers["Retry-After"] == "1"
    assert look(client, packet).json()["mine"] == {
        "status": "pending",
        "amount_fen": None,
        "failure": None,
    }
    settle(packet)

    assert look(client, packet).json()["mine"] == {
        "status": "confirmed",
        "amount_fen": got(packet, shopper),
        "failure": None,
    }
    again = take(client, packet)
    assert code(again) == (409, "already_grabbed")
    assert again.json()["amount_fen"] == got(packet, shopper)


def test_whoever_comes_too_late_is_told_why(login, shopper: User, settings: Settings) -> None:
    settings.RED_PACKET_PLACEMENT = "queued"
    packet = make_packet(slots=1)
    for user in (make_user(), shopper):
        grab(packet, user)
    settle(packet)

    assert code(take(login(shopper), packet)) == (409, "sold_out")
    assert look(login(shopper), packet).json()["mine"] == {
        "status": "failed",
        "amount_fen": None,
        "failure": {"code": "sold_out"},
    }


def test_the_ways_in_which_a_packet_is_over(login, shopper: User, placement: Placement) -> None:
    empty, late = make_packet(slots=1), make_packet(slots=2)
    grab(empty)
    settle(empty)
    expire(late)

    assert code(take(login(shopper), empty)) == (409, "sold_out")
    assert code(take(login(shopper), late)) == (409, "ended")
    packets_sweep()
    assert code(take(login(shopper), late)) == (409, "ended")
    assert not Grab.objects.filter(user=shopper).exists()


@pytest.mark.parametrize(
    "guess", ["A" * 22, "1", "mine", "A" * 21, "A" * 23, "A" * 21 + "%", "..", "A" * 21 + "é"]
)
def test_a_guessed_id_is_not_found(login, shopper: User, guess: str) -> None:
    make_packet()

    assert code(take(login(shopper), guess))[0] in (404, 405)
    if guess != "mine":
        assert code(look(login(shopper), guess)) == (404, "not_found")
    assert not Grab.objects.exists()


def test_the_row_s_id_is_no_way_in(login, shopper: User) -> None:
    packet = make_packet()

    assert code(look(login(shopper), str(packet.pk).rjust(22, "0"))) == (404, "not_found")
    assert look(login(shopper), packet).json()["id"] == packet.public_id


def test_nobody_grabs_without_a_token(api: APIClient, login, shopper: User) -> None:
    packet = make_packet()

    for answer in (take(api, packet), look(api, packet), api.get("/api/v1/red-packets/mine")):
        assert code(answer) == (401, "not_authenticated")
    User.objects.filter(pk=shopper.pk).update(is_active=False)
    assert code(take(login(shopper), packet)) == (403, "permission_denied")
    assert code(look(login(shopper), packet)) == (401, "authentication_failed")


def test_the_token_says_who_grabs_and_nothing_else_does(login, shopper: User) -> None:
    packet, other = make_packet(), make_user()
    body = {"user": other.pk, "user_id": other.pk, "amount_fen": 1_000, "place": 9}

    first = take(login(shopper), packet, body)
    second = take(login(other), packet)

    assert first.json() == {"amount_fen": got(packet, shopper)}
    assert second.json() == {"amount_fen": got(packet, other)}
    # Another token of the same user is the same user.
    assert take(login(shopper), packet).json()["amount_fen"] == got(packet, shopper)
    assert audit().broken == {}


def test_the_sender_may_grab_and_sees_no_more_than_others(login, sender: User) -> None:
    packet = make_packet(sender, total_fen=900, slots=3)

    seen = look(login(sender), packet)
    grabbed = take(login(sender), packet).json()["amount_fen"]

    assert packet.seed not in seen.content.decode()
    assert "seed" not in seen.json()
    assert grabbed == got(packet, sender)


# --- looking


def test_a_packet_shows_who_got_how_much_and_the_best_once_it_is_finished(
    login, shopper: User
) -> None:
    packet = make_packet(total_fen=1_000, slots=3, greeting="hi")
    others = [make_user(nickname=name) for name in ("b", "c")]
    take(login(shopper), packet)
    take(login(others[0]), packet)

    seen = look(login(shopper), packet).json()
    assert (seen["status"], seen["grabbed_count"]) == ("open", 2)
    assert seen["grabbed_fen"] == sum(amounts(packet))
    assert [one["is_best"] for one in seen["grabs"]] == [False, False]

    take(login(others[1]), packet)
    seen = look(login(others[1]), packet).json()

    assert (seen["status"], seen["grabbed_count"], seen["grabbed_fen"]) == ("finished", 3, 1_000)
    assert [one["nickname"] for one in seen["grabs"]] == ["", "b", "c"]
    assert [one["amount_fen"] for one in seen["grabs"]] == amounts(packet)
    best = max(amounts(packet))
    assert [one["is_best"] for one in seen["grabs"]] == [one == best for one in amounts(packet)]
    assert seen["mine"]["amount_fen"] == amounts(packet)[2]
    # Names people chose, never those they log in with.
    assert shopper.username not in str(seen)


def test_of_equal_grabs_the_first_is_the_best(login, shopper: User) -> None:
    packet = make_packet(total_fen=9, slots=3, how=How.EQUAL)
    for _ in range(3):
        grab(packet)

    grabs = look(login(shopper), packet).json()["grabs"]

    assert [one["is_best"] for one in grabs] == [True, False, False]


def test_an_expired_packet_has_its_best_once_nothing_more_can_be_grabbed(
    login, shopper: User, settings: Settings
) -> None:
    settings.RED_PACKET_PLACEMENT = "queued"
    packet = make_packet(slots=3)
    grab(packet)
    settle(packet)
    grab(packet)  # waits
    expire(packet)

    seen = look(login(shopper), packet).json()
    assert (seen["status"], [one["is_best"] for one in seen["grabs"]]) == ("expired", [False])
    packets_sweep()

    seen = look(login(shopper), packet).json()
    assert (seen["status"], seen["grabbed_count"]) == ("expired", 2)
    assert sorted(one["is_best"] for one in seen["grabs"]) == [False, True]


def test_a_packet_costs_two_queries_whoever_grabbed(login, shopper: User) -> None:
    def queries(slots: int) -> int:
        packet = make_packet(slots=slots)
        for _ in range(slots):
            grab(packet)
        client = login(shopper)
        with CaptureQueriesContext(connection) as captured:
            assert len(look(client, packet).json()["grabs"]) == slots
        return len(captured)

    # With the one that asks who looks.
    assert queries(1) == queries(9) == 3


def test_mine_are_counted_and_summed_and_the_newest_are_shown(
    login, sender: User, settings: Settings
) -> None:
    sent = [make_packet(sender, total_fen=100, slots=1, greeting=str(n)) for n in range(NEWEST + 2)]
    other = make_packet(make_user(nickname="他"), total_fen=300, slots=2, greeting="他的")
    grab(sent[0])
    expire(sent[1])
    packets_sweep()
    grab(sent[2], sender)
    grab(other, sender)

    mine = login(sender).get("/api/v1/red-packets/mine").json()

    assert mine["server_time"]
    assert (mine["sent"]["count"], mine["sent"]["sum_fen"]) == (NEWEST + 2, (NEWEST + 2) * 100)
    results = mine["sent"]["results"]
    assert [one["greeting"] for one in results] == [str(n) for n in range(NEWEST + 1, 1, -1)]
    assert results[-1] == {
        "id": sent[2].public_id,
        "greeting": "2",
        "total_fen": 100,
        "count": 1,
        "grabbed_count": 1,
        "refunded_fen": 0,
        "status": "finished",
        "created_at": results[-1]["created_at"],
        "expires_at": results[-1]["expires_at"],
    }
    received = mine["received"]
    assert (received["count"], received["sum_fen"]) == (2, 100 + got(other, sender))
    assert received["results"][0] == {
        "id": other.public_id,
        "greeting": "他的",
        "sender": {"nickname": "他"},
        "amount_fen": got(other, sender),
        "at": received["results"][0]["at"],
    }


def test_whoever_has_none_has_none(login, shopper: User) -> None:
    mine = login(shopper).get("/api/v1/red-packets/mine").json()

    nothing = {"count": 0, "sum_fen": 0, "results": []}
    assert (mine["sent"], mine["received"]) == (nothing, nothing)


def test_mine_costs_the_same_for_any_number(login, sender: User) -> None:
    def queries() -> int:
        client = login(sender)
        with CaptureQueriesContext(connection) as captured:
            client.get("/api/v1/red-packets/mine")
        return len(captured)

    one = make_packet(sender)
    grab(one, sender)
    few = queries()
    for _ in range(5):
        grab(make_packet(sender), sender)

    # Two and two, and who asks.
    assert few == queries() == 5
