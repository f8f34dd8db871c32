"""Uploaded files are served, and nothing else is."""

import logging

import pytest
from django.test import Client


@pytest.fixture
def folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.MEDIA_ROOT.mkdir()
    (settings.MEDIA_ROOT / "tea.txt").write_text("tea")
    (tmp_path / "secret").write_text("secret")


def test_a_file_is_served(folder):
    answer = Client().get("/media/tea.txt")
    assert (answer.status_code, b"".join(answer.streaming_content)) == (200, b"tea")


@pytest.mark.parametrize(
    "path",
    [
        "a" * 5000,
        "a/" * 2000,
        "../secret",
        "%2e%2e/secret",
        "..%2fsecret",
        "x%00",
        "/etc/passwd",
        "",
    ],
)
def test_what_is_no_file_of_ours_is_not_found_and_no_error(folder, path, caplog):
    assert Client().get(f"/media/{path}").status_code == 404
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
