"""What the OpenAPI file says of every endpoint alike, said once: how it refuses, who may, keys.

A view adds only what is its own: `refusals`, the Refusal classes its POST, PUT or DELETE raises
beside the general ones, and `idempotent = True` where its POST requires an Idempotency-Key.
"""

from collections import defaultdict
from typing import Any

from drf_spectacular.drainage import set_override
from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from shop.api.problems import MEDIA_TYPE
from shop.errors import (
    AuthenticationFailed,
    Busy,
    IdempotencyKeyRequired,
    IdempotencyKeyReused,
    Invalid,
    NotAuthenticated,
    NotFound,
    PayloadTooLarge,
    Refusal,
    RequestInProgress,
    Unavailable,
    UnsupportedMediaType,
)

# The first part of a path, or the first two -> the group it is shown in; others are a group of
# their own.
GROUPS = {
    "auth": "accounts",
    "me": "accounts",
    "me/coupons": "coupons",
    "addresses": "accounts",
    "categories": "goods",
    "captcha": "flash-sales",
    "shipping-methods": "orders",
    "payment-methods": "payments",
}

IDEMPOTENCY_KEY = OpenApiParameter(
    name="Idempotency-Key",
    location=OpenApiParameter.HEADER,
    required=True,
    description="New for each attempt, the same for each repetition of it.",
    type={"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]{1,255}$"},
)


class FieldErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(help_text="`items.0.count`; empty for the body as a whole.")
    code = serializers.CharField()
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457. `code` is what a program goes by; a code may add members of its own."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="In the language of Accept-Language.")
    code = serializers.CharField()
    errors = FieldErrorSerializer(many=True, required=False)
    retry_after = serializers.IntegerField(required=False, help_text="Seconds, as Retry-After.")


class AutoSchema(SpectacularAutoSchema):
    """Adds the refusals, the key's header and the groups."""

    def get_tags(self) -> list[str]:
        parts = self._tokenize_path()
        return [GROUPS.get("/".join(parts[:2]), GROUPS.get(parts[0], parts[0]))]

    def get_override_parameters(self) -> list[Any]:
        return [IDEMPOTENCY_KEY] if self._is_keyed() else []

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        self._let_filters_be_empty(operation)
        codes: defaultdict[int, list[str]] = defaultdict(list)
        for refusal in self._refusals(operation):
            if refusal.code not in codes[refusal.status]:
                codes[refusal.status].append(refusal.code)
        for status in sorted(codes):
            operation["responses"].setdefault(str(status), self._problem(status, codes[status]))
        return operation

    def _let_filters_be_empty(self, operation: dict[str, Any]) -> None:
        """An empty filter is no filter; an empty page number is a mistake."""
        paging = {parameter["name"] for parameter in self._get_pagination_parameters()}
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query" and parameter["name"] not in paging:
                parameter["allowEmptyValue"] = True

    def _is_keyed(self) -> bool:
        return self.method == "POST" and getattr(self.view, "idempotent", False)

    def _refusals(self, operation: dict[str, Any]) -> list[type[Refusal]]:
        parameters = operation.get("parameters", [])
        writes = self.method not in ("GET", "HEAD")
        found: list[type[Refusal]] = [Busy, Unavailable]
        if self.view.get_authenticators():
            found += [NotAuthenticated, AuthenticationFailed]
        if self.method in ("POST", "PUT"):
            found += [Invalid, PayloadTooLarge, UnsupportedMediaType]
        if any(parameter["in"] == "query" for parameter in parameters):
            found += [Invalid]
        if any(
            parameter["in"] == "path" or parameter["name"] == "page" for parameter in parameters
        ):
            found += [NotFound]
        if self._is_keyed():
            found += [IdempotencyKeyRequired, RequestInProgress, IdempotencyKeyReused]
        if writes:
            found += getattr(self.view, "refusals", ())
        return found

    def _problem(self, status: int, codes: list[str]) -> Any:
        described = OpenApiResponse(
            ProblemSerializer, description=", ".join(f"`{code}`" for code in codes)
        )
        return self._get_response_for_code(described, str(status), media_types=[MEDIA_TYPE])


class AccessTokenScheme(OpenApiAuthenticationExtension):
    target_class = "shop.accounts.authentication.AccessTokenAuthentication"
    match_subclasses = True
    name = "accessToken"

    def get_security_definition(self, auto_schema: SpectacularAutoSchema) -> dict[str, str]:
        # Several classes look at it, each in its way: to clients it is one scheme.
        set_override(type(self.target), "suppress_collision_warning", True)
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class ListBounds(OpenApiSerializerFieldExtension):
    """How many a list in a body may hold, which the generator leaves out."""

    target_class = "rest_framework.serializers.ListSerializer"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: SpectacularAutoSchema, direction: str) -> Any:
        schema = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)
        if not self.target.allow_empty:
            schema["minItems"] = 1
        if self.target.max_length is not None:
            schema["maxItems"] = self.target.max_length
        return schema
