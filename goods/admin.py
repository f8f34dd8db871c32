"""The catalogue for operators.

Every save goes through `goods.services`. Stock and sold are columns to look at: no form has a field
for a counter, and none saves a row that holds one. Stock changes on the page "adjust stock" only,
by +-n and with a reason; what moved it stands on the page "movements".
"""

from functools import partial
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, models
from django.db.models import ProtectedError, Q, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline

from goods import selectors, services, stock
from goods.exports import CATALOGUE, SKUS
from goods.forms import AdjustForm, SkuForm, SkuFormSet
from goods.imports.admin import ImportedAdmin
from goods.models import Category, Goods, GoodsImage, Sku
from shop.accounts.models import User
from shop.backoffice.dress import InTables, dressed
from shop.backoffice.edits import EditsAdmin
from shop.backoffice.exports import ExportedAdmin
from shop.backoffice.facts import FactsAdmin
from shop.backoffice.money import money_column
from shop.backoffice.steps import Table
from shop.errors import Refusal
from shop.pools.refusals import Shortage
from shop.transactions import is_duplicate, run


@admin.register(Category)
class CategoryAdmin(InTables, EditsAdmin, ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    list_display = ("title", "title_en", "position")
    list_editable = ("position",)


class ImageInline(InTables, TabularInline):  # type: ignore[type-arg]
    model = GoodsImage
    extra = 0
    formfield_overrides: ClassVar = {models.URLField: {"assume_scheme": "https"}}


def may_adjust(request: HttpRequest) -> bool:
    """Whether this operator may adjust stock: counting a shelf is another job than setting a
    price."""
    return request.user.has_perm("goods.adjust_stock")


class StockColumns:
    """What a SKU's pool says, and the ways to its pages, for lists and inlines."""

    def with_jobs(self, request: HttpRequest, skus: QuerySet[Sku]) -> QuerySet[Sku]:
        """Each SKU with what this operator may do to it."""
        return skus.annotate(
            may_adjust=Value(may_adjust(request)),
            may_sell=Value(request.user.has_perm("sales.add_flashsale")),
        )

    @admin.display(description=_("stock"))
    def stock(self, sku: Sku) -> str:
        return str(sku.stock) if sku.pk else "0"

    @admin.display(description=_("sold"))
    def sold(self, sku: Sku) -> str:
        return str(sku.sold) if sku.pk else "0"

    @admin.display(description=_("books"))
    def books(self, sku: Any) -> SafeString | str:
        if not sku.pk:
            return "-"
        pages = [(reverse("admin:goods_sku_movements", args=[sku.pk]), gettext("movements"))]
        if sku.may_adjust:
            adjust = reverse("admin:goods_sku_adjust", args=[sku.pk])
            pages.insert(0, (adjust, gettext("adjust stock")))
        if sku.may_sell:
            sale = reverse("admin:sales_flashsale_add", query={"sku": sku.code})
            pages.append((sale, gettext("flash sale")))
        return format_html_join(" · ", '<a href="{}">{}</a>', pages)


class SkuInline(StockColumns, InTables, TabularInline):  # type: ignore[type-arg]
    model = Sku
    form = SkuForm
    formset = SkuFormSet
    fields = (
        "code",
        "spec",
        "price_fen",
        "grams",
        "on_shelf",
        "strategy",
        "stock",
        "sold",
        "books",
    )
    readonly_fields = ("stock", "sold", "books")
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Sku]:
        skus = super().get_queryset(request).select_related("pool").order_by("pk")
        return self.with_jobs(request, skus)


