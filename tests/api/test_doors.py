"""Both ways to a sale's order and to an entry, past the framework and through it: one contract."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from goods.sales.models import Protection
from lottery.models import Period
from orders import shield
from shop.accounts.models import User
from shop.api import front
from shop.pools.models import Placement
from tests.factories import enter, make_period, make_sale, make_user, place_in
from tests.kit.fronts import Long, ask, bad_tokens, token
from tests.kit.offers import ENTRIES, SALE_ORDERS, Offer, Scarce
from tests.kit.periods import let_pass, rich

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_a_request")]

OFFERS = [SALE_ORDERS, ENTRIES]
EITHER = pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.of)
LANGUAGE = pytest.mark.parametrize("language", ["en", "zh-hans"])

NOW = {"server_time": None}


def offered(offer: Offer, placement: str = "direct") -> Scarce:
    """Ten units of it, to whom wants them."""
    if offer is ENTRIES:
        return make_period(placement=placement)
    return make_sale(placement=placement, per_user_limit=None)


def through(offer: Offer, application: Any) -> front.Front:
    return front.Front(application, [offer.door()])


def one(offer: Offer) -> dict[str, Any]:
    return {offer.units: 1}


@EITHER
@pytest.mark.parametrize("placement", list(Placement))
def test_a_usual_request_is_answered_without_the_application(
    long: Long, offer: Offer, placement: Placement
) -> None:
    user, target = rich(), offered(offer, placement)

    reply = ask(through(offer, long), offer.path(target.pk), bearer=token(user), body=one(offer))

    row = offer.stored(target).get()
    assert long.asked == 0
    assert reply.status == (201 if placement == Placement.DIRECT else 202)
    assert reply.body[offer.number] == getattr(row, offer.number)
    assert (row.user, row.status) == (user, reply.body["status"])
    assert reply.headers["content-type"] == "application/json"
    assert len(reply.headers["x-request-id"]) == 32


@EITHER
@pytest.mark.parametrize("placement", list(Placement))
def test_either_way_repeats_what_the_other_created(
    long: Long, offer: Offer, placement: Placement
) -> None:
    user, target = rich(), offered(offer, placement)
    door, path = through(offer, long), offer.path(target.pk)
    for first, second in ((door, long), (long, door)):
        key = f"key-{first is door}"
        replies = [
            ask(way, path, bearer=token(user), key=key, body=one(offer))
            for way in (first, second, first)
        ]
        created, repeated, again = replies
        assert "idempotent-replayed" not in created.headers
        assert len({reply.status for reply in replies}) == 1
        assert len({reply.body[offer.number] for reply in replies}) == 1
        assert len({reply.headers.get("location") for reply in replies}) == 1
        assert len({reply.headers.get("retry-after") for reply in replies}) == 1
        assert repeated.headers["idempotent-replayed"] == "true"
        assert repeated.body | NOW == again.body | NOW
    assert offer.stored(target).count() == 2


# --- refusals


def sold_out(offer: Offer) -> Scarce:
    target = offered(offer)
    if isinstance(target, Period):
        enter(rich(), target, 10)
    else:
        place_in(target, rich(), 10)
    return target


def ended_period() -> Period:
    period = make_period(ends_at=timezone.now() + timedelta(hours=1))
    let_pass(period, hours=2)
    return period


PAST = {"starts_in": timedelta(hours=-2), "ends_in": timedelta(hours=-1)}
REFUSED: dict[str, tuple[Offer, Callable[[], Scarce], int]] = {
    "a sale that has not started": (
        SALE_ORDERS,
        lambda: make_sale(starts_in=timedelta(minutes=5)),
        1,
    ),
    "a sale that has ended": (SALE_ORDERS, lambda: make_sale(**PAST), 1),
    "a sale that wants a token": (
        SALE_ORDERS,
        lambda: make_sale(protection=Protection.TOKEN),
        1,
    ),
    "a sale that is sold out": (SALE_ORDERS, lambda: sold_out(SALE_ORDERS), 1),
    "more than one may buy": (SALE_ORDERS, lambda: make_sale(per_user_limit=1), 2),
    "a period that has ended": (ENTRIES, ended_period, 1),
    "a period that is sold out": (ENTRIES, lambda: sold_out(ENTRIES), 1),
    "more shares than are left": (ENTRIES, lambda: offered(ENTRIES), 11),
    "more shares than one may have": (ENTRIES, lambda: make_period(per_user_limit=1), 2),
    "more than the wallet has": (ENTRIES, lambda: offered(ENTRIES), 9),
}


@LANGUAGE
@pytest.mark.parametrize(("offer", "make", "count"), REFUSED.values(), ids=list(REFUSED))
def test_both_ways_refuse_in_the_same_words(
    long: Long, offer: Offer, make: Callable[[], Scarce], count: int, language: str
) -> None:
    user, target = rich(30), make()
    before = offer.stored(target).count()

    def refused(way: Any) -> Any:
        shield.forget()
        return ask(
            way,
            offer.path(target.pk),
            bearer=token(user),
            body={offer.units: count},
            HTTP_ACCEPT_LANGUAGE=language,
        )

    short = refused(through(offer, long))
    assert long.asked == 0
    longer = refused(long)

    assert short.status in (403, 409)
    assert (short.status, short.body) == (longer.status, longer.body)
    assert short.headers["content-type"] == longer.headers["content-type"]
    assert offer.stored(target).count() == before


@EITHER
@pytest.mark.parametrize("number", [987_654, 2**62])
def test_what_does_not_exist_is_404_either_way(long: Long, offer: Offer, number: int) -> None:
    ways = (through(offer, long), long)
    replies = [
        ask(way, offer.path(number), bearer=token(make_user()), body=one(offer)) for way in ways
    ]

    assert [(reply.status, reply.body["code"]) for reply in replies] == [(404, "not_found")] * 2
    assert replies[0].body == replies[1].body


# --- what the door leaves alone

UNUSUAL: dict[str, dict[str, Any]] = {
    "no key": {"key": None},
    "an empty key": {"key": ""},
    "a key of control bytes": {"key": "a\x01b"},
    "a key of 256 characters": {"key": "k" * 256},
    "a key of a million characters": {"key": "k" * 10**6},
    "no units": {"body": b"{}"},
    "0 units": {"body": b'{"UNITS":0}'},
    "-1 units": {"body": b'{"UNITS":-1}'},
    "2^31 units": {"body": b'{"UNITS":2147483648}'},
    "2^64 units": {"body": b'{"UNITS":18446744073709551616}'},
    "true units": {"body": b'{"UNITS":true}'},
    "null units": {"body": b'{"UNITS":null}'},
    "1.0 units": {"body": b'{"UNITS":1.0}'},
    "1.5 units": {"body": b'{"UNITS":1.5}'},
    "NaN units": {"body": b'{"UNITS":NaN}'},
    "1e400 units": {"body": b'{"UNITS":1e400}'},
    "units in words": {"body": b'{"UNITS":"1"}'},
    "units beyond all bounds": {"body": b'{"UNITS":1000000000000}'},
    "a list of units": {"body": b'{"UNITS":[1]}'},
    "a field too many": {"body": b'{"UNITS":1,"price_fen":1}'},
    "a key twice": {"body": b'{"UNITS":1,"UNITS":2}'},
    "half a body": {"body": b'{"UNITS":'},
    "a list": {"body": b'[{"UNITS":1}]'},
    "bytes that are no text": {"body": b'{"UNITS":1,"\xff":1}'},
    "a body of another type": {"CONTENT_TYPE": "text/plain"},
    "no length": {"CONTENT_LENGTH": ""},
    "more bytes announced than sent": {"CONTENT_LENGTH": "2000"},
    "a query": {"QUERY_STRING": "a=1"},
}
UNUSUAL_OF: dict[str, dict[str, dict[str, Any]]] = {
    "sale": {
        "an address of 0": {"body": b'{"count":1,"address":0}'},
        "an address in words": {"body": b'{"count":1,"address":"1"}'},
        "a token of nothing": {"body": b'{"count":1,"token":""}'},
        "a token that is no text": {"body": b'{"count":1,"token":5}'},
    },
    "period": {
        "fewer in words": {"body": b'{"shares":1,"allow_partial":"true"}'},
        "fewer as a number": {"body": b'{"shares":1,"allow_partial":1}'},
        "fewer or nothing": {"body": b'{"shares":1,"allow_partial":null}'},
        "a number of one's own": {"body": b'{"shares":1,"number":1000002,"status":"confirmed"}'},
        "more shares than an answer can name": {"body": b'{"shares":1001}'},
    },
}
CASES = [
    pytest.param(offer, unusual, id=f"{offer.of}: {name}")
    for offer in OFFERS
    for name, unusual in (UNUSUAL | UNUSUAL_OF[offer.of]).items()
]


@pytest.mark.parametrize(("offer", "unusual"), CASES)
def test_what_is_unusual_is_the_applications_to_judge(
    long: Long, offer: Offer, unusual: dict[str, Any]
) -> None:
    target, units = offered(offer), offer.units.encode()
    sent = {"body": one(offer)} | unusual
    if isinstance(sent["body"], bytes):
        sent["body"] = sent["body"].replace(b"UNITS", units)

    through_door = ask(through(offer, long), offer.path(target.pk), bearer=token(rich()), **sent)
    assert long.asked == 1
    alone = ask(long, offer.path(target.pk), bearer=token(rich()), **sent)

    assert through_door.status == alone.status
    if through_door.status >= 400:
        assert through_door.body == alone.body
        assert not offer.stored(target).exists()
    else:
        # A field that nobody knows, or a query, changes nothing.
        assert offer.stored(target).count() == 2


@EITHER
def test_a_body_that_the_door_has_read_reaches_the_application_whole(
    long: Long, offer: Offer
) -> None:
    reply = ask(
        through(offer, long),
        offer.path(offered(offer).pk),
        bearer=token(make_user()),
        body={offer.units: 0},
    )

    assert (reply.status, reply.body["errors"][0]["field"]) == (400, offer.units)


# --- who asks


@EITHER
@pytest.mark.parametrize("make", bad_tokens().values(), ids=list(bad_tokens()))
def test_a_bad_token_is_401_either_way(
    long: Long, offer: Offer, make: Callable[[User], str]
) -> None:
    target = offered(offer)

    reply = ask(
        through(offer, long), offer.path(target.pk), bearer=make(make_user()), body=one(offer)
    )

    assert (reply.status, long.asked) == (401, 1)
    assert not offer.stored(target).exists()


@EITHER
def test_plain_http_goes_the_way_that_redirects(offer: Offer, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": offer.path(5),
        "HTTP_IDEMPOTENCY_KEY": "key",
        "HTTP_AUTHORIZATION": f"Bearer {token(make_user())}",
    }

    assert front._asked(offer.door(), environ) is None
    asked = front._asked(offer.door(), environ | {"HTTP_X_FORWARDED_PROTO": "https"})
    assert asked is not None
    assert asked.target == 5
