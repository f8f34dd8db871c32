"""Marks that say what a test needs."""

import os

import pytest

# Real row locks: committed data, which the test's other threads see, on MariaDB.
on_mariadb = [
    pytest.mark.mariadb,
    pytest.mark.skipif(
        os.environ.get("TEST_DATABASE") != "mariadb", reason="needs MariaDB (TEST_DATABASE=mariadb)"
    ),
    pytest.mark.django_db(transaction=True),
]

# The shop's cache, though not its database.
asks_cache = pytest.mark.servers
# What no database makes a difference to, and takes long.
once = pytest.mark.once


def in_both_forms(name: str, *, short: object, long: object) -> pytest.MarkDecorator:
    """A test of races or steps: the `short` one in every run, the `long` one in `make soak`."""
    rounds = [pytest.mark.soak, pytest.mark.timeout(3600)]
    return pytest.mark.parametrize(name, [short, pytest.param(long, marks=rounds)])


def asks_servers(test: pytest.Item) -> bool:
    """Whether it is another test with other servers behind it: a mark or a fixture says so."""
    marks = {mark.name for mark in test.iter_markers()}
    if "once" in marks:
        return False
    fixtures = set(getattr(test, "fixturenames", ()))
    asks_database = "django_db" in marks or fixtures & {"db", "transactional_db"}
    return bool(asks_database or marks & {"mariadb", "servers"})
