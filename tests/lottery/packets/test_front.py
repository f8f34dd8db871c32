"""Both ways to a grab, past the framework and through it: one contract."""

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.signals import request_started
from django.db import close_old_connections
from rest_framework_simplejwt.tokens import AccessToken

from lottery.packets.front import GrabDoor
from lottery.packets.models import Packet
from shop.accounts.models import User
from shop.api import front
from shop.api.wsgi import Handler
from shop.wsgi import application
from tests.factories import make_user
from tests.kit.packets import make_packet, settle

pytestmark = pytest.mark.django_db

Reply = tuple[int, dict[str, Any]]
Way = Callable[..., Reply]


@pytest.fixture(autouse=True)
def as_in_a_request(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As Django's own test client does: the test's connection stays open."""
    request_started.disconnect(close_old_connections)
    monkeypatch.setattr(front, "refresh_connection", lambda: None)
    yield
    request_started.connect(close_old_connections)


@pytest.fixture(params=["front", "framework"])
def grab(request: pytest.FixtureRequest) -> Way:
    """Grabs one way or the other."""
    behind = Handler()
    shut = front.Front(_nobody, [GrabDoor()])
    return lambda *asked, **sent: ask(shut if request.param == "front" else behind, *asked, **sent)


def ask(wsgi: Any, user: User, packet: Packet | str, **sent: Any) -> Reply:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/api/v1/red-packets/{packet}/grab",
        "HTTP_AUTHORIZATION": f"Bearer {AccessToken.for_user(user)}",
        "wsgi.input": BytesIO(b""),
        **sent,
    }
    setup_testing_defaults(environ)
    status: list[str] = []
    body = b"".join(wsgi(environ, lambda line, headers, *_: status.append(line)))
    return int(status[0].split()[0]), json.loads(body)


def _nobody(environ: dict[str, Any], start_response: Any) -> Any:
    raise AssertionError("the front let a usual request through to the application")


def test_a_grab_is_answered_with_its_amount_and_a_repeat_with_the_same(
    grab: Way, placement: str
) -> None:
    packet, user = make_packet(total_fen=300, slots=3), make_user()

    first = grab(user, packet)
    settle(packet)
    again = grab(user, packet)

    assert again[0] == 409
    assert again[1]["code"] == "already_grabbed"
    if placement == "direct":
        assert first == (200, {"amount_fen": again[1]["amount_fen"]})
    else:
        assert first == (202, {"status": "pending"})


def test_when_none_is_left_it_is_sold_out(grab: Way, placement: str) -> None:
    packet = make_packet(total_fen=1, slots=1)
    grab(make_user(), packet)
    settle(packet)

    status, body = grab(make_user(), packet)

    assert (status, body["code"]) == (409, "sold_out")


def test_an_id_that_is_none_is_not_found(grab: Way) -> None:
    status, body = grab(make_user(), "A" * 22)
    assert (status, body["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "unusual",
    [
        {"CONTENT_LENGTH": "2", "wsgi.input": BytesIO(b"{}"), "CONTENT_TYPE": "application/json"},
        {"QUERY_STRING": "a=b"},
        {"HTTP_AUTHORIZATION": "Bearer nonsense"},
        {"PATH_INFO": "/api/v1/red-packets/short/grab"},
        {"REQUEST_METHOD": "GET"},
    ],
)
def test_what_is_not_usual_goes_on_to_the_application(unusual: dict[str, Any]) -> None:
    packet, user = make_packet(total_fen=300, slots=3), make_user()
    asked: list[str] = []

    def behind(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        asked.append(environ["PATH_INFO"])
        start_response("204 No Content", [])
        return [b"{}"]

    ask(front.Front(behind, [GrabDoor()]), user, packet, **unusual)

    assert len(asked) == 1


def test_the_shop_has_all_its_doors() -> None:
    assert {door.route for door in application._doors} == {
        "sale-orders",
        "entries",
        "red-packet-grab",
    }
