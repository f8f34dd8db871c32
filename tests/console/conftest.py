"""Browsers of operators and shoppers."""

from tests.kit.browser import browse, buyer, chromium, console, visit

__all__ = ["browse", "buyer", "chromium", "console", "visit"]
