"""Tokens and pictures of protected sales, from the first request for one to the order."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from unittest.mock import patch

import pytest

from goods.sales.captcha import captcha_of
from goods.sales.models import FlashSale, Protection
from goods.sales.services import sale_pause, sale_resume
from goods.sales.tokens import sale_token_issue
from orders.models import Order
from shop.accounts.models import User
from shop.pools.models import Placement, PoolMovement
from tests.factories import make_sale, make_user
from tests.kit.barrier import race
from tests.kit.doors import Door
from tests.kit.units import counters
from tests.orders.settling import settle

pytestmark = [pytest.mark.django_db(transaction=True)]

STOCK = 10
ANSWER = "ACDEF"


# --- tokens


@pytest.fixture
def guarded(placement: Placement) -> FlashSale:
    return make_sale(
        total=STOCK, placement=placement, protection=Protection.TOKEN, per_user_limit=None
    )


def token_for(user: User, sale: FlashSale) -> str:
    return sale_token_issue(user_id=user.pk, sale_id=sale.pk).token


@contextmanager
def later(seconds: float) -> Iterator[None]:
    """This process's clock is ahead, as far as tokens can tell."""
    moment = time.time() + seconds
    with patch("time.time", lambda: moment):
        yield


def test_a_token_is_good_for_one_order(door: Door, guarded: FlashSale, shopper: User) -> None:
    token = token_for(shopper, guarded)

    first = door.post(shopper, guarded.pk, {"count": 1, "token": token}, key="one")
    second = door.post(shopper, guarded.pk, {"count": 1, "token": token}, key="two")

    assert first.status in (201, 202)
    assert second.refusal == (403, "token_required")
    settle(guarded)
    assert Order.objects.count() == 1
    assert counters(guarded.pool) == (9, 1)


def test_a_token_of_no_use_is_refused_and_says_not_why(
    door: Door, guarded: FlashSale, shopper: User
) -> None:
    other_sale = make_sale(protection=Protection.TOKEN)
    good = token_for(shopper, guarded)
    flipped = good[:5] + chr(ord(good[5]) ^ 1) + good[6:]
    bad = {
        "another user's": token_for(make_user(), guarded),
        "another sale's": token_for(shopper, other_sale),
        "a bit flipped": flipped,
        "cut": good[:-1],
        "made up": "0" * 32,
    }
    said = {
        name: door.post(shopper, guarded.pk, {"count": 1, "token": token}).body
        for name, token in bad.items()
    }
    said["missing"] = door.post(shopper, guarded.pk, {"count": 1}).body
    with later(121):
        said["expired"] = door.post(shopper, guarded.pk, {"count": 1, "token": good}).body

    assert {body["code"] for body in said.values()} == {"token_required"}
    assert len({str(body) for body in said.values()}) == 1
    assert not Order.objects.exists()
    assert counters(guarded.pool) == (STOCK, 0)
    assert not PoolMovement.objects.filter(kind="take").exists()
    assert door.post(shopper, guarded.pk, {"count": 1, "token": good}).status in (201, 202)


def test_the_key_is_looked_at_before_the_token(
    door: Door, guarded: FlashSale, shopper: User
) -> None:
    body = {"count": 1, "token": token_for(shopper, guarded)}
    first = door.post(shopper, guarded.pk, body, key="k")

    with later(121):
        expired = door.post(shopper, guarded.pk, body, key="k")

    assert (expired.status, expired.is_replay) == (first.status, True)
    assert expired.body["order_no"] == first.body["order_no"]


def test_a_refused_order_leaves_its_token_good(
    door: Door, guarded: FlashSale, shopper: User, operator: User
) -> None:
    body = {"count": 1, "token": token_for(shopper, guarded)}
    sale_pause(guarded, operator=operator)
    assert door.post(shopper, guarded.pk, body).refusal == (409, "paused")
    sale_resume(guarded, operator=operator)

    assert door.post(shopper, guarded.pk, body).status in (201, 202)


def test_one_token_many_times_at_once_is_one_order(placement: Placement, shopper: User) -> None:
    sale = make_sale(
        total=STOCK, placement=placement, protection=Protection.TOKEN, per_user_limit=None
    )
    token = token_for(shopper, sale)
    door = Door(front=True)

    outcomes = race(
        [
            partial(door.post, shopper, sale.pk, {"count": 1, "token": token}, key=f"k-{n}")
            for n in range(12)
        ]
    )

    replies = [outcome.result() for outcome in outcomes]
    refused = [reply.refusal for reply in replies if reply.status not in (201, 202)]
    assert refused == [(403, "token_required")] * 11
    settle(sale)
    assert Order.objects.count() == 1
    assert counters(sale.pool) == (9, 1)


