"""A shopper's browser; Node, where there is no page, is started by its tests."""

from tests.kit.browser import browse, buyer, chromium, visit

__all__ = ["browse", "buyer", "chromium", "visit"]
