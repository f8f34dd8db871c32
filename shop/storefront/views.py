"""The storefront's page: the same bytes for everybody, and what a browser may do with it."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

# Only files of ours, nothing inline, no text that becomes markup (trusted types). Pictures alone
# may come from elsewhere: operators may keep those of goods with somebody else.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: https:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The frame that the scripts fill. It names files that may be kept for ever, so it may not."""
    guide = reverse("demo-guide") if settings.DEMO_GUIDE else None
    answer = render(request, "storefront/page.html", {"guide": guide})
    answer["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    answer["Cache-Control"] = "no-cache"
    answer["Referrer-Policy"] = "no-referrer"
    return answer
