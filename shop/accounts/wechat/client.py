"""WeChat's server, four of its endpoints: who sent a code, an access token, whose phone a code is,
and a message to somebody who allowed it.

What it is told and what it tells are secrets: an app's secret, tokens and session keys go out and
come in here and are in no error, no log line and no repr. A session key is not even kept for as
long as the call lasts.

A call is tried a few times within its time where WeChat is busy or not there. That may use a code
up twice: an answer that was lost, then "this code was used", which tells the client to get a new
one, as it must. A message is tried once: its sender knows when to do so again. Where it fails again
and again, WeChat is left alone for a while (`shop.breaker`), each endpoint for itself and each
process for itself.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from django.conf import settings
from prometheus_client import Counter

from shop.accounts.wechat.answers import (
    COMPLAINTS,
    FAILURES,
    RETRIED,
    AccessToken,
    App,
    Endpoint,
    Outcome,
    Person,
    WechatError,
    accepted,
    access_token_of,
    answer_of,
    person_of,
    phone_of,
)
from shop.accounts.wechat.tokens import Tokens
from shop.breaker import Breaker
from shop.errors import Busy
from shop.outside import Question, Server, Unanswered

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Of an answer's few hundred bytes.
MOST_BYTES = 16 * 1024
CONNECT_SECONDS = 1.5
ATTEMPTS = 3
# Waited before another try, at most (seconds), times 2 for each further one.
PAUSE_SECONDS = 0.1
# Calls that fail in a row before an endpoint is left alone, and for how long (seconds).
BREAKER_FAILURES, BREAKER_SECONDS = 5, 10.0
# How long (seconds) a request waits for one of the places at WeChat.
PLACE_SECONDS = 0.25
# The same complaint is logged at most this often (seconds) by each process.
COMPLAINT_SECONDS = 60.0

CALLS = Counter(
    "shop_wechat_calls", "Calls to WeChat, by what came of them.", ["endpoint", "outcome"]
)


class Wechat:
    """One server that speaks for WeChat. `seconds`: the whole of what a call may take."""

    def __init__(
        self,
        url: str,
        *,
        seconds: float,
        at_once: int,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._server = Server(
            url, connect_seconds=CONNECT_SECONDS, most_bytes=MOST_BYTES, kept=at_once
        )
        self._seconds = seconds
        self._clock = clock
        self._pause = pause
        self._breakers = {
            endpoint: Breaker(failures=BREAKER_FAILURES, seconds=BREAKER_SECONDS, clock=clock)
            for endpoint in Endpoint
        }
        self.tokens = Tokens(lambda app, force: self.access_token(app, force=force))
        self._places = threading.BoundedSemaphore(at_once)
        # When each complaint was logged last.
        self._complained: dict[tuple[Endpoint, int | None], float] = {}

    @contextmanager
    def place(self) -> Iterator[None]:
        """For whoever asks while a shopper waits: only so many at once, so that a slow WeChat never
        has all threads of the shop. Raises Busy."""
        if not self._places.acquire(timeout=PLACE_SECONDS):
            raise Busy
        try:
            yield
        finally:
            self._places.release()

    def person(self, app: App, *, code: str) -> Person:
        """Who logs in with `code`, which is used up by this. Raises WechatError."""
        query = {
            "appid": app.appid,
            "secret": app.secret,
            "js_code": code,
            "grant_type": "authorization_code",
        }
        question = Question("/sns/jscode2session", query=query)
        return self._ask(Endpoint.LOGIN, question, person_of)

    def access_token(self, app: App, *, force: bool = False) -> AccessToken:
        """The app's token, the same for everybody who asks while it is good. `force` ends it and
        begins another, which WeChat allows 20 times a day. Raises WechatError.

        For `tokens`, which remember it."""
        document = {
            "grant_type": "client_credential",
            "appid": app.appid,
            "secret": app.secret,
            "force_refresh": force,
        }
        question = Question("/cgi-bin/stable_token", document=document)
        return self._ask(Endpoint.TOKEN, question, access_token_of)

    def phone(self, app: App, *, code: str) -> str:
        """The phone number, as +8613800000000, of whoever let the app know it with `code`, which is
        used up by this. Raises WechatError."""
        return self._with_token(app, lambda access_token: self._phone(app, access_token, code))

    def _phone(self, app: App, access_token: str, code: str) -> str:
        question = Question(
            "/wxa/business/getuserphonenumber",
            query={"access_token": access_token},
            document={"code": code},
        )
        return self._ask(Endpoint.PHONE, question, lambda answer: phone_of(answer, app.appid))

    def subscribe_message(
        self, app: App, *, openid: str, template: str, page: str, data: Mapping[str, str]
    ) -> None:
        """Sends one of the messages that a person has let the app send them. `data`: the text of
        each of the template's keywords. Raises WechatError, which may mean that it was sent."""
        document = {
            "touser": openid,
            "template_id": template,
            "page": page,
            "data": {keyword: {"value": text} for keyword, text in data.items()},
            "miniprogram_state": "formal",
            "lang": "zh_CN",
        }

        def ask(access_token: str) -> None:
            question = Question(
                "/cgi-bin/message/subscribe/send",
                query={"access_token": access_token},
                document=document,
            )
            self._ask(Endpoint.NOTICE, question, accepted, attempts=1)

        self._with_token(app, ask)

    def _with_token(self, app: App, ask: Callable[[str], T]) -> T:
        """What `ask` says to a token that WeChat takes: another one, once, where it is stale."""
        token = self.tokens.get(app)
        try:
            return ask(token)
        except WechatError as error:
            if error.outcome is not Outcome.STALE_TOKEN:
                raise
        # What was asked for is as good as before: nobody looked at it.
        return ask(self.tokens.renewed(app, refused=token))

    def _ask(
        self,
        endpoint: Endpoint,
        question: Question,
        read: Callable[[Mapping[str, Any]], T],
        *,
        attempts: int = ATTEMPTS,
    ) -> T:
        until = self._clock() + self._seconds
        for attempt in range(1, attempts + 1):
            try:
                return self._once(endpoint, question, read, seconds=until - self._clock())
            except WechatError as error:
                pause = random.uniform(0, PAUSE_SECONDS * 2**attempt)  # noqa: S311
                in_time = self._clock() + pause < until
                if error.outcome not in RETRIED or attempt == attempts or not in_time:
                    raise
            self._pause(pause)
        raise AssertionError("unreachable")

    def _once(
        self,
        endpoint: Endpoint,
        question: Question,
        read: Callable[[Mapping[str, Any]], T],
        *,
        seconds: float,
    ) -> T:
        breaker = self._breakers[endpoint]
        if not breaker.lets_through():
            raise self._counted(endpoint, WechatError(Outcome.OPEN))
        try:
            answer = answer_of(self._server.ask(question, seconds=seconds), endpoint)
            result = read(answer)
        except WechatError as error:
            failure = error
        except Unanswered as error:
            failure = WechatError(Outcome(error.why.value), kind=error.kind)
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError):
            failure = WechatError(Outcome.GARBAGE)
        else:
            breaker.succeeded()
            CALLS.labels(endpoint.value, Outcome.OK.value).inc()
            return result
        if failure.outcome not in FAILURES:
            breaker.succeeded()
        elif breaker.failed():
            logger.warning(
                "wechat: %s failed %d times, now %s %s: left alone for %d seconds",
                *(endpoint.value, BREAKER_FAILURES, failure, failure.kind, BREAKER_SECONDS),
            )
        raise self._counted(endpoint, failure)

    def _counted(self, endpoint: Endpoint, error: WechatError) -> WechatError:
        CALLS.labels(endpoint.value, error.outcome.value).inc()
        complaint, now = (endpoint, error.errcode), self._clock()
        if (
            error.outcome in COMPLAINTS
            and now - self._complained.get(complaint, -COMPLAINT_SECONDS) >= COMPLAINT_SECONDS
        ):
            self._complained[complaint] = now
            logger.error("wechat: %s refused with errcode %s", endpoint.value, error.errcode)
        return error


_mutex = threading.Lock()
_wechats: dict[tuple[str, float, int], Wechat] = {}


def forget() -> None:
    """Has asked nobody yet: no token, no breaker, no connection."""
    with _mutex:
        _wechats.clear()


def wechat() -> Wechat:
    """The WeChat that the settings name: one for the whole process."""
    named = (settings.WECHAT_API_URL, settings.WECHAT_SECONDS, settings.WECHAT_AT_ONCE)
    with _mutex:
        if named not in _wechats:
            url, seconds, at_once = named
            _wechats[named] = Wechat(url, seconds=seconds, at_once=at_once)
        return _wechats[named]
