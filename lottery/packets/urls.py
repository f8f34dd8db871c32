"""Addresses of red packets, below /api/v1."""

from django.urls import path, register_converter

from lottery.packets import views
from lottery.packets.models import ID_PATTERN


class PacketIdConverter:
    """The form of a packet's id; anything else is no address, and costs no query."""

    regex = ID_PATTERN

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(PacketIdConverter, "packet")

urlpatterns = [
    path("red-packets", views.PacketsView.as_view(), name="red-packets"),
    path("red-packets/mine", views.MyPacketsView.as_view(), name="red-packets-mine"),
    path("red-packets/<packet:packet_id>", views.PacketView.as_view(), name="red-packet"),
    path(
        "red-packets/<packet:packet_id>/grab",
        views.PacketGrabView.as_view(),
        name="red-packet-grab",
    ),
]
