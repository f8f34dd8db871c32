"""What may go wrong between WeChat and the shop, each as a way to answer a request."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

Answer = Mapping[str, Any]

HUGE = 10 * 1024 * 1024
CHUNK = b"x" * 65_536
DRIP_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Fault:
    """`play` gets the handler and the right answer. `is_late`: the request was carried out."""

    play: Callable[[BaseHTTPRequestHandler, Answer], None]
    is_late: bool = False


def send(
    handler: BaseHTTPRequestHandler,
    body: bytes,
    *,
    status: int = 200,
    content_type: str = "application/json; encoding=utf-8",
    **headers: str,
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", content_type)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def errcode(number: int) -> Fault:
    """WeChat's own way to refuse. Its text tells what it should not."""

    def play(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        told = f"error {number} of {handler.path}, rid: 1-2-3"
        send(handler, json.dumps({"errcode": number, "errmsg": told}).encode())

    return Fault(play)


def status(number: int) -> Fault:
    return Fault(lambda handler, answer: send(handler, b"{}", status=number))


def body(content: bytes, content_type: str = "application/json") -> Fault:
    """Instead of the right answer."""
    return Fault(lambda handler, answer: send(handler, content, content_type=content_type))


def redirect(to: str) -> Fault:
    return Fault(lambda handler, answer: send(handler, b"", status=302, Location=to))


def called(content_type: str) -> Fault:
    """The right answer by another name."""
    return Fault(
        lambda handler, answer: send(
            handler, json.dumps(answer).encode(), content_type=content_type
        ),
        is_late=True,
    )


def without(member: str) -> Fault:
    """The right answer without one of its members."""
    return Fault(
        lambda handler, answer: send(
            handler, json.dumps({name: answer[name] for name in answer if name != member}).encode()
        ),
        is_late=True,
    )


def changed(**members: Any) -> Fault:
    """The right answer with other members."""
    return Fault(
        lambda handler, answer: send(handler, json.dumps({**answer, **members}).encode()),
        is_late=True,
    )


def met(meeting: threading.Barrier) -> Fault:
    """Answered when as many have asked as meet there."""

    def play(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        meeting.wait()
        send(handler, b"{}")

    return Fault(play)


def _huge(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for _ in range(HUGE // len(CHUNK)):
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(CHUNK), CHUNK))
        handler.server.sent += len(CHUNK)  # type: ignore[attr-defined]
    handler.wfile.write(b"0\r\n\r\n")


def _cut(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    handler.close_connection = True


def _half(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"openid": "')


def _hang(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    handler.close_connection = True
    handler.server.over.wait()  # type: ignore[attr-defined]


def _drip(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.server.over.wait(DRIP_SECONDS):  # type: ignore[attr-defined]
        handler.wfile.write(b"x")


# Ten megabytes, of a length that is not told before.
huge = Fault(_huge)
# The answer is lost.
cut = Fault(_cut, is_late=True)
# Fewer bytes than were promised.
half = Fault(_half, is_late=True)
# No answer as long as the server lives.
hang = Fault(_hang, is_late=True)
# A header line without an end, a byte at a time: no single read ever times out.
drip = Fault(_drip, is_late=True)

BY_NAME: Mapping[str, Fault] = {
    "status500": status(500),
    "status502": status(502),
    "garbage": body(b"<html>502</html>", "text/html"),
    "huge": huge,
    "cut": cut,
    "half": half,
    "hang": hang,
    "drip": drip,
}
