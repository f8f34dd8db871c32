"""Every page, step and action of the console as it is registered, and who is let in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, reverse

from shop.accounts.models import User

# Django's own pages; of these, `history` is there for whoever may see the row.
OWN = {"changelist", "add", "change", "delete", "history"}
# The id of no row: a page that lets somebody in finds nothing there, and changes nothing.
NOTHING = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Something that an operator can ask for: a page of a model, or an action of its list."""

    pages: Any
    name: str
    # The name of its address; of an action, which has none, the empty text.
    address: str = ""

    def __str__(self) -> str:
        return f"{self.pages.opts.label_lower} {self.name}"

    def url(self, pk: int = NOTHING) -> str:
        try:
            return reverse(f"admin:{self.address}")
        except NoReverseMatch:  # the page of a row
            return reverse(f"admin:{self.address}", args=[pk])

    def lets_in(self, user: User, browser: Client) -> bool:
        """Whether this user, whose browser it is, may ask for it."""
        if not self.address:
            return self.name in self.pages.get_actions(request_of(user))
        if self.name == "view":
            # A filter that does not exist sends back to the list, and spares drawing it.
            return browser.get(self.url(), {"no__such": "1"}).status_code != 403
        return browser.post(self.url(), {}).status_code != 403


def request_of(user: User) -> HttpRequest:
    request = RequestFactory().get("/")
    request.user = user
    return request


def every_page() -> Iterator[Page]:
    for pages in admin.site._registry.values():
        prefix = f"{pages.opts.app_label}_{pages.opts.model_name}_"
        yield Page(pages, "view", f"{prefix}changelist")
        for name in ("add", "change", "delete"):
            yield Page(pages, name, f"{prefix}{name}")
        for pattern in pages.get_urls():
            name = (pattern.name or "").removeprefix(prefix)
            if name and name not in OWN:
                yield Page(pages, name, pattern.name)
        for _function, name, _words in pages._get_base_actions():
            yield Page(pages, name)
