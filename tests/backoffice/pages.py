"""Every page, step and action of the console as it is registered, and who is let in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.messages.storage.fallback import FallbackStorage
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.test import RequestFactory
from django.urls import resolve, reverse

from shop.accounts.models import User

# Django's own pages; of these, `history` is there for whoever may see the row.
OWN = {"changelist", "add", "change", "delete", "history"}
# Pages that are about no row.
OF_THE_LIST = {"view", "add", "export", "import"}
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
        needs_id = self.name not in OF_THE_LIST
        return reverse(f"admin:{self.address}", args=[pk] if needs_id else [])

    def lets_in(self, user: User) -> bool:
        """Whether this user may ask for it. Nothing is drawn: that is most of what pages cost."""
        if not self.address:
            return self.name in self.pages.get_actions(request_of(user))
        # A filter that does not exist sends back to the list.
        address = f"{self.url()}?no__such=1" if self.name == "view" else self.url()
        request = request_of(user, "GET" if self.name == "view" else "POST", address)
        view, arguments, options = resolve(self.url())
        try:
            return view(request, *arguments, **options).status_code != 403
        except PermissionDenied:
            return False
        except Http404:
            return True


def request_of(user: User, method: str = "GET", address: str = "/") -> Any:
    """What a browser of the user would send."""
    request: Any = RequestFactory().generic(method, address)
    request.user, request.session = user, {}
    request._messages = FallbackStorage(request)
    request._dont_enforce_csrf_checks = True
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
