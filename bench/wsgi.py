"""The shop and, beside it in the same processes, the yardstick: the least that Django and REST
framework can answer with. It has no middleware, so nothing the shop does to every request makes it
slower and checkout look better than it is."""

from typing import Any

from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler

from bench.load import YARDSTICK
from shop.wsgi import application as shop


class Bare(WSGIHandler):
    """Django without middleware."""

    def load_middleware(self, is_async: bool = False) -> None:
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        self._middleware_chain = convert_exception_to_response(
            self._get_response  # type: ignore[attr-defined]  # the stubs leave it out
        )


_bare = Bare()


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """The WSGI entry point of the benchmark's server."""
    handler = _bare if environ["PATH_INFO"] == YARDSTICK else shop
    return handler(environ, start_response)
