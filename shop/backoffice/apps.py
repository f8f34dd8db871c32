from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin import sites
from django.utils.translation import gettext_lazy as _
from unfold.apps import BasicAppConfig

from shop.backoffice.site import Console


class DressConfig(BasicAppConfig):
    """django-unfold, with the shop's own site in place of its."""

    def ready(self) -> None:
        admin.site = sites.site = Console()


class BackofficeConfig(AppConfig):
    name = "shop.backoffice"
    label = "backoffice"
    verbose_name = _("Back office")
    default = True
