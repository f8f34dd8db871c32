"""Access tokens of the shop's mini-programs: asked for once by all of its processes, not by each
request.

Known to this process, else to Django's cache, else asked for; under Redis that is one call in two
hours for the whole shop. In a process one thread asks and the others wait for it. Between processes
a key in the cache says that somebody is asking. It decides nothing: where its holder died, or the
cache is gone or empty, the next one asks too, and WeChat gives everybody who asks the same token.

A token is renewed before it ends, by one request, while the others go on with the old one; and when
WeChat says that it is not good any more, once for all who heard that.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from django.core.cache import cache

from shop.accounts.wechat.answers import AccessToken, App, Outcome, WechatError

logger = logging.getLogger(__name__)

# WeChat begins a new token in the last five minutes of the old one, and not before.
EARLY_SECONDS = 240
# A token is not used in its last moments, and not asked for again sooner than that.
SPARE_SECONDS, AGAIN_SECONDS = 10, 20
# How long another process may take before this one asks too, and between two looks.
PATIENCE_SECONDS, LOOK_SECONDS = 1.5, 0.05
# The key of a process that died while it asked ends by itself. Nobody asks longer than that.
LEASE_SECONDS = 10
# WeChat lets an app force a new token 20 times a day.
FORCE_SECONDS = 24 * 3600 // 20


@dataclass(frozen=True, slots=True)
class Known:
    """A token. Times are seconds since 1970: processes share them."""

    text: str = field(repr=False)
    renew_at: float
    good_until: float

    def again_at(self, moment: float) -> "Known":
        """The same, to be renewed at another moment."""
        return Known(self.text, min(moment, self.good_until), self.good_until)


class Tokens:
    """Of one WeChat. `fetch`: asks it, `(app, force)`."""

    def __init__(
        self,
        fetch: Callable[[App, bool], AccessToken],
        *,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._pause = pause
        self._mutex = threading.Lock()
        self._known: dict[str, Known] = {}
        self._flights: dict[str, Future[Known]] = {}
        self._forced_at: dict[str, float] = {}

    def get(self, app: App) -> str:
        """A token that is good as far as anybody knows. Raises WechatError (STALE_TOKEN)."""
        known, now = self._known.get(app.appid), self._clock()
        if known is None or now >= known.good_until:
            return self._renewed(app).text
        if now < known.renew_at:
            return known.text
        try:
            return self._renewed(app, meanwhile=known).text
        except WechatError:  # it is good for minutes yet
            self._known[app.appid] = known.again_at(self._clock() + AGAIN_SECONDS)
            return known.text

    def renewed(self, app: App, *, refused: str) -> str:
        """A token in the place of one that WeChat does not take any more. Raises WechatError
        (STALE_TOKEN)."""
        known = self._renewed(app, refused=refused)
        if known.text == refused:  # from one who had begun to ask before it was refused
            known = self._renewed(app, refused=refused)
        return known.text

    def _renewed(self, app: App, *, refused: str = "", meanwhile: Known | None = None) -> Known:
        """`meanwhile`: what will do where somebody else is asking already."""
        with self._mutex:
            flight = self._flights.get(app.appid)
            is_mine = flight is None
            if flight is None:
                flight = self._flights[app.appid] = Future()
        if not is_mine:
            return meanwhile or _told_by(flight)
        try:
            known = self._looked_up(app, refused, meanwhile)
            self._known[app.appid] = known
            flight.set_result(known)
            return known
        except BaseException as error:
            flight.set_exception(error)
            raise
        finally:
            with self._mutex:
                del self._flights[app.appid]

    def _looked_up(self, app: App, refused: str, meanwhile: Known | None) -> Known:
        # Somebody of this process was quicker than our look at what it knows.
        if known := self._fresh(self._known.get(app.appid), refused):
            return known
        until = self._clock() + PATIENCE_SECONDS
        # False: another process asks. None: there is no cache to agree over.
        while (leased := cache.add(_key("lease", app), 1, LEASE_SECONDS)) is False:
            if known := self._fresh(_shared(app), refused):
                return known
            if meanwhile:
                return meanwhile.again_at(self._clock() + 1)
            if self._clock() >= until:
                break
            self._pause(LOOK_SECONDS)
        try:
            known = self._fresh(_shared(app), refused) if leased else None
            return known or self._issued(app, refused, is_shared=leased is not None)
        finally:
            if leased:
                cache.delete(_key("lease", app))

    def _fresh(self, known: Known | None, refused: str) -> Known | None:
        if known is None or known.text == refused or self._clock() >= known.renew_at:
            return None
        return known

    def _issued(self, app: App, refused: str, *, is_shared: bool) -> Known:
        try:
            issued = self._fetch(app, False)
            if issued.text == refused:
                issued = self._forced(app)
        except WechatError:
            raise WechatError(Outcome.STALE_TOKEN) from None
        now = self._clock()
        good_until = now + issued.seconds - SPARE_SECONDS
        renew_at = min(good_until, max(now + AGAIN_SECONDS, good_until - EARLY_SECONDS))
        if is_shared:
            cache.set(_key("token", app), (issued.text, renew_at, good_until), issued.seconds)
        return Known(issued.text, renew_at, good_until)

    def _forced(self, app: App) -> AccessToken:
        """WeChat gives out a token that it does not take."""
        now = self._clock()
        if (
            now < self._forced_at.get(app.appid, 0.0) + FORCE_SECONDS
            or cache.add(_key("forced", app), 1, FORCE_SECONDS) is False
        ):
            raise WechatError(Outcome.STALE_TOKEN)
        self._forced_at[app.appid] = now
        logger.error("wechat: a token was refused and given out again; a new one is forced")
        return self._fetch(app, True)


def _told_by(flight: "Future[Known]") -> Known:
    try:
        return flight.result(timeout=LEASE_SECONDS)
    except (TimeoutError, WechatError):
        raise WechatError(Outcome.STALE_TOKEN) from None


def _key(what: str, app: App) -> str:
    return f"wechat:{what}:{app.appid}"


def _shared(app: App) -> Known | None:
    known = cache.get(_key("token", app))
    return Known(*known) if known else None
