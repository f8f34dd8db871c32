"""A WeChat Pay of one's own: the parts of its API v3 that the shop uses, with real keys, signatures
and encryption, and with its faults. Nobody's money is in it.

`WechatPay` plays WeChat Pay and the shopper who pays; what it calls the shop with can be had as
bytes, to be lost, repeated, delayed or spoilt. Standing alone (`python -m tests.fakes.wechat_pay`)
it calls the shop by itself, and has a page on which a person plays the shopper.
"""

from tests.fakes.wechat_pay.keys import Keys, keys
from tests.fakes.wechat_pay.server import WechatPay

__all__ = ["Keys", "WechatPay", "keys"]
