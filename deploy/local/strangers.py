"""Servers that are not the shop's, played on this machine by the fakes of the tests.

WeChat says who somebody is, and WeChat Pay has a page to play the shopper on. Its keys are made new
at each start and are in `var/`; what it knew before it has forgotten. Nobody's money is in it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from deploy.local.processes import (
    PYTHON,
    VAR,
    Child,
    free_port,
    listening,
    private_directory,
    stop_all,
)

APP = "wx0000000000000001"
# Public, as everything here.
APPS = f"{APP}=not-a-secret"
SECONDS = 30.0


class Strangers:
    """Both of them; `env` is what a shop at that address takes to ask them."""

    def __init__(self, *, shop: str) -> None:
        self._wechat_port, self._pay_port = free_port(), free_port()
        self._keys = VAR / "wechat-pay"
        self._shop = shop
        self._children = [
            self._child("wechat_api", self._wechat_port, "--app", APPS),
            self._child("wechat_pay", self._pay_port, "--app", APP, "--keys", str(self._keys)),
        ]

    def _child(self, name: str, port: int, *options: str) -> Child:
        command: list[str | Path] = [
            PYTHON,
            "-m",
            f"tests.fakes.{name}",
            "--port",
            str(port),
            *options,
        ]
        log = VAR / "log" / f"{name}.log"
        log.unlink(missing_ok=True)
        return Child(name, command, log=log)

    @property
    def page(self) -> str:
        """Where whoever looks plays the shopper who pays."""
        return f"http://127.0.0.1:{self._pay_port}/"

    @contextmanager
    def running(self) -> Iterator[dict[str, str]]:
        """While inside, they answer. Raises LocalError when one does not start."""
        private_directory(self._keys)
        try:
            for child in self._children:
                child.start()
            ports = (self._wechat_port, self._pay_port)
            for child, port in zip(self._children, ports, strict=True):
                child.wait_until(partial(listening, port), seconds=SECONDS)
            yield self._env()
        finally:
            stop_all(self._children, seconds=2.0)

    def _env(self) -> dict[str, str]:
        written = (self._keys / "settings.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in written) | {
            "WECHAT_API_URL": f"http://127.0.0.1:{self._wechat_port}",
            "WECHAT_APPS": APPS,
            "WECHAT_PAY_CALLED_AT": self._shop,
        }
