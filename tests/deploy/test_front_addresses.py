"""Whom the shop counts, as it hears it through nginx: the client, whatever the client says."""

import json
import socket

import pytest

from tests.deploy.conftest import Shop
from tests.deploy.front import Front

# As LOGIN_RATE_PER_NAME.
ATTEMPTS = 10


def attempt(front: Front, username: str, *, source: str = "127.0.0.1", **headers: str) -> int:
    """The status of one log-in with a wrong password."""
    return front.ask(
        "POST",
        "/api/v1/auth/login",
        body=json.dumps({"username": username, "password": "wrong"}).encode(),
        headers={
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
        source=source,
    ).status


def can_ask_from(address: str) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def test_a_new_forged_address_each_time_does_not_open_a_new_window(
    front: Front, shop: Shop
) -> None:
    forged = [f"198.51.100.{number}" for number in range(ATTEMPTS + 1)]
    through = [attempt(front, "mallory", x_forwarded_for=address) for address in forged]
    assert through == [401] * ATTEMPTS + [429]
    # Without nginx it would: the last entry is believed, because a proxy is said to write it.
    body = json.dumps({"username": "trudy", "password": "wrong"})
    without = [
        shop.ask(
            "POST",
            "/api/v1/auth/login",
            body=body,
            headers={"Content-Type": "application/json", "X-Forwarded-For": address},
        )
        for address in forged
    ]
    assert without == [401] * (ATTEMPTS + 1)


@pytest.mark.skipif(not can_ask_from("127.0.0.2"), reason="this machine has one loopback address")
def test_another_address_has_a_window_of_its_own(front: Front) -> None:
    for _ in range(ATTEMPTS):
        assert attempt(front, "peggy") == 401
    assert attempt(front, "peggy") == 429
    assert attempt(front, "peggy", source="127.0.0.2", x_forwarded_for="127.0.0.1") == 401
