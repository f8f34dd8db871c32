"""The four endpoints of WeChat that the shop asks, with their habits and their faults.

Logins and phones are codes of the form NAME.NUMBER: the name is who somebody is, the whole is good
for one use. Openid, unionid and phone follow from the name, so the same name is the same person in
every run. A name that is a number is answered with that errcode, one of `faults.BY_NAME` with that
fault; anything without a dot is no code at all.

A message arrives where its template exists, its words fit, and its person has allowed one more.
"""

from tests.fakes.wechat_api import faults
from tests.fakes.wechat_api.people import openid_of, phone_of, unionid_of
from tests.fakes.wechat_api.server import LOGIN, PHONE, SEND, TOKEN, WechatApi

__all__ = [
    "LOGIN",
    "PHONE",
    "SEND",
    "TOKEN",
    "WechatApi",
    "faults",
    "openid_of",
    "phone_of",
    "unionid_of",
]
