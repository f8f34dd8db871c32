"""What Prometheus reads: requests by route, what modules count themselves, and the shop's health.

A module counts with `prometheus_client` where things happen (see `shop.transactions`); here are the
requests, the health figures of `shop.ops.health` read at each scrape, and GET /metrics.

With several processes PROMETHEUS_MULTIPROC_DIR names a folder that all of them write to: it must
stand in the environment before Python starts, because prometheus_client looks at it when it is
imported, and the launcher empties it before it starts the first of them. Counts of processes that
have ended stay in it, as counters demand, and no gauge is kept there, so a dead process leaves
nothing wrong behind.
"""

import ipaddress
import os
from collections.abc import Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import REGISTRY, CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from shop.ops import health

# Its `_count` is the request counter.
REQUESTS = Histogram(
    "shop_request_seconds",
    "Requests by route name, method and status: how many, and how long they took.",
    ["route", "method", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)

# What a client may invent (methods, paths) must not become a label: each value is kept for ever.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# A request that came through a proxy has one of these: its socket address says nothing about it.
FORWARDED = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
    "HTTP_FORWARDED",
    "HTTP_VIA",
)


def observe_request(request: HttpRequest, status: int, seconds: float) -> None:
    """Counts one answered request."""
    match = request.resolver_match
    REQUESTS.labels(
        match.view_name if match else "none",
        request.method if request.method in METHODS else "other",
        status,
    ).observe(seconds)


class _HealthCollector(Collector):
    """The health checks as gauges: one look per scrape, so there is nothing to keep up to date."""

    def collect(self) -> Iterator[Metric]:
        well = GaugeMetricFamily(
            "shop_check_ok", "Whether the check of /readyz passed (1) or not (0).", labels=["check"]
        )
        for name, finding in health.examine().items():
            well.add_metric([name], finding.ok)
            for figure, value in finding.figures.items():
                yield GaugeMetricFamily(
                    f"shop_{name}_{figure}", f"{figure} of the check {name}.", value
                )
        yield well


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """GET /metrics, for those who may see it."""
    if not _may_read(request):
        return HttpResponse("Not for you.\n", status=403, content_type="text/plain")
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry.register(MultiProcessCollector(None))  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(_HealthCollector())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type)


def _may_read(request: HttpRequest) -> bool:
    """Whoever has METRICS_TOKEN, or asks from this machine or network without a proxy between."""
    token = settings.METRICS_TOKEN
    if token and constant_time_compare(
        request.META.get("HTTP_AUTHORIZATION", ""), f"Bearer {token}"
    ):
        return True
    if any(header in request.META for header in FORWARDED):
        return False
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    # ::ffff:8.8.8.8 would pass for private as it stands.
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_private
