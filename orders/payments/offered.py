"""The remote payment providers that are switched on. The wallet is none of them: it is local."""

from django.conf import settings

from orders.payments.providers import Billed, Provider
from orders.payments.sandbox import SandboxProvider
from orders.payments.wechat.account import is_on as wechat_is_on
from orders.payments.wechat.provider import WechatPay

SANDBOX, WECHAT = "sandbox", "wechat"

sandbox = SandboxProvider()
wechat = WechatPay()


def providers() -> dict[str, Provider]:
    """By the name that clients use."""
    offered: dict[str, Provider] = {}
    if settings.SANDBOX_PAYMENTS:
        offered[SANDBOX] = sandbox
    if wechat_is_on():
        offered[WECHAT] = wechat
    return offered


def billed() -> dict[str, Billed]:
    """Those of them that make a bill of each day."""
    return {WECHAT: wechat} if wechat_is_on() else {}
