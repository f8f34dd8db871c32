"""What `manage.py doctor` looks at of the shop itself, each by `shop.ops.examining`; importing it
registers all of it."""

from shop.ops.doctor import database, servers, setup, work

__all__ = ["database", "servers", "setup", "work"]
