"""A real Chromium that looks at a real server, as fixtures: a folder that needs it imports them.

Once is enough: to a browser it makes no difference which database is behind (tests/kit/marks.py).
"""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Route,
    expect,
    sync_playwright,
)
from pytest_django.live_server_helper import LiveServer

from deploy.local import packages
from deploy.local.processes import VAR
from shop.accounts.models import User
from shop.accounts.services import session_of
from tests.factories import make_address, make_user

# However busy the machine is; what is there is seen at once.
PATIENCE_MS = 60_000
LAUNCH_MS = 180_000
NOON = "2030-01-01T12:00:00Z"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
# Pages to look at; written anew each time.
SCREENSHOTS = VAR / "screenshots"
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Skips what needs Chromium where there is none; `make test` installs it if it can."""
    if missing := packages.CHROMIUM.missing():
        pytest.skip(f"{packages.CHROMIUM.what}: not found: {', '.join(missing)}")
    # Playwright keeps an event loop in this thread, so it is gone before another module's tests;
    # what the tests ask of the database they ask outside it, which Django can't see.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=packages.find("chromium"),
                timeout=LAUNCH_MS,
                # Root has no sandbox, and small machines little shared memory.
                args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
            )
            expect.set_options(timeout=PATIENCE_MS)
            yield browser
            browser.close()
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class Visit:
    """One browser of one person, who may have several tabs; what goes wrong in it is kept."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.faults: list[str] = []

    def page(self, path: str) -> Page:
        """A tab that shows what is at this address."""
        page = self.context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.goto(f"{self.url}{path}")
        return page

    def tab(self, path: str = "/") -> Page:
        """A tab that shows this page of the storefront."""
        page = self.page(f"/#{path}")
        page.locator("main[aria-busy]").wait_for(state="detached")
        return page

    def forget_routes(self) -> None:
        """No request is caught any more, and none that was is still held: where its page is closed
        meanwhile, it would fail in the middle of another test."""
        for owner in (*self.context.pages, self.context):
            owner.unroute_all(behavior="wait")

    def _hear(self, message: ConsoleMessage) -> None:
        # Chromium reports every refusal of the API as an error of its own.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(message.text)


@pytest.fixture
def browse(chromium: Browser, live_server: LiveServer) -> Iterator[Callable[..., Visit]]:
    """Opens browsers, which are Playwright's contexts with these options. No page may have had a
    fault of its own when the test ends."""
    visits: list[Visit] = []

    def open_one(*, locale: str = "en-GB", **options: Any) -> Visit:
        context = chromium.new_context(locale=locale, **{"viewport": PHONE} | options)
        context.set_default_timeout(PATIENCE_MS)
        visits.append(Visit(context, live_server.url))
        return visits[-1]

    yield open_one
    faults = [fault for one in visits for fault in one.faults]
    for one in visits:
        one.forget_routes()
        one.context.close()
    assert faults == []


@pytest.fixture
def visit(browse: Callable[..., Visit], live_server: LiveServer) -> Callable[..., Visit]:
    """Opens browsers: `visit()`, `visit(user)` for one that is logged in, `locale="zh-CN"`."""

    def open_one(user: User | None = None, **options: Any) -> Visit:
        kept = {"origin": live_server.url, "localStorage": kept_of(user) if user else []}
        return browse(storage_state={"origins": [kept]}, **options)

    return open_one


def kept_of(user: User) -> list[dict[str, str]]:
    """What a browser keeps of somebody who has logged in there."""
    session = session_of(user)
    named = {"id": user.pk, "username": user.username, "nickname": user.nickname}
    kept = {"access": session.access, "refresh": session.refresh, "user": named}
    return [{"name": "scarce/session", "value": json.dumps(kept)}]


@pytest.fixture
def buyer(transactional_db: None) -> User:
    """A shopper with an address."""
    user = make_user("buyer")
    make_address(user)
    return user


@pytest.fixture
def console(browse: Callable[..., Visit], live_server: LiveServer) -> Callable[..., Visit]:
    """Opens browsers in which this operator is logged in, as wide as a desk's unless told."""

    def open_one(operator: User, **options: object) -> Visit:
        client = Client()
        client.force_login(operator)
        visit = browse(**{"viewport": DESK} | options)
        kept = client.cookies[settings.SESSION_COOKIE_NAME].value
        visit.context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": kept, "url": live_server.url}]
        )
        return visit

    return open_one


def deafen(page: Page, address: str) -> None:
    """From now on a page that looks there again and again hears nothing: also not what it had asked
    before, for it looks once at a time, and one look has failed."""
    cut: list[Request] = []

    def cut_off(route: Route) -> None:
        cut.append(route.request)
        route.abort()

    def was_cut_off(request: Request) -> bool:
        return request in cut

    with page.expect_event("requestfailed", was_cut_off):
        page.route(address, cut_off)


def stop_the_clock(visit: Visit) -> None:
    """In pages that are opened from now on time stands still, but for what `page.clock` is told: so
    nobody loses patience with a shop that takes its own time."""
    visit.context.clock.install(time=NOON)
    visit.context.clock.pause_at(NOON)


def serious_faults(page: Page) -> list[tuple[str, str]]:
    """The serious ones of axe-core, which the page has, each with the first element that has it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in SERIOUS]


def beyond_its_edge(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def pictured(page: Page, name: str) -> dict[int, int]:
    """Takes the page's picture, under its language, at the width of a telephone and at that of a
    desk, and leaves it as wide as it was. Returns width -> pixels `beyond_its_edge`."""
    was, beyond = page.viewport_size, {}
    for size in (PHONE, DESK):
        page.set_viewport_size(size)
        language = page.locator("html").get_attribute("lang").partition("-")[0]
        page.screenshot(path=SCREENSHOTS / f"{language}-{size['width']}" / f"{name}.png")
        beyond[size["width"]] = beyond_its_edge(page)
    page.set_viewport_size(was)
    return beyond
