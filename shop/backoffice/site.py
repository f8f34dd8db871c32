"""The console's site: django-unfold's, with a landing page and a search of the shop's own."""

import time
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.sites import UnfoldAdminSite

from shop.backoffice.search import found

# Results of a page: there are never more.
PER_PAGE = 100


class Console(UnfoldAdminSite):
    index_template = "admin/shop/today.html"

    def search(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lists by their names, rows by what names them exactly. Unlike django-unfold's own it
        keeps capitals apart, and remembers no answer: rights and rows change."""
        term = request.GET.get("s", "").strip()
        if not term:
            return HttpResponse()
        started = time.monotonic()
        lists = self._search_apps(self.get_app_list(request), term.lower())
        pages = Paginator([*found(request, term), *lists], PER_PAGE)
        return TemplateResponse(
            request,
            "unfold/helpers/command_results.html",
            {
                "page_obj": pages,
                "results": pages.get_page(request.GET.get("page")),
                "page_counter": 0,
                "execution_time": time.monotonic() - started,
                "command_show_history": False,
            },
            headers={"HX-Trigger": "search"},
        )
