"""WeChat over HTTP: views that translate, and nothing else."""

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from shop.accounts.serializers import SessionSerializer
from shop.accounts.views import PublicView, valid_fields
from shop.accounts.wechat import services
from shop.accounts.wechat.serializers import CodeRequestSerializer, PhoneSerializer
from shop.errors import NotFound, PermissionDenied, RateLimited


class WechatLoginView(PublicView):
    refusals = (NotFound, PermissionDenied, RateLimited)

    @extend_schema(request=CodeRequestSerializer, responses={200: SessionSerializer})
    def post(self, request: Request) -> Response:
        """Logs in by the code of `wx.login()`; who comes for the first time becomes a user."""
        fields = valid_fields(CodeRequestSerializer, request)
        session = services.log_in(request._request, **fields)
        return Response(SessionSerializer(session).data)


class PhoneView(APIView):
    permission_classes = (IsAuthenticated,)
    refusals = (NotFound, PermissionDenied, RateLimited)

    @extend_schema(request=CodeRequestSerializer, responses={200: PhoneSerializer})
    def post(self, request: Request) -> Response:
        """Stores the phone number behind the code of a `getPhoneNumber` button. Nobody is shown all
        of it again."""
        fields = valid_fields(CodeRequestSerializer, request)
        services.phone_learn(user=request.user, **fields)
        return Response(PhoneSerializer(request.user).data)
