"""A TCP proxy that does to a connection what networks do: delay, cut, black-hole, lose an answer.

It stands between the shop and MariaDB or Redis, on a loopback port of its own. Of the MySQL
protocol it understands just enough to see a COMMIT pass (packets of a three byte length and a
sequence number; COM_QUERY is 3), in plain text, uncompressed, as the client sends it here.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections

T = TypeVar("T")

CHUNK = 64 * 1024
BOUND_SECONDS = 120.0
COM_QUERY = 3


class CommitScanner:
    """Finds COM_QUERY "COMMIT" in what a MySQL client sends, however it is cut into pieces."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> bool:
        """Whether a COMMIT ends in `data`."""
        self._pending += data
        found = False
        while len(self._pending) >= 4:
            length = int.from_bytes(self._pending[:3], "little")
            if len(self._pending) < 4 + length:
                break
            sequence, payload = self._pending[3], bytes(self._pending[4 : 4 + length])
            del self._pending[: 4 + length]
            # A command starts its own sequence; the handshake's packets are numbered on.
            found = found or (
                sequence == 0
                and payload[:1] == bytes([COM_QUERY])
                and payload[1:].strip().rstrip(b";").upper() == b"COMMIT"
            )
        return found


class Proxy:
    """Passes everything on until it is told otherwise. Use it as a context manager."""

    def __init__(self, *, host: str, port: int) -> None:
        self._target = (host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._links: set[_Link] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.delay_seconds = 0.0
        self.commits_to_swallow = 0
        self.commits_to_lose = 0
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(BOUND_SECONDS)
        self._loop.close()

    @property
    def links(self) -> int:
        """How many connections are open through it."""
        return len(self._links)

    def delay(self, milliseconds: int) -> None:
        """From now on each piece of data waits this long, in both directions."""
        self.delay_seconds = milliseconds / 1000

    def black_hole(self) -> None:
        """From now on nothing arrives any more; connections stay open, new ones are accepted."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def heal(self) -> None:
        """Passes everything on again, also what a black hole held back."""
        self.delay(0)
        self._loop.call_soon_threadsafe(self._open.set)

    def cut(self) -> None:
        """Resets every open connection (RST) on both sides; new ones are accepted."""
        self._call(self._cut())

    def swallow_commit_answers(self, count: int = 1) -> None:
        """The next `count` COMMITs are done by the server, whose client is cut off, not told."""
        self.commits_to_swallow = count

    def lose_commits(self, count: int = 1) -> None:
        """The next `count` COMMITs never reach the server; the client is cut off."""
        self.commits_to_lose = count

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)
            return
        link = _Link(self, writer, server_writer)
        self._links.add(link)
        pumps = [
            asyncio.ensure_future(link.from_client(reader)),
            asyncio.ensure_future(link.from_server(server_reader)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._links.discard(link)
            link.close()

    async def passes(self) -> None:
        """Waits as long as the network is told to hold things back."""
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        await self._open.wait()

    async def _cut(self) -> None:
        for link in list(self._links):
            link.reset()

    async def _stop(self) -> None:
        self._server.close()
        self._open.set()
        await self._cut()
        others = asyncio.all_tasks(self._loop) - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=BOUND_SECONDS)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(BOUND_SECONDS)


@contextmanager
def database_through(proxy: Proxy) -> Iterator[None]:
    """This thread's database connection, opened anew through `proxy` inside the block."""
    direct = connections[DEFAULT_DB_ALIAS]
    indirect = direct.copy()
    indirect.settings_dict |= {"HOST": "127.0.0.1", "PORT": str(proxy.port)}
    connections[DEFAULT_DB_ALIAS] = indirect
    try:
        yield
    finally:
        indirect.close()
        connections[DEFAULT_DB_ALIAS] = direct


class _Link:
    """One client's connection and the one to the server that belongs to it."""

    def __init__(
        self, proxy: Proxy, client: asyncio.StreamWriter, server: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._scanner = CommitScanner()
        self._swallows = False

    async def from_client(self, reader: asyncio.StreamReader) -> None:
        while data := await _read(reader):
            if self._scanner.feed(data):
                if self._proxy.commits_to_lose:
                    self._proxy.commits_to_lose -= 1
                    self.reset()
                    return
                if self._proxy.commits_to_swallow:
                    self._proxy.commits_to_swallow -= 1
                    self._swallows = True
            await self._pass(data, self._server)

    async def from_server(self, reader: asyncio.StreamReader) -> None:
        while data := await _read(reader):
            if self._swallows:
                self.reset()
                return
            await self._pass(data, self._client)

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        await self._proxy.passes()
        try:
            writer.write(data)
            await writer.drain()
        except OSError:
            return  # the other side is gone; the next read says so

    def reset(self) -> None:
        _reset(self._client)
        _reset(self._server)

    def close(self) -> None:
        self._client.close()
        self._server.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(CHUNK)
    except OSError:
        return b""


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closes with RST: linger for zero seconds."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
