"""The ways to tell somebody something, behind one Protocol: another one is a class and a line here.

A channel sends, and says why not where it can't. When it is tried again, and what is kept, is
`shop.notices.delivery`'s.
"""

import logging
from collections.abc import Mapping
from typing import Protocol

from django.conf import settings

from shop.notices.models import Notice
from shop.notices.wechat import WechatChannel

logger = logging.getLogger(__name__)


class Channel(Protocol):
    def carries(self, event: str) -> bool:
        """Whether it has words for that event. Asked in transactions of orders: no query."""
        ...

    def send(self, notice: Notice) -> None:
        """Sends it, perhaps for the second time: its `key` says which one it is. Raises
        Undelivered."""
        ...


class LogChannel:
    """A line that says what was told, and not to whom: for shops without another channel."""

    def carries(self, event: str) -> bool:
        return True

    def send(self, notice: Notice) -> None:
        logger.info("notice %s", notice.key)


CHANNELS: Mapping[str, Channel] = {"log": LogChannel(), "wechat": WechatChannel()}


def channels_on() -> Mapping[str, Channel]:
    """Those that the settings name; one that does not exist is an error of `manage.py check`."""
    return {name: CHANNELS[name] for name in settings.NOTICE_CHANNELS if name in CHANNELS}
