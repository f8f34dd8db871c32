"""The console's site: django-unfold's, with a landing page of the shop's own."""

from unfold.sites import UnfoldAdminSite


class Console(UnfoldAdminSite):
    index_template = "admin/shop/today.html"
