"""The ways to pay that this shop offers: the wallet, which is local, and the remote providers that
are switched on."""

from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings

from orders.payments.providers import Billed, Provider
from orders.payments.sandbox import SandboxProvider
from orders.payments.wallet import WALLET
from orders.payments.wechat.account import is_on as wechat_is_on
from orders.payments.wechat.provider import WechatPay

SANDBOX, WECHAT = "sandbox", "wechat"

sandbox = SandboxProvider()
wechat = WechatPay()


class Where(StrEnum):
    """Which client can carry a payment out."""

    ANYWHERE = "anywhere"
    MINI_PROGRAM = "mini_program"


@dataclass(frozen=True, slots=True)
class Method:
    """A way to pay orders. `tops_up`: also wallets."""

    provider: str
    where: Where
    tops_up: bool


def methods() -> list[Method]:
    """All that are offered; the wallet always is, and first."""
    return [
        Method(WALLET, Where.ANYWHERE, tops_up=False),
        *(
            Method(name, Where.MINI_PROGRAM if name == WECHAT else Where.ANYWHERE, tops_up=True)
            for name in providers()
        ),
    ]


def providers() -> dict[str, Provider]:
    """The remote ones, by the name that clients use."""
    offered: dict[str, Provider] = {}
    if settings.SANDBOX_PAYMENTS:
        offered[SANDBOX] = sandbox
    if wechat_is_on():
        offered[WECHAT] = wechat
    return offered


def billed() -> dict[str, Billed]:
    """Those of them that make a bill of each day."""
    return {WECHAT: wechat} if wechat_is_on() else {}
