"""Every address of the shop."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularSwaggerView

from shop.api.document import DocumentView
from shop.backoffice.passwords import own_password
from shop.demo.guide import guide
from shop.media import media

handler400 = "shop.api.problems.handler400"
handler403 = "shop.api.problems.handler403"
handler404 = "shop.api.problems.handler404"
handler500 = "shop.api.problems.handler500"

urlpatterns: list[URLPattern | URLResolver] = [
    path(
        "api/v1/",
        include(
            [
                path("", include("shop.accounts.urls")),
                path("", include("shop.accounts.wechat.urls")),
                path("", include("shop.wallet.urls")),
                path("", include("goods.urls")),
                path("", include("orders.urls")),
                path("", include("orders.coupons.urls")),
                path("", include("orders.payments.wechat.urls")),
                path("", include("lottery.urls")),
                path("", include("lottery.packets.urls")),
            ]
        ),
    ),
    path("api/schema/", DocumentView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("admin/password_change/", admin.site.admin_view(own_password, cacheable=True)),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include("shop.ops.urls")),
    path("", include("shop.storefront.urls")),
]

if settings.SERVE_MEDIA:
    urlpatterns.append(path("media/<path:path>", media, name="media"))
if settings.DEMO_GUIDE:
    urlpatterns.append(path("demo/guide", guide, name="demo-guide"))
