"""Every address of the shop."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.cache import cache_page
from django.views.static import serve
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView

handler400 = "shop.api.problems.handler400"
handler403 = "shop.api.problems.handler403"
handler404 = "shop.api.problems.handler404"
handler500 = "shop.api.problems.handler500"

# The schema changes with the code only, and is a second's work to write.
schema = cache_page(3600)(SpectacularJSONAPIView.as_view())

urlpatterns: list[URLPattern | URLResolver] = [
    path(
        "api/v1/",
        include(
            [
                path("", include("shop.accounts.urls")),
                path("", include("goods.urls")),
                path("", include("orders.urls")),
            ]
        ),
    ),
    path("api/schema/", schema, name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("admin/", admin.site.urls),
    path("", include("shop.ops.urls")),
]

if settings.SERVE_MEDIA:
    urlpatterns.append(
        path("media/<path:path>", serve, {"document_root": settings.MEDIA_ROOT}, name="media")
    )
