"""Is this process up, and is what it stands on well: GET /livez and GET /readyz.

A check returns figures when all is well and raises when it is not. Each app registers its own in a
module named `health`, which `shop.apps` imports (`shop.health` checks the servers). Each look
runs in a thread with a deadline, so a server that swallows packets delays an answer by that long
and no longer, whatever its driver thinks of time-outs.

Answers are for machines and may be public: figures and the names of errors, never their texts,
which hold hosts and users.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from django.db import connections
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

# Each named with its unit, as in `oldest_pending_seconds`.
Figures = Mapping[str, float]
Check = Callable[[], Figures]

DEADLINE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, after how many milliseconds; `error` names what went wrong."""

    ok: bool
    ms: float
    figures: Figures = field(default_factory=dict)
    error: str = ""


_checks: dict[str, Check] = {}
_mutex = threading.Lock()
_running: dict[str, Future[Finding]] = {}


def register(name: str, check: Check) -> None:
    """Adds a check to /readyz and its figures to /metrics, as `shop_<name>_<figure>`."""
    _checks[name] = check


def age(rows: QuerySet[Any], since: Any) -> float:
    """For checks: seconds from the first row's `since` until now, both by the database's clock; 0.0
    where there is none."""
    first = rows.values_list(since, Now()).first()
    return round((first[1] - first[0]).total_seconds(), 1) if first else 0.0


def examine() -> dict[str, Finding]:
    """Runs every check, side by side; takes at most DEADLINE_SECONDS."""
    started = time.monotonic()
    looks = {name: _look(name) for name in _checks}
    findings = {}
    for name, look in looks.items():
        try:
            findings[name] = look.result(
                timeout=max(0.0, started + DEADLINE_SECONDS - time.monotonic())
            )
        except TimeoutError:
            findings[name] = Finding(
                ok=False, ms=DEADLINE_SECONDS * 1000, error="no answer in time"
            )
    return findings


def _look(name: str) -> Future[Finding]:
    """The look that is under way or a new one: a hung server is never asked twice at once."""
    with _mutex:
        look = _running.get(name)
        if look is None or look.done():
            look = _running[name] = Future()
            threading.Thread(target=_run, args=(_checks[name], look), daemon=True).start()
        return look


def _run(check: Check, look: Future[Finding]) -> None:
    started = time.monotonic()
    figures: Figures = {}
    error = ""
    try:
        try:
            figures = check()
        finally:
            # This thread's own connections; nobody else would close them.
            connections.close_all()
    except Exception as failure:  # noqa: BLE001  whatever it is, it is what the check found
        error = name_of(failure)
    ms = round((time.monotonic() - started) * 1000, 1)
    look.set_result(Finding(ok=not error, ms=ms, figures=figures, error=error))


def name_of(error: Exception) -> str:
    """The error's class, with its number where a database driver gives one."""
    number = error.args[0] if error.args else None
    return f"{type(error).__name__} {number}" if isinstance(number, int) else type(error).__name__


@require_safe
@never_cache
def livez(_request: HttpRequest) -> JsonResponse:
    """200 while this process answers. It asks nobody: a dead database is no reason to restart."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(_request: HttpRequest) -> JsonResponse:
    """200 when every check passes, else 503, with what each of them found."""
    findings = examine()
    well = all(finding.ok for finding in findings.values())
    return JsonResponse(
        {
            "status": "ok" if well else "unavailable",
            "checks": {
                name: {
                    "ok": finding.ok,
                    "ms": finding.ms,
                    "detail": finding.error or dict(finding.figures),
                }
                for name, finding in findings.items()
            },
        },
        status=200 if well else 503,
    )
