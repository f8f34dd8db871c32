"""Nothing here asks a database."""

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def _once() -> None:
    if os.environ.get("TEST_DATABASE") == "mariadb":
        pytest.skip("done on SQLite: pure logic asks no database")
