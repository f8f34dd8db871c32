"""The fake over HTTP: whose request it is, and the ways in which an answer may go wrong."""

import base64
import json
import re
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from tests.fakes.wechat_pay import page
from tests.fakes.wechat_pay.keys import Signer, strangers_key

if TYPE_CHECKING:
    from tests.fakes.wechat_pay.server import WechatPay

AUTHORIZATION = re.compile(
    r'WECHATPAY2-SHA256-RSA2048 mchid="(?P<mchid>[^"]*)",nonce_str="(?P<nonce>[^"]*)",'
    r'signature="(?P<signature>[^"]*)",timestamp="(?P<stamp>[0-9]*)",serial_no="(?P<serial>[^"]*)"'
)


def is_signed(
    pay: "WechatPay", method: str, target: str, headers: Mapping[str, str], body: bytes
) -> bool:
    """Whether a request is the merchant's."""
    found = AUTHORIZATION.fullmatch(headers.get("Authorization", ""))
    if found is None or found["serial"] != pay.keys.merchant.serial:
        return False
    if found["mchid"] != pay.mchid or abs(time.time() - int(found["stamp"])) > 300:
        return False
    message = f"{method}\n{target}\n{found['stamp']}\n{found['nonce']}\n".encode()
    try:
        pay.keys.merchant.key.public_key().verify(
            base64.b64decode(found["signature"]), message + body + b"\n", PKCS1v15(), SHA256()
        )
    except InvalidSignature:
        return False
    return True


class PayServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    pay: "WechatPay"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up on a fault is what the fault is for."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PayServer

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def _answer(self, method: str) -> None:
        pay = self.server.pay
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        if not parts.path.startswith("/v3/"):
            self._play(method, parts.path)
            return
        if not is_signed(pay, method, self.path, dict(self.headers.items()), body):
            self._send(401, json.dumps({"code": "SIGN_ERROR", "message": "no"}).encode(), {})
            return
        asked = pay.route_of(method, parts.path)
        if asked is None:
            self._send(404, b'{"code": "NOT_FOUND", "message": "no"}', {})
            return
        route, numbers = asked
        fault = pay.fault(route.call)
        if fault.startswith("!"):  # nothing is done, and that is said
            status, _, code = fault[1:].partition(" ")
            said = json.dumps({"code": code or "SYSTEM_ERROR", "message": "no"}).encode()
            self._send(int(status), said, pay.signed(said))
            return
        said = json.loads(body) if body else dict(parse_qsl(parts.query))
        status, right = pay.answer(route, numbers, said)
        content = right if isinstance(right, bytes) else b""
        if right is not None and not content:
            content = json.dumps(right).encode()
        headers = {} if route.call == "bill_file" else pay.signed(content)
        self._spoilt(fault, status, content, headers)

    def _spoilt(self, fault: str, status: int, content: bytes, headers: dict[str, str]) -> None:
        """Done, and told as `fault` says."""
        pay = self.server.pay
        if fault == "lost":
            self.close_connection = True
            return
        if fault == "hang":
            self.close_connection = True
            pay.over.wait()
            return
        if fault == "unsigned":
            headers = {}
        if fault == "old":
            headers = pay.signed(content, stamp=int(time.time()) - 301)
        if fault == "forged":
            headers = pay.signed(
                content, signer=Signer(headers["Wechatpay-Serial"], strangers_key())
            )
        if fault == "spoilt":
            content = content.replace(b'"', b"'", 1)
        if fault == "garbage":
            content = b"<html>"
            headers = pay.signed(content)
        self._send(status, content, headers)

    def _send(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if status != 204:
            self.wfile.write(content)

    def _play(self, method: str, path: str) -> None:
        status, kind, content, to = page.play(self.server.pay, method, path)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if to:
            self.send_header("Location", to)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: Any) -> None:
        pass
