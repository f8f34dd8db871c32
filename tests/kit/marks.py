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

# What no database makes a difference to, and takes long: once is enough.
once = pytest.mark.skipif(
    os.environ.get("TEST_DATABASE") == "mariadb",
    reason="done on SQLite: it makes no difference which database is behind",
)
