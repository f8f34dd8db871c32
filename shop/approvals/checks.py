"""A part of the shop that is mistyped in SECOND_PERSON_FOR would be asked about by nobody."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from shop.approvals.deeds import DEEDS


@register()
def parts_are_known(
    app_configs: Sequence[AppConfig] | None = None, **_options: Any
) -> list[CheckMessage]:
    """Each part that is named and has no deeds."""
    known = sorted({deed.part for deed in DEEDS.values()})
    return [
        Error(
            f"SECOND_PERSON_FOR: there is no {part!r}, of {', '.join(known)}", id="approvals.E001"
        )
        for part in settings.SECOND_PERSON_FOR
        if part not in known
    ]
