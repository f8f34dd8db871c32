"""WeChat's subscribe messages: a person lets a mini-program send them one, by a template that
WeChat has approved, and it is used up by that.

So a notice that was sent twice, because nobody knows what became of the first time, is one message
where one was allowed. Who allowed none is told nothing, and that is no fault of anybody's.

WECHAT_TEMPLATES says for each mini-program, and each event it has words for, `template` (its id),
`page` (opened by a tap; `{subject}` is the notice's) and `data`: for each keyword of the template
the fact that stands there.
"""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils import timezone

from shop.accounts.wechat.answers import App, Outcome, WechatError
from shop.accounts.wechat.client import wechat
from shop.accounts.wechat.models import Identity
from shop.notices.events import TIME
from shop.notices.models import Notice
from shop.notices.undelivered import Fate, Undelivered

# What a failed call means; any other outcome may be another one the next time.
FATES: Mapping[Outcome, Fate] = {
    Outcome.UNWANTED: Fate.UNWANTED,
    Outcome.BAD_MESSAGE: Fate.HOPELESS,
    Outcome.OPEN: Fate.RESTING,
}
# Characters that WeChat takes, by a keyword's name without its number; more is refused.
MOST_CHARACTERS: Mapping[str, int] = {
    "thing": 20,
    "character_string": 32,
    "letter": 32,
    "number": 32,
    "name": 10,
    "phrase": 5,
}
# In the place of nothing, which WeChat refuses.
NOTHING = "-"


class WechatChannel:
    def carries(self, event: str) -> bool:
        return any(event in templates for templates in settings.WECHAT_TEMPLATES.values())

    def send(self, notice: Notice) -> None:
        """In the first mini-program, the newest of the user's first, where they allowed it."""
        appids = [
            appid
            for appid, templates in settings.WECHAT_TEMPLATES.items()
            if notice.event in templates and appid in settings.WECHAT_APPS
        ]
        identities = Identity.objects.filter(
            user_id=notice.user_id, user__is_active=True, appid__in=appids
        )
        refused = Undelivered(Fate.UNWANTED, "no identity")
        for identity in identities.order_by("-pk"):
            try:
                _send(notice, identity)
                return
            except WechatError as error:
                refused = Undelivered(FATES.get(error.outcome, Fate.LATER), str(error))
            if refused.fate is not Fate.UNWANTED:
                break
        raise refused


def _send(notice: Notice, identity: Identity) -> None:
    terms = settings.WECHAT_TEMPLATES[identity.appid][notice.event]
    wechat().subscribe_message(
        App(identity.appid, settings.WECHAT_APPS[identity.appid]),
        openid=identity.openid,
        template=terms["template"],
        page=terms.get("page", "").replace("{subject}", notice.subject),
        data={keyword: shown(notice, keyword, fact) for keyword, fact in terms["data"].items()},
    )


def shown(notice: Notice, keyword: str, fact: str) -> str:
    """The notice's fact as that keyword of a template takes it."""
    if fact == TIME:
        return f"{timezone.localtime(notice.created_at):%Y-%m-%d %H:%M}"
    value: Any = notice.facts.get(fact, "")
    text = _yuan(value) if fact.endswith("_fen") and isinstance(value, int) else str(value)
    most = MOST_CHARACTERS.get(keyword.rstrip("0123456789"))
    if most is not None and len(text) > most:
        text = f"{text[: most - 1]}…" if keyword.startswith("thing") else text[:most]
    return text or NOTHING


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}元"
