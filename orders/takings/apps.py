from django.apps import AppConfig


class TakingsConfig(AppConfig):
    name = "orders.takings"
    label = "takings"
    verbose_name = "Takings"
