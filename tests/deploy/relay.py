"""What nginx really sends to the shop: a relay between the two that counts and keeps it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

CHUNK = 64 * 1024


@dataclass(frozen=True)
class Request:
    """One request as it was sent. Names of headers are in small letters."""

    method: str
    path: str
    headers: dict[str, list[str]]


class Relay:
    """Passes every byte on, on a loopback port of its own. A context manager.

    `received` has, for each connection that was ever made to it, all that came from nginx.
    """

    def __init__(self, *, to_port: int, port: int = 0) -> None:
        self._to_port = to_port
        self._open = threading.Event()
        self._open.set()
        self._server = socket.create_server(("127.0.0.1", port), backlog=512)
        self._sockets: list[socket.socket] = []
        self.port = int(self._server.getsockname()[1])
        self.received: list[bytearray] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def requests(self) -> list[Request]:
        """Every request that has come with all of its headers, connection by connection."""
        return [request for data in list(self.received) for request in _requests(bytes(data))]

    @property
    def paths(self) -> list[str]:
        """What was asked for, each with its query."""
        return [request.path for request in self.requests]

    def hold(self) -> None:
        """From now on the shop hears nothing; connections are still taken."""
        self._open.clear()

    def release(self) -> None:
        """Passes everything on again, also what was held."""
        self._open.set()

    def stop(self) -> None:
        """Ends it: from now on nobody listens there."""
        # Wakes the thread that waits in accept(), which a close would leave there.
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._open.set()
        for connection in self._sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                front, _ = self._server.accept()
                shop = socket.create_connection(("127.0.0.1", self._to_port))
                self._sockets += [front, shop]
                kept = bytearray()
                self.received.append(kept)
                for pump in ((front, shop, kept), (shop, front, None)):
                    threading.Thread(target=self._pump, args=pump, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, kept: bytearray | None) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                if kept is not None:
                    kept += data
                    self._open.wait()
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _requests(data: bytes) -> Iterator[Request]:
    while b"\r\n\r\n" in data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, version = first.split(" ")
        assert version == "HTTP/1.1"
        headers: dict[str, list[str]] = {}
        for line in lines:
            name, _, value = line.partition(": ")
            headers.setdefault(name.lower(), []).append(value)
        yield Request(method, path, headers)
        # nginx always says how long a body is.
        assert "transfer-encoding" not in headers
        data = data[int(headers.get("content-length", ["0"])[0]) :]
