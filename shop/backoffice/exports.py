"""Files of what a list of the console shows, with the list's own search and filters.

Whoever exports says which days or ids, or that it is to be all of it: on a table that grows for
ever, nobody takes everything by accident. Each export is logged before its first row leaves.
"""

from collections.abc import Generator, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import IO, Any, cast

from django import forms
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from shop.accounts.models import User
from shop.backoffice.dress import dressed
from shop.transfers import services
from shop.transfers.models import Transfer
from shop.transfers.sheets import Sheet, between
from shop.transfers.writing import MOST_XLSX_ROWS, TooLongText, TooManyRows, csv_stream, xlsx_file

XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_ID = 2**63 - 1


class ExportForm(forms.Form):
    """Which rows, and into what kind of file."""

    sheet = forms.ChoiceField(label=_("what"))
    file_format = forms.ChoiceField(
        label=_("format"),
        choices=[("csv", "CSV"), ("xlsx", "XLSX")],
        help_text=format_lazy(
            _("CSV has no limit; an XLSX file holds {most} rows at most."), most=MOST_XLSX_ROWS
        ),
    )
    first_day = forms.DateField(
        label=_("first day"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    last_day = forms.DateField(
        label=_("last day"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    first_id = forms.IntegerField(
        label=_("first id"), required=False, min_value=1, max_value=MOST_ID
    )
    last_id = forms.IntegerField(label=_("last id"), required=False, min_value=1, max_value=MOST_ID)
    everything = forms.BooleanField(
        label=_("all that the list's filters let through"), required=False
    )

    def __init__(self, *args: Any, sheets: Sequence[Sheet], has_days: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["sheet"].choices = [(sheet.name, sheet.title) for sheet in sheets]
        if not has_days:
            del self.fields["first_day"], self.fields["last_day"]

    def clean(self) -> None:
        said = self.cleaned_data
        ranges = [said.get(name) for name in ("first_day", "last_day", "first_id", "last_id")]
        if bool(said.get("everything")) == any(ranges) and not self.errors:
            raise forms.ValidationError(_("Say from where to where, or tick that it is to be all."))

    def asked(self) -> str:
        """The range, for the log."""
        said = self.cleaned_data
        names = ("first_day", "last_day", "first_id", "last_id", "everything")
        return " ".join(f"{name}={said[name]}" for name in names if said.get(name))


class ExportedAdmin(ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """A list with a button "Export": its sheets, for whoever has their permission."""

    sheets: Sequence[Sheet] = ()
    # Of `Transfer`, beside the permission to look at the list.
    export_permission: str
    # The column that ranges of days are about; "" for none.
    export_day = ""
    change_list_template = "admin/shop/list.html"

    def has_export_permission(self, request: HttpRequest) -> bool:
        may_export = request.user.has_perm(f"transfers.{self.export_permission}")
        return may_export and self.has_view_permission(request)

    def tools(self, request: HttpRequest) -> list[tuple["str | Promise", str]]:
        """Buttons above the list: (title, address). They carry the list's filters along."""
        if not self.has_export_permission(request):
            return []
        return [(_("Export"), f"{self._export_page()}?{request.GET.urlencode()}")]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        more = {**(extra_context or {}), "tools": self.tools(request)}
        return super().changelist_view(request, more)

    def get_urls(self) -> list[URLPattern]:
        page = path(
            "export/",
            self.admin_site.admin_view(self.export_view),
            name=f"{self.opts.app_label}_{self.opts.model_name}_export",
        )
        return [page, *super().get_urls()]

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Asks which rows; sent, gives the file away."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        form = ExportForm(
            request.POST if request.method == "POST" else None,
            sheets=self.sheets,
            has_days=bool(self.export_day),
        )
        if form.is_valid():
            try:
                return self._file(request, form)
            except IncorrectLookupParameters:
                messages.error(request, gettext("The list has no such filter."))
                return redirect(self._export_page())
            except TooManyRows:
                text = gettext("More than %(most)d rows: choose CSV, or fewer days or ids.")
                form.add_error("file_format", text % {"most": MOST_XLSX_ROWS})
            except TooLongText:
                form.add_error(
                    "file_format", gettext("A text is too long for a cell of XLSX: choose CSV.")
                )
        return TemplateResponse(
            request,
            "admin/shop/form.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": _("Export"),
                "standing": self._filters_in_words(request),
                "about": _(
                    "Rows are read while the file is sent: what changes meanwhile may be in it as"
                    " it was or as it is. Who exported what is logged."
                ),
                "form": dressed(form),
            },
        )

    def rows_of(self, request: HttpRequest, said: dict[str, Any]) -> QuerySet[Any]:
        """The list's rows, as its filters and the form's range leave them."""
        rows = self.get_changelist_instance(request).get_queryset(request)
        if self.export_day:
            rows = between(
                rows,
                column=self.export_day,
                since=_begin_of(said["first_day"]),
                until=_begin_of(said["last_day"] and said["last_day"] + timedelta(days=1)),
            )
        if said["first_id"]:
            rows = rows.filter(pk__gte=said["first_id"])
        if said["last_id"]:
            rows = rows.filter(pk__lte=said["last_id"])
        return rows

    def _file(self, request: HttpRequest, form: ExportForm) -> HttpResponseBase:
        said = form.cleaned_data
        sheet = next(one for one in self.sheets if one.name == said["sheet"])
        rows = self.rows_of(request, said)
        may_see_whole = request.user.has_perm("transfers.export_addresses")
        name = f"{sheet.name}-{timezone.localtime():%Y%m%d-%H%M%S}.{said['file_format']}"
        is_csv = said["file_format"] == "csv"
        # Before anything is logged: more rows than fit are no export. Counted no further than that.
        if not is_csv and rows.order_by("pk")[: MOST_XLSX_ROWS + 1].count() > MOST_XLSX_ROWS:
            raise TooManyRows
        export = services.export_begin(
            operator=cast("User", request.user),
            what=sheet.name,
            file_format=said["file_format"],
            asked=f"{request.GET.urlencode()} {form.asked()}".strip(),
        )
        pages = logged(export, sheet.pages(rows, whole=may_see_whole))
        if is_csv:
            stream = csv_stream(sheet.headings(), pages)
            return StreamingHttpResponse(
                stream,
                content_type="text/csv; charset=utf-8",
                headers={"Content-Disposition": f'attachment; filename="{name}"'},
            )
        file: IO[bytes] = xlsx_file(sheet.headings(), pages)
        return FileResponse(file, as_attachment=True, filename=name, content_type=XLSX_TYPE)

    def _filters_in_words(self, request: HttpRequest) -> str:
        asked = request.GET.urlencode()
        if not asked:
            return ""
        return gettext("Only what the list shows with: %(filters)s") % {"filters": asked}

    def _export_page(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_export")


def _begin_of(day: date | None) -> datetime | None:
    """The first moment of a day in the shop's time zone."""
    return timezone.make_aware(datetime.combine(day, time.min)) if day else None


def logged(
    export: Transfer, pages: Iterator[list[list[str]]]
) -> Generator[list[list[str]], None, None]:
    """The same pages; when the last one is taken, or nobody takes more, the log says how many rows
    that were."""
    rows, is_whole = 0, False
    try:
        for page in pages:
            rows += len(page)
            yield page
        is_whole = True
    finally:
        services.export_end(export, rows=rows, is_whole=is_whole)
