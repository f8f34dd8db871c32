"""The proxy: real sockets on both sides, and a COMMIT of a real MariaDB whose answer is lost."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection, transaction

from shop.pools.models import Pool
from tests.kit.marks import on_mariadb
from tests.kit.proxy import CommitScanner, Proxy, database_through
from tests.ops.processes import closed_port


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1024):
            self.request.sendall(data)


@pytest.fixture
def echo_port() -> Iterator[int]:
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A connection that is reset is what these tests are about."""

    with Server(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def proxy(echo_port: int) -> Iterator[Proxy]:
    with Proxy(host="127.0.0.1", port=echo_port) as proxy:
        yield proxy


def connect(proxy: Proxy, *, timeout: float = 60) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout)


def say(client: socket.socket, text: bytes) -> bytes:
    client.sendall(text)
    return client.recv(1024)


def test_it_passes_everything_on(proxy: Proxy) -> None:
    with connect(proxy) as one, connect(proxy) as two:
        assert say(one, b"one") == b"one"
        assert say(two, b"two") == b"two"
        assert proxy.links == 2


def test_it_delays_each_way(proxy: Proxy) -> None:
    with connect(proxy) as client:
        proxy.delay(100)
        began = time.monotonic()
        assert say(client, b"slow") == b"slow"
        assert time.monotonic() - began >= 0.2


def test_it_cuts_with_a_reset_and_accepts_again(proxy: Proxy) -> None:
    with connect(proxy) as client:
        say(client, b"hello")
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(1024)
    with connect(proxy) as client:
        assert say(client, b"again") == b"again"


def test_in_a_black_hole_nothing_arrives_until_it_heals(proxy: Proxy) -> None:
    with connect(proxy, timeout=0.2) as client:
        proxy.black_hole()
        with pytest.raises(TimeoutError):
            say(client, b"anybody?")
        proxy.heal()
        client.settimeout(60)
        assert client.recv(1024) == b"anybody?"


def test_a_target_that_is_down_looks_like_one_that_is_down() -> None:
    # The reset may be there before connect() returns.
    with (
        Proxy(host="127.0.0.1", port=closed_port()) as proxy,
        pytest.raises(ConnectionResetError),
        connect(proxy) as client,
    ):
        client.recv(1024)


def test_it_stops_with_connections_open_and_frees_its_port(echo_port: int) -> None:
    with Proxy(host="127.0.0.1", port=echo_port) as proxy:
        client = connect(proxy)
        say(client, b"hello")
        proxy.black_hole()
        client.sendall(b"held back")
    with client, pytest.raises(ConnectionResetError):
        client.recv(1024)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    assert not [one for one in threading.enumerate() if one.name == "proxy"]


def packet(payload: bytes, *, sequence: int = 0) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([sequence]) + payload


@pytest.mark.parametrize("text", [b"COMMIT", b"commit", b" Commit; "])
def test_a_commit_is_seen_however_the_stream_is_cut(text: bytes) -> None:
    stream = packet(b"\x03SELECT 'COMMIT'") + packet(b"\x03" + text)
    for size in (1, 3, 5, len(stream)):
        scanner = CommitScanner()
        pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
        seen = [scanner.feed(piece) for piece in pieces]
        assert seen == [False] * (len(pieces) - 1) + [True]


@pytest.mark.parametrize(
    "stream",
    [
        packet(b"\x03COMMIT", sequence=1),  # a part of the handshake
        packet(b"\x02COMMIT"),  # USE a database of that name
        packet(b"\x03COMMIT AND CHAIN"),
        packet(b"\x03ROLLBACK"),
    ],
)
def test_what_is_no_commit_is_not_seen(stream: bytes) -> None:
    assert not CommitScanner().feed(stream)


# --- MariaDB


@pytest.fixture
def database() -> Iterator[Proxy]:
    settings = connection.settings_dict
    with (
        Proxy(host=settings["HOST"], port=int(settings["PORT"])) as proxy,
        database_through(proxy),
    ):
        yield proxy


class TestOnMariaDB:
    pytestmark = on_mariadb

    def test_a_swallowed_answer_leaves_the_work_committed(self, database: Proxy) -> None:
        Pool.objects.count()
        database.swallow_commit_answers()

        with pytest.raises(DatabaseError), transaction.atomic():
            Pool.objects.create(kind="test")

        assert Pool.objects.count() == 1
        assert database.commits_to_swallow == 0

    def test_a_lost_commit_leaves_nothing(self, database: Proxy) -> None:
        Pool.objects.count()
        database.lose_commits()

        with pytest.raises(DatabaseError), transaction.atomic():
            Pool.objects.create(kind="test")

        assert Pool.objects.count() == 0

    def test_statements_that_fail_are_not_taken_for_commits(self, database: Proxy) -> None:
        database.swallow_commit_answers()

        with pytest.raises(ZeroDivisionError), transaction.atomic():
            Pool.objects.create(kind="test")
            raise ZeroDivisionError

        assert Pool.objects.count() == 0
        assert database.commits_to_swallow == 1

    def test_a_cut_connection_is_an_error_and_the_next_one_works(self, database: Proxy) -> None:
        Pool.objects.count()
        database.cut()

        with pytest.raises(DatabaseError):
            Pool.objects.count()

        connection.close()
        assert Pool.objects.count() == 0
