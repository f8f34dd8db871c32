"""How the operators' console looks: what django-unfold is told. What it shows is elsewhere, in
`shop.backoffice`."""

from typing import Any

from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Scarce",
    "SITE_HEADER": "Scarce",
    "SITE_SUBHEADER": _("operators' console"),
    "SITE_ICON": lambda request: static("storefront/icon.svg"),
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("storefront/icon.svg"),
        }
    ],
    "SHOW_LANGUAGES": True,
    "STYLES": [lambda request: static("backoffice/console.css")],
    "DASHBOARD_CALLBACK": "shop.backoffice.today.today",
    # The red of the storefront, from its lightest to its darkest. In the dark, 500 is what links
    # are written in.
    "COLORS": {
        "primary": {
            "50": "oklch(97.1% .013 17.4)",
            "100": "oklch(93.6% .032 17.7)",
            "200": "oklch(88.5% .062 18.3)",
            "300": "oklch(80.8% .114 19.6)",
            "400": "oklch(75% .14 22.2)",
            "500": "oklch(70% .15 22.5)",
            "600": "oklch(47.5% .16 25.1)",
            "700": "oklch(42% .14 25.2)",
            "800": "oklch(37% .12 25.2)",
            "900": "oklch(32% .1 25.2)",
            "950": "oklch(23% .07 25.2)",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "shop.backoffice.navigation.navigation",
    },
}
