"""Red packets over HTTP: who may ask, and translation. No decisions."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lottery.packets import shown
from lottery.packets.grabbed import grabbed
from lottery.packets.grabbing import packet_grab
from lottery.packets.serializers import (
    GrabbedSerializer,
    MyPacketsSerializer,
    PacketRequestSerializer,
    PacketSerializer,
    PendingGrabSerializer,
)
from lottery.packets.services import PacketPlan, packet_send
from lottery.packets.split import How
from shop.accounts.authentication import TrustedTokenAuthentication
from shop.accounts.rates import client_address
from shop.api.fields import server_time
from shop.api.idempotency import keyed_response, request_key
from shop.errors import (
    AlreadyGrabbed,
    Ended,
    InsufficientBalance,
    PermissionDenied,
    RateLimited,
    RequestInProgress,
    SoldOut,
)


class PacketsView(APIView):
    """For a logged-in user, from their own wallet."""

    permission_classes = (IsAuthenticated,)
    idempotent = True
    refusals = (InsufficientBalance,)

    @extend_schema(request=PacketRequestSerializer, responses={201: PacketSerializer})
    def post(self, request: Request) -> Response:
        """Sends a red packet. Its id is a secret: whoever knows it may look and grab."""
        key = request_key(request, route="red-packets")
        body = PacketRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        fields: dict[str, Any] = body.validated_data
        answer = packet_send(
            key=key,
            plan=PacketPlan(
                total_fen=fields["total_fen"],
                count=fields["count"],
                how=How(fields["split"]),
                greeting=fields.get("greeting", ""),
            ),
        )
        packet = shown.packet_shown(public_id=answer.row.public_id, user_id=request.user.pk)
        return keyed_response(PacketSerializer(packet).data, answer)


class PacketView(APIView):
    """For any logged-in user who knows its id."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=PacketSerializer)
    def get(self, request: Request, packet_id: str) -> Response:
        """A packet as it stands now, and who got how much."""
        packet = shown.packet_shown(public_id=packet_id, user_id=request.user.pk)
        return Response(PacketSerializer(packet).data)


class PacketGrabView(APIView):
    """For any logged-in user who knows its id, the sender too. A disabled user, whose token may
    outlive that, is refused by whoever settles the grab."""

    authentication_classes = (TrustedTokenAuthentication,)
    permission_classes = (IsAuthenticated,)
    refusals = (AlreadyGrabbed, SoldOut, Ended, PermissionDenied, RateLimited, RequestInProgress)

    @extend_schema(request=None, responses={200: GrabbedSerializer, 202: PendingGrabSerializer})
    def post(self, request: Request, packet_id: str) -> Response:
        """One grab for each user. 200 says how much; 202 waits, and the packet says soon. A repeat
        is told what became of the first."""
        grab = packet_grab(
            user_id=request.user.pk,
            public_id=packet_id,
            client_address=client_address(request),
        )
        found = grabbed(grab, public_id=packet_id)
        return Response(found.data, status=found.status, headers=found.headers)


class MyPacketsView(APIView):
    """For a logged-in user, about what is theirs."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=MyPacketsSerializer)
    def get(self, request: Request) -> Response:
        """What one sent and what one got: how many, their sum, and the newest of them."""
        mine = {
            "sent": shown.sent_by(request.user),
            "received": shown.received_by(request.user),
            "server_time": server_time(),
        }
        return Response(MyPacketsSerializer(mine).data)
