"""`manage.py check`, and every start, say what is wrong with the settings of notices: half a
configuration would be found out by the first shopper who is told nothing."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from shop.notices.channels import CHANNELS
from shop.notices.events import EVENTS, TIME, Event

KEYS = {"template", "page", "data"}


@register()
def check_notices(**_: Any) -> list[CheckMessage]:
    return [*_channels(), *_templates()]


def _channels() -> Iterator[CheckMessage]:
    on, templates = settings.NOTICE_CHANNELS, settings.WECHAT_TEMPLATES
    for name in on:
        if name not in CHANNELS:
            text = f"NOTICE_CHANNELS: there is no channel {name!r}, only {', '.join(CHANNELS)}."
            yield Error(text, id="notices.E001")
    if "wechat" in on and not templates:
        yield Error(
            "NOTICE_CHANNELS has wechat, and WECHAT_TEMPLATES nothing to send.", id="notices.E002"
        )
    if templates and "wechat" not in on:
        yield Warning(
            "WECHAT_TEMPLATES is set, and NOTICE_CHANNELS has no wechat: nobody is told.",
            id="notices.W001",
        )


def _templates() -> Iterator[CheckMessage]:
    for appid, templates in settings.WECHAT_TEMPLATES.items():
        if appid not in settings.WECHAT_APPS:
            text = f"WECHAT_TEMPLATES: {appid} is not in WECHAT_APPS."
            yield Error(text, id="notices.E003")
        for name, terms in templates.items():
            if name in EVENTS:
                for fault in _faults(EVENTS[name], terms):
                    text = f"WECHAT_TEMPLATES: {appid}: {name}: {fault}"
                    yield Error(text, id="notices.E005")
            else:
                text = f"WECHAT_TEMPLATES: no event {name!r}, only {', '.join(sorted(EVENTS))}."
                yield Error(text, id="notices.E004")


def _faults(event: Event, terms: Any) -> Iterator[str]:
    if not isinstance(terms, dict) or not terms.get("template") or not terms.get("data"):
        yield "needs template and data."
        return
    for key in sorted(set(terms) - KEYS):
        yield f"{key!r} is nothing, there are {', '.join(sorted(KEYS))}."
    known = event.facts | {TIME}
    for keyword, fact in terms["data"].items():
        if fact not in known:
            yield f"{keyword} is {fact!r}, there are {', '.join(sorted(known))}."
