from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class ShopConfig(AppConfig):
    name = "shop"
    verbose_name = "Shop"

    def ready(self) -> None:
        # Each app's promises, registered with shop.pools.audit as its `audit` module is imported.
        autodiscover_modules("promises")
