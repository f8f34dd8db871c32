"""Where WeChat Pay calls: raw bodies of bounded size, no log-in, no cookie; the signature decides.

Answers are as WeChat Pay wants them: nothing at all where it went well, a code and a word where
not, which has it call again.
"""

from collections.abc import Callable, Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orders.payments.wechat import notifications
from shop.api.parsers import RawParser
from shop.api.problems import answerable


class NotifyView(APIView):
    """A call of WeChat Pay."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = (RawParser,)
    hear: Callable[[Mapping[str, str], bytes], None]

    def handle_exception(self, exc: Exception) -> Response:
        request = self.request
        refusal = answerable(exc, method=str(request.method), path=request.path)
        said = {"code": refusal.code.upper(), "message": refusal.code}
        response = Response(said, status=refusal.status)
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response

    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        """204 once what it says is recorded."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        body: Any = request.data
        type(self).hear(headers, body or b"")
        return Response(status=204)


class PaymentNotifyView(NotifyView):
    hear = staticmethod(notifications.payment_heard)


class RefundNotifyView(NotifyView):
    hear = staticmethod(notifications.refund_heard)
