from django.apps import AppConfig


class PacketsConfig(AppConfig):
    name = "lottery.packets"
    label = "packets"
    verbose_name = "Red packets"
