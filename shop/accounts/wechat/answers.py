"""What WeChat says, read strictly: four answers, its errcodes, and nothing that was not asked for.

Whatever is not as it should be is a ValueError, LookupError or TypeError of the reader's.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shop.outside import Why

# What openids, unionids and tokens are made of, and how long they may get.
ID = re.compile(r"[!-~]{1,64}")
ACCESS_TOKEN = re.compile(r"[!-~]{1,1024}")
DIGITS = re.compile(r"[0-9]{1,15}")


class Endpoint(StrEnum):
    LOGIN = "login"
    TOKEN = "token"  # noqa: S105
    PHONE = "phone"
    NOTICE = "notice"


class Outcome(StrEnum):
    """What came of a call, as metrics count it and as callers tell failures apart."""

    OK = "ok"
    BAD_CODE = "bad_code"  # never was one, was used, or of another mini-program
    RISKY = "risky"  # WeChat takes the person for a danger
    TOO_OFTEN = "too_often"
    STALE_TOKEN = "stale_token"  # noqa: S105  # not good any more, or none is to be had
    UNWANTED = "unwanted"  # its person has not let the mini-program send this message
    BAD_MESSAGE = "bad_message"  # its template, page or words are not taken
    SETTINGS = "settings"  # the shop's own: its appid, secret, rights, quota or address
    UNKNOWN = "unknown"  # an errcode that nobody foresaw
    BUSY = "busy"
    GARBAGE = "garbage"
    OPEN = "open"  # not asked: the breaker is open
    NETWORK = Why.NETWORK.value
    TIMEOUT = Why.TIMEOUT.value
    STATUS = Why.STATUS.value
    TOO_LARGE = Why.TOO_LARGE.value


# What speaks of WeChat's health, not of who asked or how the shop is set up.
FAILURES = frozenset(
    {
        Outcome.BUSY,
        Outcome.GARBAGE,
        Outcome.NETWORK,
        Outcome.TIMEOUT,
        Outcome.STATUS,
        Outcome.TOO_LARGE,
    }
)
RETRIED = frozenset({Outcome.BUSY, Outcome.NETWORK, Outcome.STATUS})
# What somebody must mend.
COMPLAINTS = frozenset({Outcome.BAD_MESSAGE, Outcome.SETTINGS, Outcome.UNKNOWN})

ERRCODES: Mapping[int, Outcome] = {
    -1: Outcome.BUSY,
    40001: Outcome.SETTINGS,  # wrong secret, where no token was shown
    40013: Outcome.SETTINGS,  # no such appid
    40029: Outcome.BAD_CODE,
    40125: Outcome.SETTINGS,  # wrong secret
    40163: Outcome.BAD_CODE,  # used
    40164: Outcome.SETTINGS,  # our address is not on the app's list
    40226: Outcome.RISKY,
    40243: Outcome.SETTINGS,  # the secret is frozen
    41002: Outcome.SETTINGS,  # appid missing
    41004: Outcome.SETTINGS,  # secret missing
    45009: Outcome.SETTINGS,  # the day's quota is used up
    45011: Outcome.TOO_OFTEN,
    48001: Outcome.SETTINGS,  # the app may not use this endpoint
}
# Where a token is shown instead of the appid and its secret.
ERRCODES_OF_TOKEN_HOLDERS: Mapping[int, Outcome] = {
    **ERRCODES,
    40001: Outcome.STALE_TOKEN,
    40014: Outcome.STALE_TOKEN,
    42001: Outcome.STALE_TOKEN,
}
ERRCODES_OF: Mapping[Endpoint, Mapping[int, Outcome]] = {
    Endpoint.LOGIN: ERRCODES,
    Endpoint.TOKEN: ERRCODES,
    Endpoint.PHONE: {
        **ERRCODES_OF_TOKEN_HOLDERS,
        40013: Outcome.BAD_CODE,  # of another mini-program than the token
    },
    Endpoint.NOTICE: {
        **ERRCODES_OF_TOKEN_HOLDERS,
        40003: Outcome.BAD_MESSAGE,  # no openid of this mini-program
        40037: Outcome.BAD_MESSAGE,  # no such template
        41030: Outcome.BAD_MESSAGE,  # no such page
        43101: Outcome.UNWANTED,
        43107: Outcome.SETTINGS,  # the mini-program, or the template, may send nothing now
        43108: Outcome.BUSY,  # another message to the same person is on its way
        45168: Outcome.BAD_MESSAGE,  # words that WeChat does not pass on
        47003: Outcome.BAD_MESSAGE,  # not what the template's keywords take
    },
}


class WechatError(Exception):
    """WeChat did not do what it was asked for. `errcode`: its number, None where it gave none."""

    def __init__(self, outcome: Outcome, errcode: int | None = None, kind: str = "") -> None:
        super().__init__(outcome.value if errcode is None else f"{outcome.value} {errcode}")
        self.outcome = outcome
        self.errcode = errcode
        # The name of what went wrong on the way, for operators.
        self.kind = kind


@dataclass(frozen=True, slots=True)
class App:
    """A mini-program of the shop."""

    appid: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Person:
    """Who sent a code. `unionid` is "" where WeChat tells none."""

    openid: str = field(repr=False)
    unionid: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """Opens an app's endpoints for `seconds`."""

    text: str = field(repr=False)
    seconds: int


def answer_of(body: bytes, endpoint: Endpoint) -> Mapping[str, Any]:
    """The object that `body` is, whatever type it is said to be: of logins it is "text/plain".

    Raises WechatError for a refusal, ValueError for anything else.
    """
    answer = json.loads(body.decode())
    if not isinstance(answer, dict):
        raise ValueError("not an object")
    errcode = answer.get("errcode", 0)
    if type(errcode) is not int:
        raise ValueError("errcode is no number")
    if errcode:
        raise WechatError(ERRCODES_OF[endpoint].get(errcode, Outcome.UNKNOWN), errcode)
    return answer


def person_of(answer: Mapping[str, Any]) -> Person:
    """All that is kept of a session."""
    unionid = answer.get("unionid") or ""
    return Person(
        openid=_matching(ID, answer["openid"]), unionid=unionid and _matching(ID, unionid)
    )


def access_token_of(answer: Mapping[str, Any]) -> AccessToken:
    seconds = answer["expires_in"]
    if type(seconds) is not int or not 0 <= seconds <= 24 * 3600:
        raise ValueError("expires_in is no lifetime")
    return AccessToken(_matching(ACCESS_TOKEN, answer["access_token"]), seconds)


def phone_of(answer: Mapping[str, Any], appid: str) -> str:
    phone = answer["phone_info"]
    if phone["watermark"]["appid"] != appid:
        raise ValueError("another mini-program's")
    # A number in some answers, a text in others.
    country = _matching(DIGITS, str(phone["countryCode"]))
    pure = re.sub("[ -]", "", phone["purePhoneNumber"])
    number = f"+{country}{_matching(DIGITS, pure)}"
    if not 8 <= len(number) <= 16:  # E.164: fifteen digits at most
        raise ValueError("no phone number")
    return number


def accepted(answer: Mapping[str, Any]) -> None:
    """Of an answer that says no more than that."""
    if "errcode" not in answer:
        raise ValueError("not what accepts anything")


def _matching(pattern: re.Pattern[str], text: Any) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise ValueError("not what it should be")
    return text
