"""Rates, addresses and sale tokens at the sale endpoint: exact under parallel bursts, and for
clients who lie about who they are."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import uuid4

from django.conf import settings

from goods.sales.models import FlashSale, Protection
from orders.models import Order
from shop.accounts.models import User
from tests.faults.clients import Client, Reply, agreement, at_once
from tests.faults.sales import assert_sold, sale_of
from tests.faults.shop import HEAL_SECONDS, REAL_PROCESSES, Shop, wait_until
from tests.kit.clientlog import ClientLog
from tests.kit.hows import How, hows, make_users

pytestmark = REAL_PROCESSES

Clients = Callable[..., Client]

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def gated(how: How) -> bool:
    return how.gated


# --- rates


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a burst. Times are microseconds since 1970, by the machine's clock, which is
    Redis's as well."""

    user: User
    sent_at: int
    answered_at: int
    code: str


def now() -> int:
    return time.time_ns() // 1_000


def forged(dice: Random) -> str:
    """An X-Forwarded-For header that nobody has written before."""
    return ", ".join(
        ".".join(str(dice.randrange(1, 255)) for _ in range(4)) for _ in range(dice.randrange(1, 4))
    )


def burst(sale: FlashSale, addresses: Sequence[tuple[Client, str]]) -> list[Asked]:
    """One request of each client at once, each with a new key and an X-Forwarded-For header."""
    asked: list[Asked] = []

    def ask(client: Client, address: str) -> Reply:
        sent_at = now()
        reply = client.ask(
            "POST",
            f"/flash-sales/{sale.pk}/orders",
            {"count": 1},
            Idempotency_Key=uuid4().hex,
            X_Forwarded_For=address,
        )
        asked.append(Asked(client.user, sent_at, now(), reply.code))
        return reply

    at_once([partial(ask, client, address) for client, address in addresses])
    return asked


def bursts(
    sale: FlashSale, clients: Sequence[Client], dice: Random, *, admitted: int
) -> list[Asked]:
    """One burst after the other, until so many were let through."""
    asked: list[Asked] = []
    while codes_of(asked)[""] < admitted:
        asked += burst(sale, [(client, forged(dice)) for client in clients])
    return asked


def codes_of(asked: Sequence[Asked]) -> Counter[str]:
    return Counter(one.code for one in asked)


