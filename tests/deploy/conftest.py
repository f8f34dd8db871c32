"""A real shop on SQLite, started as its systemd unit starts it, with a real nginx before it."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from functools import cached_property
from http.client import HTTPConnection
from pathlib import Path

import pytest

from deploy.local import packages
from deploy.local.processes import Child, free_port
from tests.deploy.front import NAME, Front, make_certificate
from tests.deploy.relay import Relay
from tests.deploy.units import Unit
from tests.ops.processes import ROOT, environment

START_SECONDS = 120.0


class Shop:
    """The shop's web process, without anything in front."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.variables = environment(
            DJANGO_SETTINGS_MODULE="settings.test",
            SCARCE_VAR=str(folder),
            ALLOWED_HOSTS=NAME,
            TRUSTED_PROXIES="1",
            PYTHONUNBUFFERED="1",
        )
        prepared = subprocess.run(
            [sys.executable, "-m", "deploy.local.prepare"],
            env=self.variables,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        self.shopper = json.loads(prepared.stdout.splitlines()[-1])["shopper"]
        unit = Unit.read("scarce-web.service")
        self.web = Child(
            "web",
            unit.command(),
            log=folder / "web.log",
            env={**self.variables, **unit.tuning(), "GRANIAN_PORT": str(self.port)},
        )

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 60.0,
    ) -> int:
        """The status of one request, sent to the shop's own port. Raises TimeoutError."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=seconds)) as http:
            http.request(method, path, body=body, headers={"Host": NAME, **(headers or {})})
            return http.getresponse().status

    @cached_property
    def token(self) -> str:
        """An access token of the demo's shopper."""
        document = json.dumps(dict(zip(("username", "password"), self.shopper, strict=True)))
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as http:
            headers = {"Host": NAME, "Content-Type": "application/json"}
            http.request("POST", "/api/v1/auth/login", body=document, headers=headers)
            return str(json.load(http.getresponse())["access"])

    def connect(self) -> socket.socket:
        """A connection to the shop's own port."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            return self.ask("GET", "/livez") == 200
        except OSError:
            return False


@pytest.fixture(scope="session")
def nginx() -> None:
    """Skips what needs nginx where there is none; `make test` installs it if it can."""
    if missing := packages.NGINX.missing():
        pytest.skip(f"{packages.NGINX.what}: not found: {', '.join(missing)}")


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Made once: what a test does to it no other one looks at."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.web.start()
    try:
        shop.web.wait_until(shop.answers, seconds=START_SECONDS)
        yield shop
    finally:
        shop.web.stop()


@pytest.fixture
def relay(shop: Shop) -> Iterator[Relay]:
    """Between nginx and the shop."""
    with Relay(to_port=shop.port) as relay:
        yield relay


@pytest.fixture(scope="session")
def certificate(nginx: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one for shop.example."""
    folder = tmp_path_factory.mktemp("tls")
    make_certificate(folder)
    return folder


@pytest.fixture
def make_front(certificate: Path, tmp_path: Path) -> Iterator[Callable[..., Front]]:
    """Starts an nginx, with changes to the file if a test needs them: new, so nothing is counted
    or kept in it yet."""
    with ExitStack() as stack:
        yield lambda **arguments: stack.enter_context(
            Front(tmp_path / "nginx", certificate=certificate, **arguments)
        )


@pytest.fixture
def front(make_front: Callable[..., Front], relay: Relay) -> Front:
    """nginx, the relay and the shop in a row."""
    return make_front(shop_port=relay.port)
