"""The shop's addresses and the yardstick's."""

from django.urls import path
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bench.load import YARDSTICK
from shop import urls as shop_urls

handler400 = shop_urls.handler400
handler403 = shop_urls.handler403
handler404 = shop_urls.handler404
handler500 = shop_urls.handler500


class Yardstick(APIView):
    """A bare view with the framework's own parts: what checkout costs is measured against it."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = DefaultContentNegotiation

    def get(self, request: Request) -> Response:
        return Response({"ok": True})


urlpatterns = [path(YARDSTICK[1:], Yardstick.as_view()), *shop_urls.urlpatterns]
