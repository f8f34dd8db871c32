from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _

from shop import celery  # noqa: F401  shared tasks belong to this app, in every process


class ShopConfig(AppConfig):
    name = "shop"
    verbose_name = _("Shop")

    def ready(self) -> None:
        # Each app's queues and pools (shop.pools.kinds), promises (shop.pools.audit), health checks
        # (shop.ops.health), events that are told (shop.notices.events), deeds that wait for another
        # person (shop.approvals.deeds), checks of its settings and what the console shows and finds
        # of it (shop.backoffice.today, .search), registered as its modules of these names are
        # imported.
        autodiscover_modules(
            *("pending", "promises", "health", "notices", "deeds", "checks", "console")
        )
