"""A server that answers as relays of drand do, and as they should not."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lottery.draws.identity import QUICKNET
from tests.lottery.draws.facts import LATEST, ROUNDS

GOOD = {
    "round": LATEST.number,
    "randomness": LATEST.randomness,
    "signature": LATEST.signature,
}
INFINITY = "c0" + "00" * 47


def text(**changes) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


# What a relay of that name answers: a status and a body.
ANSWERS = {
    "good": (200, text()),
    "error": (500, text()),
    "missing": (404, b'{"error": "no such round"}'),
    "early": (425, b""),
    "other-signature": (200, text(signature=ROUNDS[0].signature)),
    "other-round": (200, text(round=LATEST.number - 1)),
    "other-whole-round": (
        200,
        json.dumps({"round": ROUNDS[0].number, "signature": ROUNDS[0].signature}).encode(),
    ),
    "other-chain": (
        # Round 38 of another chain of the same scheme, from drand-client's own tests, as if of now.
        200,
        text(
            signature="95c93585c513ebbcb4777ff15599b3140e5ec0295faa0e483f3deadd88fa6d43"
            "f0d3703e3a4ce106e8fd6c6987f32126"
        ),
    ),
    "bit-flipped": (200, text(signature=LATEST.signature[:-1] + "d")),
    "infinity": (200, text(signature=INFINITY)),
    "short": (200, text(signature=LATEST.signature[:-2])),
    "no-hex": (200, text(signature="signed, the League")),
    "no-signature": (200, json.dumps({"round": LATEST.number}).encode()),
    "round-as-text": (200, text(round=str(LATEST.number))),
    "huge-round": (200, b'{"round": ' + b"9" * 4000 + b"}"),
    "list": (200, b"[1, 2, 3]"),
    "null": (200, b"null"),
    "deep": (200, b"[" * 4000),
    "garbage": (200, b"\xff\xfe<html>"),
    "empty": (200, b""),
    "large": (200, b" " * 4096 + text()),
}


class Relay:
    """`url(name)` is the base address of the relay of that name; `asked` are those that were."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.asked: list[str] = []
        self.is_over = threading.Event()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._port}/{name}/"


@contextmanager
def relay() -> Iterator[Relay]:
    """A server on a loopback port, gone afterwards with all that it still answers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _, name, chain, *rest = self.path.split("/")
            said.asked.append(name)
            assert (chain, rest) == (QUICKNET.chain_hash, ["public", str(LATEST.number)])
            with suppress(ConnectionError):
                self.answer(name)

        def answer(self, name: str) -> None:
            if name == "silent":
                said.is_over.wait(300)
            elif name == "slow":
                late = b" " * 3_000 + ANSWERS["good"][1]
                self.begin(200, len(late))
                for byte in late:
                    self.wfile.write(bytes([byte]))
                    if said.is_over.wait(0.05):
                        return
            elif name == "endless":
                self.begin(200, None)
                while not said.is_over.is_set():
                    self.wfile.write(b" " * 65_536)
            elif name == "moved":
                self.send_response(302)
                self.send_header("Location", said.url("good") + "/".join(self.path.split("/")[2:]))
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif name == "cut":
                self.begin(200, 1_000)
                self.wfile.write(ANSWERS["good"][1])
                self.close_connection = True
            elif name == "no-http":
                self.wfile.write(b"220 mail.example ready\r\n")
                self.close_connection = True
            else:
                status, body = ANSWERS[name]
                self.begin(status, len(body))
                self.wfile.write(body)

        def begin(self, status: int, length: int | None) -> None:
            self.send_response(status)
            self.send_header("Connection", "close")
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    said = Relay(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield said
    finally:
        said.is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()