@admin.register(Goods)
class GoodsAdmin(EditsAdmin, ImportedAdmin):
    sheets = (CATALOGUE,)
    export_permission = "export_goods"
    export_day = "created_at"
    list_display = (
        "title",
        "title_en",
        "category",
        "on_shelf",
        money_column("min_price_fen", _("least price")),
    )
    list_filter = ("on_shelf", "category")
    list_select_related = ()
    search_fields = ("title", "title_en")
    show_full_result_count = False
    ordering = ("-pk",)
    inlines = (SkuInline, ImageInline)
    actions = ("put_on_shelf", "put_off_shelf")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Goods]:
        # Not joined: MariaDB would begin at the few categories and sort all goods for one page.
        return super().get_queryset(request).prefetch_related("category")

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Goods | None:
        """To be edited, they are locked before they and their SKUs are read. What is in the way is
        met here: no try puts a picture away that the next one then misses."""
        goods: Goods | None = super().get_object(request, object_id, from_field)
        is_edit = request.method == "POST" and connection.in_atomic_block
        if goods is None or not is_edit:
            return goods
        services.goods_lock({goods.pk})
        return super().get_object(request, object_id, from_field)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The form; saving it is one transaction, tried again when something was in the way."""
        view = partial(super().changeform_view, request, object_id, form_url, extra_context)
        if request.method != "POST":
            return view()
        try:
            return run(view)
        except Refusal as refusal:
            problem = str(refusal.detail)
        except ProtectedError:
            problem = gettext("It has just been sold: put it off the shelf instead.")
        except IntegrityError as error:
            if not is_duplicate(error):
                raise
            problem = gettext("Another SKU has just been given the same code.")
        messages.error(request, gettext("Nothing was saved.") + " " + problem)
        return redirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: Goods, form: Any, change: bool) -> None:
        if change:
            services.goods_update(obj, fields=form.changed_data)
        else:
            services.goods_create([obj])

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        if formset.model is not Sku:
            super().save_formset(request, form, formset, change)
            return
        formset.save(commit=False)
        for sku in formset.deleted_objects:
            services.sku_delete(sku)
        for sku_form in formset.saved_forms:
            self._save_sku(sku_form, operator=cast("User", request.user))

    def _save_sku(self, form: "forms.ModelForm[Sku]", *, operator: User) -> None:
        sku, strategy = form.instance, form.cleaned_data["strategy"]
        if sku.pk is None:
            sku.pk = services.sku_create(
                goods=sku.goods,
                code=sku.code,
                spec=sku.spec,
                price_fen=sku.price_fen,
                grams=sku.grams,
                on_shelf=sku.on_shelf,
                strategy=strategy,
                operator=operator,
            ).pk
            return
        services.sku_update(sku, fields=[name for name in form.changed_data if name != "strategy"])
        if "strategy" in form.changed_data:
            services.sku_set_strategy(sku, strategy=strategy)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        to_delete, counts, perms_needed, protected = super().get_deleted_objects(objs, request)
        if protected:
            hint = gettext(
                "Goods that have SKUs stay in the books: put them off the shelf instead."
            )
            protected = [hint, *protected]
            perms_needed = set()  # not a matter of permission, and the page would say only that
        return to_delete, counts, perms_needed, protected

    @admin.action(description=_("Put on the shelf"), permissions=["change"])
    def put_on_shelf(self, request: HttpRequest, queryset: QuerySet[Goods]) -> None:
        self._put(request, queryset, on_shelf=True)

    @admin.action(description=_("Put off the shelf"), permissions=["change"])
    def put_off_shelf(self, request: HttpRequest, queryset: QuerySet[Goods]) -> None:
        self._put(request, queryset, on_shelf=False)

    def _put(self, request: HttpRequest, goods: QuerySet[Goods], *, on_shelf: bool) -> None:
        operator = cast("User", request.user)
        try:
            moved = services.goods_put_on_shelf(goods, on_shelf=on_shelf, operator=operator)
        except Refusal as refusal:
            messages.error(request, str(refusal.detail))
        else:
            messages.success(request, gettext("%(count)d goods moved.") % {"count": moved})


@admin.register(Sku)
class SkuAdmin(StockColumns, ExportedAdmin, FactsAdmin):
    """Stock at a glance. SKUs are edited where they belong, on their goods."""

    sheets = (SKUS,)
    export_permission = "export_sku"

    list_display = (
        "code",
        "goods",
        "spec",
        money_column("price_fen", _("price")),
        "on_shelf",
        "stock",
        "sold",
        "books",
    )
    list_display_links = None
    list_filter = ("on_shelf",)
    list_select_related = ("goods", "pool")
    fields = list_display
    search_fields = ("code", "goods__title")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Sku]:
        return self.with_jobs(request, super().get_queryset(request))

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return may_adjust(request)

    def found(self, rows: QuerySet[Sku], term: str) -> QuerySet[Sku]:
        return rows.filter(Q(code__startswith=term) | Q(goods__title__icontains=term))

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path(
                f"<int:sku_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"goods_sku_{name}",
            )
            for name, view in (("adjust", self.adjust_view), ("movements", self.movements_view))
        ]
        return [*pages, *super().get_urls()]

    def adjust_view(self, request: HttpRequest, sku_id: int) -> HttpResponse:
        """Stock by +-n. The form's reference makes a second submit of it harmless."""
        if not self.has_operate_permission(request):
            raise PermissionDenied
        sku = self._sku(sku_id)
        form = AdjustForm(request.POST if request.method == "POST" else None)
        if form.is_valid() and self._adjust(request, sku, form):
            return redirect("admin:goods_sku_movements", sku.pk)
        return self._page(request, sku, "adjust", title=_("Adjust stock"), form=dressed(form))

    def movements_view(self, request: HttpRequest, sku_id: int) -> HttpResponse:
        """What moved the stock, newest first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        sku = self._sku(sku_id)
        before = request.GET.get("before", "")
        is_id = before.isascii() and before.isdigit() and len(before) < 19
        found = selectors.movements_page(sku, before=int(before) if is_id else None)
        return self._page(
            request,
            sku,
            "movements",
            title=_("Movements"),
            movements=found,
            table=Table(
                title="",
                headings=(
                    *(_("when"), _("kind"), _("change")),
                    *(_("reference"), _("operator"), _("reason")),
                ),
                rows=[
                    (
                        *(row.created_at, row.get_kind_display(), row.delta),
                        *(row.reference, row.operator or "", row.reason),
                    )
                    for row in found
                ],
                empty=_("Nothing has moved."),
            ),
            oldest=found[-1].pk if found else None,
        )

    def _adjust(self, request: HttpRequest, sku: Sku, form: AdjustForm) -> bool:
        """Whether the stock was adjusted, by this submit or an earlier one; else the form says
        why not."""
        wanted = form.cleaned_data
        try:
            done = stock.adjust_stock(sku=sku, operator=cast("User", request.user), **wanted)
        except Shortage as shortage:
            form.add_error(
                "delta", gettext("Only %(count)d are available.") % {"count": shortage.available}
            )
            return False
        except Refusal as refusal:
            form.add_error(None, str(refusal.detail))
            return False
        if done.repeated:
            text = gettext("%(code)s: carried out before (%(delta)s); nothing changed now.")
            messages.warning(request, text % {"code": sku.code, "delta": f"{done.delta:+d}"})
        else:
            text = gettext("%(code)s: stock changed by %(delta)s.")
            messages.success(request, text % {"code": sku.code, "delta": f"{done.delta:+d}"})
        return True

    def _sku(self, sku_id: int) -> Sku:
        return get_object_or_404(Sku.objects.select_related("goods", "pool"), pk=sku_id)

    def _page(
        self, request: HttpRequest, sku: Sku, name: str, **context: object
    ) -> TemplateResponse:
        return TemplateResponse(
            request,
            f"admin/goods/sku/{name}.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "sku": sku,
                "can_adjust": self.has_operate_permission(request),
                **context,
            },
        )
