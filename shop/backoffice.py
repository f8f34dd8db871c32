"""What the operators' pages share: money as people read it, forms that may be sent twice, and lists
of tables that grow for ever.

A fact of the shop is shown here and never edited: no form writes it, whatever is sent. Its list
costs the same at any size of the table: no COUNT over it, newest first in every case, searched by
exact numbers only. What operators may do to a fact are steps and actions, which call a service.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext

# Rows that a list counts and pages through. Older ones are found by search and filters.
MOST_ROWS = 5_000


def yuan(fen: int) -> str:
    """`fen` as yuan with two decimals; integer arithmetic only."""
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole}.{rest:02d}"


def money(fen: int) -> str:
    """An amount as operators read it: in yuan, and in the fen that the shop counts in."""
    return gettext("¥%(yuan)s (%(fen)s fen)") % {"yuan": yuan(fen), "fen": fen}


def money_column(field: str, label: "str | Promise") -> Callable[[Any], str]:
    """A column, or a fact of a detail page, that shows the amount in `field`."""

    @admin.display(description=label)
    def column(row: Any) -> str:
        fen = getattr(row, field)
        return "-" if fen is None else money(fen)

    column.__name__ = field.removesuffix("_fen")
    return column


def new_reference() -> str:
    """Names one display of a form, so that sending it twice is harmless."""
    return f"admin-{uuid4().hex}"


def reference_field() -> forms.RegexField:
    """The hidden field that carries the reference of a form's display."""
    return forms.RegexField(
        regex=r"^admin-[0-9a-f]{32}\Z", initial=new_reference, widget=forms.HiddenInput
    )


class NewestRows(Paginator):  # type: ignore[type-arg]  # not generic at run time
    """Pages through the first MOST_ROWS rows, and counts no further than that."""

    @cached_property
    def count(self) -> int:
        return self.object_list.values("pk")[:MOST_ROWS].count()


class NewestFirst(ChangeList):
    """Ignores `?o=`: any other order of a huge table is a sort of all of it."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str]:
        return ["-pk"]


class FactsAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
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


@dataclass(frozen=True, slots=True)
class Step:
    """Something an operator does to a fact: a page of its own, with its form and its service."""

    name: str
    title: "str | Promise"
    # What is said when it is done.
    done: "str | Promise"
    form: type[forms.Form]
    service: Callable[..., Any]
    # Where the page is offered; the service decides for itself.
    is_offered: Callable[[Any], bool]
    # What there is to know before sending it.
    about: "str | Promise" = ""


class SteppedAdmin(FactsAdmin):
    """Facts with steps, each at an address below its fact's; `step_view` is the page."""

    steps: Sequence[Step] = ()

    def step_view(self, request: HttpRequest, object_id: str, step: Step) -> HttpResponseBase:
        """The page of a step: looks at GET, carries out at POST and goes back to the fact."""
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path(
                f"<path:object_id>/{step.name}/",
                self.admin_site.admin_view(self.step_view),
                {"step": step},
                name=self._address(step),
            )
            for step in self.steps
        ]
        return [*pages, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        fact = context["original"]
        steps = self.steps if self.has_operate_permission(request) else ()
        context["steps"] = [
            (step.title, reverse(f"admin:{self._address(step)}", args=[fact.pk]))
            for step in steps
            if step.is_offered(fact)
        ]
        return super().render_change_form(request, context, *args, **kwargs)

    def _address(self, step: Step) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{step.name}"


def ticked(request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
    """The rows whose boxes are ticked, oldest first: an action on "all that match" would be one on
    a table without bound."""
    chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
    return rows.filter(pk__in=chosen).order_by("pk")
