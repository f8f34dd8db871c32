from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TakingsConfig(AppConfig):
    name = "orders.takings"
    label = "takings"
    verbose_name = _("Takings")
