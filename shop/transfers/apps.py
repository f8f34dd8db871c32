from django.apps import AppConfig


class TransfersConfig(AppConfig):
    name = "shop.transfers"
    verbose_name = "Imports and exports"