def admitted_at(sale: FlashSale, users: Sequence[User] | None = None) -> list[int]:
    """When the gate let them through, by its own clock."""
    orders = Order.objects.filter(sale=sale)
    if users is not None:
        orders = orders.filter(user__in=users)
    times = orders.values_list("created_at", flat=True)
    return sorted((created_at - EPOCH) // MICROSECOND for created_at in times)


def assert_exact(
    asked: Sequence[Asked], admitted: Sequence[int], *, rate: int, seconds: int
) -> None:
    """No window held more than `rate`, to the microsecond; and nobody was refused whose window held
    fewer, so far as their clock can tell."""
    codes = codes_of(asked)
    assert set(codes) == {"", "rate_limited"}
    assert len(admitted) == codes[""] >= rate
    window = seconds * 1_000_000
    for first, one_too_many in zip(admitted, admitted[rate:], strict=False):
        assert one_too_many - first >= window
    for one in asked:
        if one.code == "rate_limited":
            earliest = one.sent_at - window
            assert sum(earliest < moment <= one.answered_at for moment in admitted) >= rate


@hows("rate of a user", short=1, only=gated)
def test_a_shopper_passes_as_often_as_the_rate_says_whatever_address_is_claimed(
    shop: Shop, client_of: Clients, dice: Random, how: How
) -> None:
    sale, [user, other] = sale_of(how, stock=1_000, rate_per_user=3), make_users(2)
    devices = [client_of(user) for _ in range(30)]

    asked = burst(sale, [(device, forged(dice)) for device in devices])
    of_another = burst(sale, [(client_of(other), forged(dice))])

    rate = {"rate": 3, "seconds": settings.SALE_RATE_SECONDS["user"]}
    assert_exact(asked, admitted_at(sale, [user]), **rate)
    assert codes_of(of_another) == {"": 1}
    shop.comes_to_rest(sale)
    assert_sold(sale, units=codes_of(asked)[""] + 1, of=1_000)


@hows("rate of an address", short=1, only=gated)
def test_an_address_passes_as_often_as_the_rate_says_whatever_it_claims_to_be(
    shop: Shop, client_of: Clients, dice: Random, how: How
) -> None:
    """Nothing stands in front of this server, so nobody's word counts but the socket's."""
    sale = sale_of(how, stock=1_000, rate_per_address=4)
    clients = [client_of(user) for user in make_users(40)]

    asked = bursts(sale, clients, dice, admitted=80 if how.soak else 10)

    rate = {"rate": 4, "seconds": settings.SALE_RATE_SECONDS["address"]}
    assert_exact(asked, admitted_at(sale), **rate)
    shop.comes_to_rest(sale)
    assert_sold(sale, units=codes_of(asked)[""], of=1_000)


@hows("rate in all", short=1, only=gated)
def test_a_sale_lets_through_as_many_as_the_rate_says(
    shop: Shop, client_of: Clients, dice: Random, how: How
) -> None:
    sale = sale_of(how, stock=1_000, rate_in_all=5)
    clients = [client_of(user) for user in make_users(40)]

    asked = bursts(sale, clients, dice, admitted=100 if how.soak else 12)

    rate = {"rate": 5, "seconds": settings.SALE_RATE_SECONDS["all"]}
    assert_exact(asked, admitted_at(sale), **rate)
    shop.comes_to_rest(sale)
    assert_sold(sale, units=codes_of(asked)[""], of=1_000)


@hows("behind a proxy", short=1, only=gated)
def test_behind_a_proxy_only_the_address_that_it_saw_counts(
    shop: Shop, client_of: Clients, dice: Random, how: How
) -> None:
    """At once from two addresses, with a different story in front each time, and from all over an
    IPv6 network."""
    sale = sale_of(how, stock=1_000, rate_per_address=3)
    crowds: dict[Callable[[], str], list[User]] = {
        lambda: "198.51.100.7": make_users(20),
        lambda: "198.51.100.8": make_users(20),
        lambda: f"2001:db8:7:7::{dice.randrange(9999):x}": make_users(20),
    }

    with shop.another_web(TRUSTED_PROXIES="1") as port:
        devices = [
            [(client_of(user, port=port), f"{forged(dice)}, {seen()}") for user in users]
            for seen, users in crowds.items()
        ]
        asked = burst(sale, [device for crowd in devices for device in crowd])

    rate = {"rate": 3, "seconds": settings.SALE_RATE_SECONDS["address"]}
    for users in crowds.values():
        of_crowd = [one for one in asked if one.user in users]
        assert_exact(of_crowd, admitted_at(sale, users), **rate)
    shop.comes_to_rest(sale)
    assert_sold(sale, units=codes_of(asked)[""], of=1_000)


# --- tokens


def token_of(client: Client, sale: FlashSale) -> str:
    reply = client.ask("POST", f"/flash-sales/{sale.pk}/token", {})
    assert reply.status == 200, reply
    return str(reply.body["token"])


def protected(how: How, **terms: object) -> FlashSale:
    return sale_of(how, stock=10, protection=Protection.TOKEN, **terms)


def flipped(token: str, dice: Random) -> str:
    """One bit of one character changed, so that it can still be sent."""
    while True:
        place = dice.randrange(len(token))
        other = chr(ord(token[place]) ^ 1 << dice.randrange(7))
        if other.isprintable() and not other.isspace():
            return token[:place] + other + token[place + 1 :]


@hows("foreign tokens", short=2)
def test_a_token_of_somebody_else_or_another_sale_or_with_a_bit_flipped_is_refused(
    shop: Shop, client_of: Clients, log: ClientLog, dice: Random, how: How
) -> None:
    sale, other_sale = protected(how), protected(how)
    mine, theirs = (client_of(user) for user in make_users(2))
    token = token_of(mine, sale)

    replies = [
        mine.buy(sale),
        mine.buy(sale, token="k" * len(token)),
        theirs.buy(sale, token=token),
        mine.buy(other_sale, token=token),
        *(mine.buy(sale, token=flipped(token, dice)) for _ in range(20)),
    ]

    assert {(reply.status, reply.code) for reply in replies} == {(403, "token_required")}
    assert not Order.objects.filter(sale__in=[sale, other_sale]).exists()
    assert mine.buy(sale, token=token).code == ""
    shop.comes_to_rest(sale, other_sale)
    assert_sold(sale, units=1, of=10)
    assert_sold(other_sale, units=0, of=10)
    assert agreement(log, [sale, other_sale]) == []


@hows("used tokens", short=2)
def test_a_token_that_is_used_20_times_at_once_admits_once(
    shop: Shop, client_of: Clients, log: ClientLog, how: How
) -> None:
    sale, [user] = protected(how), make_users(1)
    token = token_of(client_of(user), sale)

    replies = at_once([partial(client_of(user).buy, sale, token=token) for _ in range(20)])
    later = client_of(user).buy(sale, token=token)

    codes = Counter((reply.status, reply.code) for reply in replies)
    assert codes == {(202 if how.queued else 201, ""): 1, (403, "token_required"): 19}
    assert (later.status, later.code) == (403, "token_required")
    shop.comes_to_rest(sale)
    assert_sold(sale, units=1, of=10)
    assert agreement(log, [sale]) == []


def expiry_of(issued: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(issued["expires_at"])


@hows("expired tokens", short=1)
def test_a_token_is_good_until_it_expires(
    shop: Shop, client_of: Clients, log: ClientLog, how: How
) -> None:
    sale, [user] = protected(how), make_users(1)
    with shop.another_web(SALE_TOKEN_SECONDS="3") as port:
        client = client_of(user, port=port)
        issued = client.ask("POST", f"/flash-sales/{sale.pk}/token", {}).body
        while True:
            fresh = client.ask("POST", f"/flash-sales/{sale.pk}/token", {}).body
            in_time = client.buy(sale, token=fresh["token"])
            # On a slow machine it may be too old when it comes, and the next one may not.
            if not in_time.code or datetime.now(UTC) < expiry_of(fresh):
                break

        # It may be good for a second longer than it says.
        expired_at = expiry_of(issued) + timedelta(seconds=1)
        wait_until(lambda: datetime.now(UTC) > expired_at, "it is too old", seconds=HEAL_SECONDS)
        late = client.buy(sale, token=issued["token"])

    assert in_time.code == ""
    assert (late.status, late.code) == (403, "token_required")
    shop.comes_to_rest(sale)
    assert_sold(sale, units=1, of=10)
    assert agreement(log, [sale]) == []


@hows("early tokens", short=2)
def test_before_the_start_there_are_no_tokens_and_no_orders(
    shop: Shop, client_of: Clients, log: ClientLog, how: How
) -> None:
    starts_in = timedelta(hours=1)
    sale = protected(how, starts_in=starts_in, ends_in=2 * starts_in)
    bare = sale_of(how, stock=10, starts_in=starts_in, ends_in=2 * starts_in)
    [user] = make_users(1)
    client = client_of(user)

    replies = [
        client.ask("POST", f"/flash-sales/{sale.pk}/token", {}),
        client.ask("POST", f"/flash-sales/{bare.pk}/token", {}),
        client.buy(bare),
    ]

    for reply in replies:
        assert (reply.status, reply.code) == (409, "not_started")
        assert "starts_at" in reply.body
    assert not Order.objects.filter(sale__in=[sale, bare]).exists()
    shop.comes_to_rest(sale, bare)
    assert agreement(log, [sale, bare]) == []
