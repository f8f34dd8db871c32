from django.apps import AppConfig


class PoolsConfig(AppConfig):
    name = "shop.pools"
    label = "pools"
    verbose_name = "Pools"
