"""Windows that count attempts in the database, exactly, also when they come all at once.

A cache would be faster and would let a burst through (read, decide, write). Here each attempt locks
its row and is counted before what it attempts is looked at. Logins spend a hundred milliseconds on
a password's hash, so a row lock costs them nothing.
"""

import math
from datetime import timedelta
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address

from django.conf import settings
from django.db import IntegrityError
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from shop.accounts.models import RateWindow
from shop.errors import Busy, RateLimited
from shop.transactions import is_duplicate, run

# The longest window that any setting names must be shorter than this.
LONGEST = timedelta(days=1)
BATCH = 1000


def hit(scope: str, subject: str, *, limit: int, seconds: int) -> None:
    """Counts one attempt of `subject`; `limit` of them are allowed in `seconds`.

    The window begins with its first attempt. An attempt beyond the limit is not counted, so that
    waiting always helps. Raises RateLimited, whose `retry_after` is when the window ends.
    """
    hashed = _hashed(subject)
    # The first attempts of a subject may race to insert its row; whoever lost finds it.
    for _attempt in range(3):
        try:
            wait = run(lambda: _count(scope, hashed, limit=limit, seconds=seconds))
        except IntegrityError as error:
            if not is_duplicate(error):
                raise
            continue
        if wait:
            raise RateLimited(retry_after=wait)
        return
    raise Busy


def _count(scope: str, subject: str, *, limit: int, seconds: int) -> int:
    """Seconds to wait, 0 when the attempt was counted."""
    rows = RateWindow.objects.filter(scope=scope, subject=subject)
    window = rows.select_for_update().first()
    now = timezone.now()
    if window is None:
        RateWindow.objects.create(scope=scope, subject=subject, started_at=now, hits=1)
        return 0
    left = (window.started_at + timedelta(seconds=seconds) - now).total_seconds()
    if left <= 0:
        rows.update(started_at=now, hits=1)
        return 0
    if window.hits >= limit:
        return math.ceil(min(left, seconds))
    rows.update(hits=F("hits") + 1)
    return 0


def forget(scope: str, subject: str) -> None:
    """Ends the window of `subject`: its next attempt is its first."""
    hashed = _hashed(subject)
    run(lambda: RateWindow.objects.filter(scope=scope, subject=hashed).delete())


def forget_old() -> int:
    """Removes windows that no longer limit anybody, in batches. Returns how many."""
    old = RateWindow.objects.filter(started_at__lt=timezone.now() - LONGEST)
    removed = 0
    while ids := list(old.values_list("pk", flat=True)[:BATCH]):
        # The condition again: a window may have begun anew in between.
        removed += run(old.filter(pk__in=ids).delete)[0]
    return removed


def client_address(request: HttpRequest) -> str:
    """Whom to count: the address of the client, as far as settings.TRUSTED_PROXIES proxies saw it.

    Each proxy appends what it saw to X-Forwarded-For, so only entries counted from the right are
    anyone's word but the client's own. An IPv6 client is its /64: it has all of it to itself.
    """
    socket = request.META.get("REMOTE_ADDR", "")
    proxies = settings.TRUSTED_PROXIES
    if not proxies:
        return _network(socket) or socket
    entries = [entry.strip() for entry in request.headers.get("X-Forwarded-For", "").split(",")]
    seen = entries[-min(proxies, len(entries))]
    return _network(seen) or _network(socket) or socket


def _network(text: str) -> str | None:
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except (AddressValueError, ValueError):
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(IPv6Address(int(address) >> 64 << 64))
        address = address.ipv4_mapped
    return str(address)


def _hashed(subject: str) -> str:
    return salted_hmac("shop.accounts.rates", subject, algorithm="sha256").hexdigest()