def test_a_token_is_given_from_the_start_to_the_end(login, shopper: User, operator: User) -> None:
    early = make_sale(starts_in=timedelta(minutes=1), protection=Protection.TOKEN)
    running = make_sale(protection=Protection.TOKEN)
    paused = make_sale(protection=Protection.TOKEN)
    sale_pause(paused, operator=operator)
    over = make_sale(
        starts_in=timedelta(hours=-2), ends_in=timedelta(seconds=-1), protection=Protection.TOKEN
    )
    client = login(shopper)

    def ask(sale_id: int) -> tuple[int, str]:
        answer = client.post(f"/api/v1/flash-sales/{sale_id}/token")
        return answer.status_code, answer.json().get("code", "")

    assert ask(early.pk) == (409, "not_started")
    assert ask(paused.pk) == (409, "paused")
    assert ask(over.pk) == (409, "ended")
    assert ask(987654) == (404, "not_found")
    answer = client.post(f"/api/v1/flash-sales/{running.pk}/token")
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert set(answer.json()) == {"token", "expires_at"}
    reply = Door(front=True).post(shopper, running.pk, {"count": 1, **token_of(answer)})
    assert reply.status == 202


def token_of(answer) -> dict[str, str]:
    return {"token": answer.json()["token"]}


# --- pictures


@pytest.fixture
def pictured(placement: Placement) -> FlashSale:
    return make_sale(
        total=STOCK, placement=placement, protection=Protection.CAPTCHA, per_user_limit=None
    )


def test_a_picture_that_is_read_earns_a_token_and_one_order(
    door: Door, pictured: FlashSale, shopper: User, api, login
) -> None:
    shown = api.get("/api/v1/captcha")
    assert shown.status_code == 200
    assert shown["Cache-Control"] == "no-store"
    assert shown.json()["image"].startswith("data:image/jpeg;base64,")
    # Only the shop knows what its own pictures show; of this one we do too.
    picture = {"captcha_id": captcha_of(ANSWER).captcha_id, "captcha_answer": ANSWER.lower()}
    address = f"/api/v1/flash-sales/{pictured.pk}/token"

    tokens = [login(shopper).post(address, picture) for _ in range(2)]

    assert [answer.status_code for answer in tokens] == [200, 200]
    first, second = (
        door.post(shopper, pictured.pk, {"count": 1, **token_of(answer)}) for answer in tokens
    )
    assert first.status in (201, 202)
    assert second.refusal == (403, "token_required")
    settle(pictured)
    assert counters(pictured.pool) == (9, 1)


def test_one_picture_is_one_order_whoever_reads_it(pictured: FlashSale, login) -> None:
    """A picture that many shoppers send the same answer for was read by one of them at most."""
    picture = {"captcha_id": captcha_of(ANSWER).captcha_id, "captcha_answer": ANSWER}
    door = Door(front=True)
    statuses = []
    for user in (make_user(), make_user()):
        answer = login(user).post(f"/api/v1/flash-sales/{pictured.pk}/token", picture)
        reply = door.post(user, pictured.pk, {"count": 1, **token_of(answer)})
        statuses.append(reply.code or "stored")
    assert statuses == ["stored", "token_required"]


@pytest.mark.parametrize(
    "picture",
    [
        {},
        {"captcha_answer": ANSWER},
        {"captcha_id": "made-up", "captcha_answer": ANSWER},
        {"captcha_id": captcha_of(ANSWER).captcha_id},
        {"captcha_id": captcha_of(ANSWER).captcha_id, "captcha_answer": "ACDEH"},
    ],
    ids=["nothing", "no picture", "no picture of ours", "no answer", "a wrong answer"],
)
def test_without_a_picture_read_there_is_no_token(
    picture: dict[str, str], pictured: FlashSale, login
) -> None:
    answer = login(make_user()).post(f"/api/v1/flash-sales/{pictured.pk}/token", picture)
    assert (answer.status_code, answer.json()["code"]) == (403, "captcha_failed")


def test_answers_to_pictures_are_counted(pictured: FlashSale, login, settings) -> None:
    settings.CAPTCHA_RATE_PER_USER = (2, 300)
    client = login(make_user())
    address = f"/api/v1/flash-sales/{pictured.pk}/token"
    picture = {"captcha_id": captcha_of(ANSWER).captcha_id, "captcha_answer": "ACDEH"}

    answers = [client.post(address, picture) for _ in range(3)]

    assert [answer.json()["code"] for answer in answers] == [
        "captcha_failed",
        "captcha_failed",
        "rate_limited",
    ]
    assert 0 < int(answers[2]["Retry-After"]) <= 300
    picture["captcha_answer"] = ANSWER
    assert login(make_user()).post(address, picture).status_code == 200
