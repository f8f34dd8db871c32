"""An outbox that tells into a list, and a WeChat of the test's own."""

from collections.abc import Callable, Iterator
from threading import Lock

import pytest
from pytest_django.fixtures import Settings

from shop.notices import channels
from shop.notices.models import Notice
from tests.accounts.wechat.conftest import counted, far

__all__ = ["counted", "far"]


class Told:
    """A channel that keeps what it was told to send, and fails as the test says."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.seen: list[Notice] = []
        # Called before it takes a notice; what it raises is why it was not sent.
        self.before: Callable[[Notice], None] = lambda notice: None
        self._mutex = Lock()

    def carries(self, event: str) -> bool:
        return True

    def send(self, notice: Notice) -> None:
        with self._mutex:
            self.seen.append(notice)
        self.before(notice)
        with self._mutex:
            self.keys.append(notice.key)


@pytest.fixture
def told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """The one channel that is on."""
    channel = Told()
    monkeypatch.setattr(channels, "CHANNELS", {**channels.CHANNELS, "told": channel})
    settings.NOTICE_CHANNELS = ["told"]
    return channel
