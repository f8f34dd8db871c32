"""Half an account at WeChat Pay is refused, in words, before anything runs."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register

from orders.payments.wechat.account import faults


@register()
def account_is_whole(
    app_configs: Sequence[AppConfig] | None = None, **_options: Any
) -> list[CheckMessage]:
    """Whatever is missing, misformed or can't be read, by the name of its setting."""
    return [Error(fault, id="payments.E001") for fault in faults()]
