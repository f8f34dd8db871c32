"""Pages: `{count, next, previous, results}`, in two ways.

`PageNumbers` is for bounded catalogues, where a shopper may jump to page 7. `Keyset` is for tables
that grow without bound, newest first: a page is found by the id it starts at, so page 10,000 costs
what page 1 costs and a new row shifts nothing. Its `count` is affordable only because these lists
are one owner's rows, counted in an index.

What a client gets wrong in the query is 400, a page beyond the last is 404.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from shop.api.fields import BIGINT_MAX, QueryIntegerField, server_time
from shop.errors import NotFound

if TYPE_CHECKING:
    from rest_framework.views import APIView

DEFAULT_SIZE = 20
MAX_SIZE = 100


class _PageSize(serializers.Serializer[Any]):
    page_size = QueryIntegerField(max_value=MAX_SIZE, default=DEFAULT_SIZE)


class _PageQuery(_PageSize):
    # Far beyond any catalogue, far below where an OFFSET overflows.
    page = QueryIntegerField(max_value=10**9, default=1)


class _KeysetQuery(_PageSize):
    before = QueryIntegerField(required=False)
    after = QueryIntegerField(min_value=0, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "before" in attrs and "after" in attrs:
            raise serializers.ValidationError(_("Send `before` or `after`, not both."))
        return attrs


class _Pages(BasePagination):
    """The envelope. `timed` adds `server_time`, for lists of what has a deadline."""

    timed: ClassVar[bool] = False
    query: ClassVar[type[serializers.Serializer[Any]]]
    parameters: ClassVar[Mapping[str, str]]

    request: Request
    count: int
    next: Mapping[str, int] | None = None
    previous: Mapping[str, int] | None = None

    def get_paginated_response(self, data: Any) -> Response:
        envelope = {
            "count": self.count,
            "next": self._link(self.next),
            "previous": self._link(self.previous),
            "results": data,
        }
        if self.timed:
            envelope["server_time"] = server_time()
        return Response(envelope)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "nullable": True, "format": "uri"}
        properties: dict[str, Any] = {
            "count": {"type": "integer", "minimum": 0},
            "next": link,
            "previous": link,
            "results": schema,
        }
        if self.timed:
            properties["server_time"] = {"type": "string", "format": "date-time"}
        return {"type": "object", "required": list(properties), "properties": properties}

    def get_schema_operation_parameters(self, view: "APIView") -> list[dict[str, Any]]:
        fields = self.query().fields
        return [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": description,
                "schema": {
                    "type": "integer",
                    "minimum": fields[name].min_value,
                    "maximum": fields[name].max_value,
                },
            }
            for name, description in self.parameters.items()
        ]

    def _parameters(self, request: Request) -> dict[str, int]:
        self.request = request
        query = self.query(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        return query.validated_data

    def _link(self, changes: Mapping[str, int] | None) -> str | None:
        if changes is None:
            return None
        query = self.request.query_params.copy()
        for name in self.parameters:
            if name != "page_size":
                query.pop(name, None)
        for name, value in changes.items():
            query[name] = str(value)
        return self.request.build_absolute_uri(f"{self.request.path}?{query.urlencode()}")


class PageNumbers(_Pages):
    """Pages by number, from 1, for lists of bounded length in a stated order."""

    query = _PageQuery
    parameters: ClassVar = {"page": "Page, from 1.", "page_size": "Rows of a page."}

    def paginate_queryset(
        self, queryset: QuerySet[Any], request: Request, view: "APIView | None" = None
    ) -> Sequence[Any]:
        """The page's rows, in two queries. Raises ValidationError, or NotFound beyond the last."""
        wanted = self._parameters(request)
        page, size = wanted["page"], wanted["page_size"]
        self.count = queryset.count()
        start = (page - 1) * size
        if page > 1:
            if start >= self.count:
                raise NotFound
            self.previous = {"page": page - 1}
        if start + size < self.count:
            self.next = {"page": page + 1}
        return list(queryset[start : start + size])


class Keyset(_Pages):
    """Pages by id, newest first, for one owner's rows in a table that grows."""

    query = _KeysetQuery
    parameters: ClassVar = {
        "before": "Rows older than the row with this id.",
        "after": "Rows newer than the row with this id.",
        "page_size": "Rows of a page.",
    }

    def paginate_queryset(
        self, queryset: QuerySet[Any], request: Request, view: "APIView | None" = None
    ) -> Sequence[Any]:
        """The page's rows by descending id, in two queries. Raises ValidationError."""
        return self.paginate([queryset], request)

    def paginate(self, parts: Sequence[QuerySet[Any]], request: Request) -> Sequence[Any]:
        """As `paginate_queryset`, for rows that are read part by part, each by its own index, and
        merged by id: two queries for each of the few parts. Raises ValidationError."""
        wanted = self._parameters(request)
        size = wanted["page_size"]
        self.count = sum(part.count() for part in parts)
        if "after" in wanted:
            newer = [
                row
                for part in parts
                for row in part.filter(pk__gt=wanted["after"]).order_by("pk")[: size + 1]
            ]
            rows = sorted(newer, key=lambda row: row.pk)[: size + 1]
            more_newer, more_older = len(rows) > size, wanted["after"] > 0
            rows = rows[:size][::-1]
        else:
            before = wanted.get("before", BIGINT_MAX)
            older = [
                row
                for part in parts
                for row in part.filter(pk__lt=before).order_by("-pk")[: size + 1]
            ]
            rows = sorted(older, key=lambda row: -row.pk)[: size + 1]
            more_newer, more_older = "before" in wanted, len(rows) > size
            rows = rows[:size]
        if rows and more_newer:
            self.previous = {"after": rows[0].pk}
        if rows and more_older:
            self.next = {"before": rows[-1].pk}
        return rows
