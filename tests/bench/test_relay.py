"""The relay: what a client sends comes late, what the server answers does not."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from bench.relay import Relay
from tests.ops.processes import closed_port

DELAY = 0.05


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says back what it hears, with the time at which it heard it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                while data := connection.recv(1024):
                    connection.sendall(f"{time.monotonic()} {data.decode()}\n".encode())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(60)


def test_what_is_sent_arrives_late_and_in_order_and_the_answer_at_once(echo: int) -> None:
    with (
        Relay(host="127.0.0.1", port=echo, delay_seconds=DELAY) as relay,
        socket.create_connection(("127.0.0.1", relay.port)) as client,
    ):
        answers = client.makefile()
        took = []
        # An answer may be late because this machine is busy, and not each time.
        while len(took) < 2 or (min(took) >= DELAY and len(took) < 200):
            word = f"word-{len(took)}"
            sent = time.monotonic()
            client.sendall(word.encode())
            heard, said = answers.readline().split()
            took.append(time.monotonic() - float(heard))

            assert said == word
            assert float(heard) - sent >= DELAY
        assert min(took) < DELAY


def test_nobody_behind_it_ends_the_connection() -> None:
    with (
        Relay(host="127.0.0.1", port=closed_port(), delay_seconds=0.0) as relay,
        socket.create_connection(("127.0.0.1", relay.port), timeout=60) as client,
    ):
        assert client.recv(1) == b""
