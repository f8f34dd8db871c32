"""Rates, addresses and sale tokens at the sale endpoint: exact under parallel bursts, and for
clients who lie about who they are."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random

import pytest
from django.conf import settings

from goods.sales.models import FlashSale, Protection
from orders.models import Order
from shop.accounts.models import User
from tests.faults.clients import Client, Reply, agreement, at_once
from tests.faults.sales import How, assert_sold, hows, in_step, make_users, sale_of
from tests.faults.shop import REAL_PROCESSES, Shop, wait_until
from tests.kit.clientlog import ClientLog

pytestmark = REAL_PROCESSES

Clients = Callable[..., Client]


def gated(how: How) -> bool:
    return how.gated


def settled(sale: FlashSale) -> None:
    pending = Order.objects.filter(queue_id=sale.queue_id)
    wait_until(lambda: not pending.exists(), "nothing waits", seconds=20)


# --- F12


def forged(dice: Random) -> str:
    """An X-Forwarded-For header that nobody has written before."""
    return ", ".join(
        ".".join(str(dice.randrange(1, 255)) for _ in range(4)) for _ in range(dice.randrange(1, 4))
    )


def burst(clients: Sequence[Client], sale: FlashSale, addresses: Callable[[], str]) -> Counter[str]:
    """One request of each at once, with a new key and an address."""

    def ask(client: Client, address: str) -> Reply:
        return client.ask(
            "POST",
            f"/flash-sales/{sale.pk}/orders",
            {"count": 1},
            Idempotency_Key=f"k{time.monotonic_ns()}-{id(client)}",
            X_Forwarded_For=address,
        )

    replies = at_once([partial(ask, client, addresses()) for client in clients])
    return Counter(reply.code for reply in replies)


def admitted_at(sale: FlashSale, users: Sequence[User] | None = None) -> list[datetime]:
    """When the gate let them through, by its own clock."""
    orders = Order.objects.filter(sale=sale)
    if users is not None:
        orders = orders.filter(user__in=users)
    return sorted(orders.values_list("created_at", flat=True))


def assert_exact(times: list[datetime], *, rate: int, seconds: int) -> None:
    """In no window of so many seconds are there more than `rate`, and the first ones were let
    through as soon as they came."""
    window = timedelta(seconds=seconds)
    assert len(times) >= rate
    for first, next_after in zip(times, times[rate:], strict=False):
        assert next_after - first >= window, (first, next_after)


@hows("rate of a user", short=1, only=gated)
def test_a_shopper_passes_as_often_as_the_rate_says_whatever_address_is_claimed(
    shop: Shop, client_of: Clients, dice: Random, how: How
) -> None:
    sale, [user, other] = sale_of(how, stock=1_000, rate_per_user=3), make_users(2)
    devices = [client_of(user) for _ in range(30)]

    codes = burst(devices, sale, lambda: forged(dice))

    # All in one window, which is of five seconds.
    assert codes == {"": 3, "rate_limited": 27}
    assert burst([client_of(other)], sale, lambda: forged(dice)) == {"": 1}
    settled(sale)
    assert_sold(sale, units=4, of=1_000)
    assert in_step(sale)


@hows("rate of an address", short=1, only=gated)
def test_an_address_passes_as_often_as_the_rate_says_whatever_it_claims_to_be(
    shop: Shop, client_of: Clients, dice: Random, how: How
) -> None:
    """Nothing stands in front of this server, so nobody's word counts but the socket's."""
    sale = sale_of(how, stock=1_000, rate_per_address=10)
    clients = [client_of(user) for user in make_users(40)]

    began = time.monotonic()
    codes: Counter[str] = Counter()
    while time.monotonic() - began < (20 if how.soak else 2.5):
        codes += burst(clients, sale, lambda: forged(dice))

    assert set(codes) == {"", "rate_limited"}
    times = admitted_at(sale)
    assert len(times) == codes[""] > 20
    assert_exact(times, rate=10, seconds=settings.SALE_RATE_SECONDS["address"])
    settled(sale)
    assert_sold(sale, units=codes[""], of=1_000)
    assert in_step(sale)


@hows("rate in all", short=1, only=gated)
def test_a_sale_lets_through_as_many_as_the_rate_says(
    shop: Shop, client_of: Clients, dice: Random, how: How
) -> None:
    sale = sale_of(how, stock=1_000, rate_in_all=15)
    clients = [client_of(user) for user in make_users(40)]

    began = time.monotonic()
    codes: Counter[str] = Counter()
    while time.monotonic() - began < (20 if how.soak else 1.5):
        codes += burst(clients, sale, lambda: forged(dice))

    assert set(codes) == {"", "rate_limited"}
    assert_exact(admitted_at(sale), rate=15, seconds=settings.SALE_RATE_SECONDS["all"])
    settled(sale)
    assert_sold(sale, units=codes[""], of=1_000)


@pytest.fixture
def behind_a_proxy(shop: Shop, client_of: Clients) -> Callable[[], object]:
    return lambda: shop.another_web(TRUSTED_PROXIES="1", SALE_TOKEN_SECONDS="1")


@hows("behind a proxy", short=1, only=gated)
def test_behind_a_proxy_only_the_address_that_it_saw_counts(
    shop: Shop, client_of: Clients, dice: Random, how: How
) -> None:
    """Bursts from two addresses with a different story each time, and from a whole IPv6 network."""
    one, two = "198.51.100.7", "198.51.100.8"
    sale = sale_of(how, stock=1_000, rate_per_address=5)
    ipv6 = sale_of(how, stock=1_000, rate_per_address=5)
    crowds = {address: make_users(20) for address in (one, two)}
    neighbours = make_users(20)
    with shop.another_web(TRUSTED_PROXIES="1") as port:
        work: list[Callable[[], Counter[str]]] = [
            partial(
                burst,
                [client_of(user, port=port) for user in users],
                sale,
                lambda address=address: f"{forged(dice)}, {address}",  # type: ignore[misc]
            )
            for address, users in crowds.items()
        ]
        codes = [one_burst() for one_burst in work]
        devices = [client_of(user, port=port) for user in neighbours]
        codes.append(
            burst(devices, ipv6, lambda: f"{forged(dice)}, 2001:db8:7:7::{dice.randrange(9999):x}")
        )

    assert all(set(seen) == {"", "rate_limited"} for seen in codes)
    for users in crowds.values():
        assert_exact(admitted_at(sale, users), rate=5, seconds=1)
    assert_exact(admitted_at(ipv6), rate=5, seconds=1)
    for each in (sale, ipv6):
        settled(each)
    assert_sold(sale, units=codes[0][""] + codes[1][""], of=1_000)
    assert_sold(ipv6, units=codes[2][""], of=1_000)


# --- F13


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
        if other.isascii() and other.isprintable() and not other.isspace():
            return token[:place] + other + token[place + 1 :]


@hows("foreign tokens", short=2)
def test_a_token_of_somebody_else_or_another_sale_or_with_a_bit_flipped_is_refused(
    shop: Shop, client_of: Clients, log: ClientLog, dice: Random, how: How
) -> None:
    sale, other_sale = protected(how), protected(how)
    mine, theirs = (client_of(user) for user in make_users(2))
    token = token_of(mine, sale)

    replies = [
        mine.order(sale, key="none"),
        mine.order(sale, key="empty", token=" "),
        theirs.order(sale, key="not theirs", token=token),
        mine.order(other_sale, key="another sale", token=token),
        *(mine.order(sale, key=f"flipped-{n}", token=flipped(token, dice)) for n in range(20)),
    ]

    assert {(reply.status, reply.code) for reply in replies} == {(403, "token_required")}
    assert not Order.objects.filter(sale__in=[sale, other_sale]).exists()
    assert mine.order(sale, key="good", token=token).code == ""
    settled(sale)
    assert_sold(sale, units=1, of=10)
    assert in_step(sale)
    assert in_step(other_sale)
    assert agreement(log, [sale, other_sale]) == []


@hows("used tokens", short=2)
def test_a_token_that_is_used_20_times_at_once_admits_once(
    shop: Shop, client_of: Clients, log: ClientLog, how: How
) -> None:
    sale, [user] = protected(how), make_users(1)
    token = token_of(client_of(user), sale)

    replies = at_once(
        [partial(client_of(user).buy, sale, key=f"k{n}", token=token) for n in range(20)]
    )
    later = client_of(user).order(sale, key="later", token=token)

    codes = Counter((reply.status, reply.code) for reply in replies)
    assert codes == {(202 if how.queued else 201, ""): 1, (403, "token_required"): 19}
    assert (later.status, later.code) == (403, "token_required")
    settled(sale)
    assert_sold(sale, units=1, of=10)
    assert in_step(sale)
    assert agreement(log, [sale]) == []


@hows("expired tokens", short=1)
def test_a_token_is_good_until_it_expires(
    shop: Shop, client_of: Clients, log: ClientLog, how: How
) -> None:
    sale, [user] = protected(how), make_users(1)
    with shop.another_web(SALE_TOKEN_SECONDS="3") as port:
        client = client_of(user, port=port)
        issued = client.ask("POST", f"/flash-sales/{sale.pk}/token", {}).body
        in_time, late = token_of(client, sale), str(issued["token"])
        assert client.order(sale, key="in time", token=in_time).code == ""

        expires_at = datetime.fromisoformat(issued["expires_at"]) + timedelta(seconds=1)
        wait_until(lambda: datetime.now(UTC) > expires_at, "it is too old", seconds=10)
        reply = client.order(sale, key="too late", token=late)

    assert (reply.status, reply.code) == (403, "token_required")
    settled(sale)
    assert_sold(sale, units=1, of=10)
    assert in_step(sale)


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
        client.order(bare, key="early"),
    ]

    for reply in replies:
        assert (reply.status, reply.code) == (409, "not_started")
        assert "starts_at" in reply.body
    assert not Order.objects.filter(sale__in=[sale, bare]).exists()
    assert in_step(sale)
    assert in_step(bare)
