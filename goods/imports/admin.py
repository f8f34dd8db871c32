"""The pages of an import: a file, then what it would change, then the yes."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from goods.exports import heading_of
from goods.imports.forms import CarryOutForm, FileForm, shown_of
from goods.imports.planning import Plan, Row, plan_of
from goods.imports.services import File, import_carry_out
from shop.accounts.models import User
from shop.backoffice.dress import dressed
from shop.backoffice.exports import ExportedAdmin
from shop.backoffice.steps import Table
from shop.errors import Refusal

# An import does what these allow on the pages of goods.
PERMISSIONS = (
    *("transfers.import_goods", "goods.add_goods", "goods.change_goods"),
    *("goods.add_sku", "goods.change_sku"),
)


class ImportedAdmin(ExportedAdmin):
    """A list with a button "Import" beside "Export"."""

    def has_import_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(PERMISSIONS)

    def tools(self, request: HttpRequest) -> list[tuple["str | Promise", str]]:
        tools = super().tools(request)
        if self.has_import_permission(request):
            tools.append((_("Import"), reverse("admin:goods_goods_import")))
        return tools

    def get_urls(self) -> list[URLPattern]:
        page = path(
            "import/", self.admin_site.admin_view(self.import_view), name="goods_goods_import"
        )
        return [page, *super().get_urls()]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Asks for a file; sent, shows what it would change; sent on, carries that out."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        operator = cast("User", request.user)
        if "shown" in request.POST:
            form: forms.Form = CarryOutForm(request.POST, operator=operator)
            if form.is_valid() and self._carry_out(request, *form.cleaned_data["shown"]):
                return redirect("admin:goods_goods_changelist")
            for error in form.errors.values():
                messages.error(request, " ".join(error))
            return redirect("admin:goods_goods_import")
        form = FileForm(*((request.POST, request.FILES) if request.method == "POST" else ()))
        if form.is_valid():
            file: File = form.cleaned_data["file"]
            return self._shown(request, file, plan_of(file.lines), operator)
        about = gettext(
            "One line for each SKU, by its code, with its goods beside it: what “Export” of goods"
            " gives, or some of its columns. What is not there is made, an empty cell changes"
            " nothing, and nothing is ever deleted. Stock is not imported. First you are shown what"
            " the file would change; only then is anything written."
        )
        return self._page(
            request,
            title=_("Import goods and SKUs"),
            button=_("Show the differences"),
            about=about,
            form=form,
        )

    def _carry_out(self, request: HttpRequest, file: File, digest: str) -> bool:
        try:
            done = import_carry_out(file=file, shown=digest, operator=cast("User", request.user))
        except Refusal as refusal:
            messages.error(request, str(refusal.detail))
            return False
        if not done.new and not done.changed:
            messages.warning(request, gettext("The shop is as the file says; nothing changed now."))
        else:
            text = gettext("Imported: %(new)d new lines, %(changed)d changed.")
            messages.success(request, text % {"new": done.new, "changed": done.changed})
        return True

    def _shown(self, request: HttpRequest, file: File, plan: Plan, operator: User) -> HttpResponse:
        """What the file would change, and the button for it if it has no fault."""
        counts = [
            ngettext("%(count)d new line", "%(count)d new lines", len(plan.new)),
            ngettext("%(count)d changed", "%(count)d changed", len(plan.changed)),
            ngettext("%(count)d unchanged", "%(count)d unchanged", plan.unchanged),
            ngettext("%(count)d faulty", "%(count)d faulty", len(plan.faulty)),
        ]
        numbers = (len(plan.new), len(plan.changed), plan.unchanged, len(plan.faulty))
        said = ", ".join(
            text % {"count": number} for text, number in zip(counts, numbers, strict=True)
        )
        if plan.faulty:
            about = gettext("Nothing can be imported while a line is faulty: put them right.")
        elif plan.is_nothing:
            about = gettext("The shop is as the file says: there is nothing to import.")
        else:
            about = gettext("This, and nothing else, is written in one step.")
        form = None
        if not plan.faulty and not plan.is_nothing:
            initial = {"shown": shown_of(file, plan, operator=operator)}
            form = CarryOutForm(initial=initial, operator=operator)
        return self._page(
            request,
            title=_("Import"),
            button=_("Import"),
            standing=f"{file.name}: {said}.",
            about=about,
            form=form,
            tables=list(_tables(plan)),
        )

    def _page(
        self, request: HttpRequest, *, form: forms.Form | None, **context: Any
    ) -> TemplateResponse:
        return TemplateResponse(
            request,
            "admin/goods/import.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "form": form and dressed(form),
                "back": reverse("admin:goods_goods_changelist"),
                **context,
            },
        )


def _tables(plan: Plan) -> Iterator[Table]:
    if plan.faulty:
        yield Table(
            _("Faulty"),
            (_("row"), _("code"), _("goods"), _("what is wrong")),
            [
                (row.line.row, row.code, row.title, fault)
                for row in plan.faulty
                for fault in row.faults
            ],
        )
    for title, rows in ((_("New"), plan.new), (_("Changed"), plan.changed)):
        if rows:
            yield _changes(title, rows)


def _changes(title: "str | Promise", rows: Sequence[Row]) -> Table:
    return Table(
        title,
        (_("row"), _("code"), _("goods"), _("column"), _("before"), _("after")),
        [
            (
                *(row.line.row, row.code, row.title),
                *(heading_of(change.column), change.before, change.after),
            )
            for row in rows
            for change in row.changes
        ],
    )
