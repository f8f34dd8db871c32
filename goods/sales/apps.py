from django.apps import AppConfig


class SalesConfig(AppConfig):
    name = "goods.sales"
    label = "sales"
    verbose_name = "Flash sales"
