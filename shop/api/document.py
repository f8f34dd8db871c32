"""The OpenAPI document as it is served at /api/schema/. `docs/openapi.yaml` is the same, committed.

It is made once in a process: a tenth of a second's work, which anybody could otherwise ask for a
thousand times, and nothing in a request changes it.
"""

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

MEDIA_TYPE = "application/vnd.oai.openapi+json"


@cache
def document() -> Any:
    """The document as plain data."""
    return SchemaGenerator().get_schema(request=None, public=True)


class DocumentView(APIView):
    """Public, and no part of the document itself."""

    schema = None
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get(self, _request: Request) -> Response:
        return Response(document(), content_type=MEDIA_TYPE)
