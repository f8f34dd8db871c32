"""Facts of the shop, and lists of tables that grow for ever.

A fact is shown here and never edited: no form writes it, whatever is sent. Its list costs the same
at any size of the table: no COUNT over it, newest first in every case, searched by exact numbers
only. What operators may do to a fact are steps and actions, which call a service.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from shop.backoffice.history import HistoryAdmin

# Rows that a list counts and pages through. Older ones are found by search and filters.
MOST_ROWS = 5_000


class NewestRows(Paginator):  # type: ignore[type-arg]  # not generic at run time
    """Pages through the first MOST_ROWS rows, and counts no further than that."""

    @cached_property
    def count(self) -> int:
        return self.object_list.values("pk")[:MOST_ROWS].count()


class NewestFirst(ChangeList):
    """Ignores `?o=`: any other order of a huge table is a sort of all of it."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str]:
        return ["-pk"]


def told_once(column: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same column, asked once for each row read: django-unfold asks for a value several times
    while it draws a page, and some are counted or summed."""
    key = f"_told_{column.__name__}"

    @wraps(column)
    def once(row: Any) -> Any:
        if key not in row.__dict__:
            row.__dict__[key] = column(row)
        return row.__dict__[key]

    return once


class FactsAdmin(HistoryAdmin, ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Read-only pages of a model that services alone write."""

    ordering = ("-pk",)
    sortable_by = ()
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # a facet is a COUNT
    paginator = NewestRows
    # Foreign keys that the list shows: read afterwards, for the page's rows. A join lets MariaDB
    # start at the other table, and then sort this one whole.
    list_select_related = ()
    list_prefetch: Sequence[str] = ()

    def __init__(self, model: type[Model], site: admin.AdminSite) -> None:
        super().__init__(model, site)
        for name in self.readonly_fields:
            if isinstance(name, str) and callable(column := getattr(self, name, None)):
                setattr(self, name, told_once(column))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related(*self.list_prefetch)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether this operator may use the actions: Django's "change" permission, since nothing
        else is changed."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_operate_permission(request)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NewestFirst

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (self.found(queryset, term) if term else queryset), False

    def found(self, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        """Those of `rows` that `term` names exactly, through an index."""
        raise NotImplementedError


class GivenUpFilter(admin.SimpleListFilter):
    """What the drain gave up, until an operator tries it again or drops it."""

    title = gettext_lazy("to look after")
    parameter_name = "look"

    def given_up(self) -> Q:
        """Which rows, through an index."""
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return [("failed", gettext_lazy("failed of an error of ours"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(self.given_up()) if self.value() == "failed" else queryset


def ticked(request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
    """The rows whose boxes are ticked, oldest first: an action on "all that match" would be one on
    a table without bound."""
    chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
    return rows.filter(pk__in=chosen).order_by("pk")
