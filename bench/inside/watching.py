"""Somebody who has the live page of a sale open, as a browser would."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.urls import reverse

from goods.sales.models import FlashSale
from shop.accounts.models import User

EACH_SECONDS = 1.0


@dataclass(slots=True)
class Watcher:
    """`took_ms`: of each renewal; `failed`: how many were not answered with 200."""

    base: str
    sale: FlashSale
    took_ms: list[float] = field(default_factory=list)
    failed: int = 0

    def renew(self) -> None:
        """Asks for the figures once."""
        began = time.monotonic()
        connection = http.client.HTTPConnection(urlsplit(self.base).netloc, timeout=30)
        try:
            connection.request(
                "GET",
                reverse("admin:sales_flashsale_live_figures", args=[self.sale.pk]),
                headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}={_session()}"},
            )
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        self.failed += answer.status != 200
        self.took_ms.append(1000 * (time.monotonic() - began))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Inside, the page is open, and renewed each second."""
        done = threading.Event()

        def renewals() -> None:
            while not done.wait(EACH_SECONDS):
                self.renew()

        thread = threading.Thread(target=renewals)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


_sessions: list[str] = []


def _session() -> str:
    """The key of a session of an operator who may see everything; made once."""
    if not _sessions:
        operator, _ = User.objects.get_or_create(
            username="bench-operator", defaults={"is_staff": True, "is_superuser": True}
        )
        session = SessionStore()
        session[SESSION_KEY] = str(operator.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = operator.get_session_auth_hash()
        session.save()
        _sessions.append(str(session.session_key))
    return _sessions[0]
