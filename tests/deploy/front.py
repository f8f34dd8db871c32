"""deploy/nginx.conf itself on this machine: other ports and folders, nothing else is changed."""

import json
import os
import pwd
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from email.message import Message
from functools import cached_property
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy.local import packages
from deploy.local.processes import Child, free_port
from tests.ops.processes import ROOT

NAME = "shop.example"
CONFIGURATION = ROOT / "deploy" / "nginx.conf"
START_SECONDS = 60.0
ANSWER_SECONDS = 60.0
# How long it waits for others is not what is tested: however slow this machine is, they are heard.
PATIENCE = {
    "client_header_timeout 10s;": "client_header_timeout 120s;",
    "client_body_timeout 10s;": "client_body_timeout 120s;",
    " send_timeout 10s;": " send_timeout 120s;",
    "proxy_connect_timeout 2s;": "proxy_connect_timeout 60s;",
    "proxy_send_timeout 10s;": "proxy_send_timeout 120s;",
    "proxy_read_timeout 15s;": "proxy_read_timeout 120s;",
    "proxy_cache_lock_age 3s;": "proxy_cache_lock_age 120s;",
    "proxy_cache_lock_timeout 3s;": "proxy_cache_lock_timeout 120s;",
}


def substitutions(folder: Path, *, certificate: Path, shop_port: int, user: str) -> dict[str, str]:
    """What stands in the file, and what stands there here. Not its ports."""
    return {
        "user www-data;": f"user {user};",
        "/etc/scarce/tls/": f"{certificate}/",
        "/var/lib/scarce;": f"{folder}/var;",
        "/var/www/acme;": f"{folder}/acme;",
        "/var/log/nginx/": f"{folder}/log/",
        "/run/nginx.pid": f"{folder}/nginx.pid",
        "/run/scarce-cache": f"{folder}/cache",
        "server 127.0.0.1:8000;": f"server 127.0.0.1:{shop_port};",
        # These folders are the package's own and no line of the file.
        "\nhttp {\n": "\nhttp {\n"
        + "".join(
            f"    {kind}_temp_path {folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        ),
    }


def render(replacing: Mapping[str, str]) -> str:
    """The file with each of the keys, which all occur in it, replaced."""
    text = CONFIGURATION.read_text()
    for old, new in replacing.items():
        assert old in text, f"deploy/nginx.conf has no {old!r} any more"
        text = text.replace(old, new)
    return text


def make_certificate(folder: Path) -> None:
    """A key and a certificate for NAME that nobody but these tests trusts."""
    openssl = packages.find("openssl")
    assert openssl
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", f"/CN={NAME}"),
            *("-addext", f"subjectAltName=DNS:{NAME}"),
            *("-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"),
        ],
        capture_output=True,
        check=True,
    )


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    def problem(self) -> Any:
        """The body, read as problem+json, which its headers must agree with."""
        assert self.headers["Content-Type"] == "application/problem+json"
        problem = self.json()
        assert problem["status"] == self.status
        retry_after = problem.get("retry_after")
        assert self.headers["Retry-After"] == (None if retry_after is None else str(retry_after))
        return problem


class Front:
    """nginx in front of whatever listens on `shop_port`. A context manager.

    `changes` are further replacements in the file, for what would take a test too long.
    """

    def __init__(
        self,
        folder: Path,
        *,
        certificate: Path,
        shop_port: int,
        changes: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.certificate = certificate
        self.port, self.plain_port = free_port(), free_port()
        listens = {
            "listen 80 ": f"listen 127.0.0.1:{self.plain_port} ",
            "listen 443 ": f"listen 127.0.0.1:{self.port} ",
            # Not every machine has IPv6.
            "listen [::]:80 ": f"listen 127.0.0.1:{free_port()} ",
            "listen [::]:443 ": f"listen 127.0.0.1:{free_port()} ",
        }
        user = pwd.getpwuid(os.geteuid()).pw_name
        (folder / "log").mkdir(parents=True)
        (folder / "var" / "static").mkdir(parents=True)
        (folder / "var" / "media").mkdir()
        file = folder / "nginx.conf"
        replacing = {
            **substitutions(folder, certificate=certificate, shop_port=shop_port, user=user),
            **listens,
            **PATIENCE,
            **(changes or {}),
        }
        file.write_text(render(replacing))
        nginx = packages.find("nginx")
        assert nginx
        log = folder / "log" / "start.log"
        command: list[str | Path] = [nginx, "-c", file, "-e", log, "-g", "daemon off;"]
        self._nginx = Child("nginx", command, log=log)

    def __enter__(self) -> Self:
        self._nginx.start()
        self._nginx.wait_until(self._listens, seconds=START_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._nginx.stop()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate / "fullchain.pem"))

    def connect(self, *, source: str = "127.0.0.1") -> ssl.SSLSocket:
        """A connection from the address `source` of this machine, after the handshake."""
        plain = socket.create_connection(
            ("127.0.0.1", self.port), timeout=ANSWER_SECONDS, source_address=(source, 0)
        )
        return self._tls.wrap_socket(plain, server_hostname=NAME)

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        source: str = "127.0.0.1",
        over: ssl.SSLSocket | None = None,
    ) -> Answer:
        """One request, on a connection of its own or `over` one that stays open."""
        with nullcontext(over) if over else self.connect(source=source) as connection:
            http = HTTPConnection(NAME)
            http.sock = connection
            http.request(method, path, body=body, headers=dict(headers or {}))
            return receive(connection)

    def get(self, path: str, **headers: str) -> Answer:
        """GET with these headers (`accept_language` is Accept-Language)."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("GET", path, headers=named)

    def post(self, path: str, document: object, **headers: str) -> Answer:
        """POST of JSON, with headers as in `get`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask(
            "POST",
            path,
            body=json.dumps(document).encode(),
            headers={"Content-Type": "application/json", **named},
        )

    def exchange(self, connection: ssl.SSLSocket, request: bytes) -> Answer:
        """Sends bytes as they are; the answer, which may come before all of them are taken."""
        with suppress(OSError):
            connection.sendall(request)
        return receive(connection)

    def wait_for(self, condition: Callable[[], bool]) -> bool:
        """Whether it comes true within ANSWER_SECONDS."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _listens(self) -> bool:
        try:
            self.connect().close()
        except OSError:
            return False
        return True


def receive(connection: socket.socket) -> Answer:
    """The next answer on a connection."""
    response = HTTPResponse(connection)
    response.begin()
    return Answer(response.status, response.headers, response.read())
