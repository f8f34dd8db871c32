"""A line of JSON for what somebody may have to look into, and nothing that must not be kept."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from shop.ops.logs import redacted
from tests.ops.processes import run_python

SECRET = "hunter2-hunter2"


def lines(code: str, **variables: str) -> list[dict[str, Any]]:
    """What a fresh process that runs `code` writes to stderr."""
    written = run_python(
        f"import logging\nlog = logging.getLogger('shop.test')\n{code}", **variables
    )
    return [json.loads(line) for line in written.stderr.splitlines()]


def test_a_line_has_its_time_level_logger_message_and_extras() -> None:
    (line,) = lines("log.warning('refund %s not taken', 'R1', extra={'refund_no': 'R1'})")
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "WARNING",
        "logger": "shop.test",
        "message": "refund R1 not taken",
        "refund_no": "R1",
    }


def test_secrets_and_personal_data_in_extras_are_not_written_however_deep() -> None:
    names = ["Authorization", "password", "access_token", "refreshToken", "phone", "api_key"]
    nested = {"deep": [{name: SECRET} for name in names]}
    flat = dict.fromkeys(names, SECRET)
    written = run_python(
        f"import logging\nlogging.getLogger('a').error('x', extra={{**{flat!r}, **{nested!r}}})"
    ).stderr
    assert SECRET not in written
    assert json.loads(written)["deep"] == [{name: "[redacted]"} for name in names]


WHO = ["openid", "unionid", "session_key", "phone", "purePhoneNumber", "js_code", "access_token"]


@pytest.mark.parametrize("name", WHO)
@pytest.mark.parametrize("shape", ["{n}={s}", "GET /x?a=1&{n}={s}&b=2 200", "C({n}='{s}', b=2)"])
def test_what_a_text_says_as_a_query_is_not_written(name: str, shape: str) -> None:
    text = shape.format(n=name, s=SECRET)
    assert redacted(text) == text.replace(f"'{SECRET}'", SECRET).replace(SECRET, "[redacted]")


@pytest.mark.parametrize("name", WHO)
@pytest.mark.parametrize("spelt", [json.dumps, repr])
def test_what_a_text_says_as_a_mapping_is_not_written(
    name: str, spelt: Callable[[object], str]
) -> None:
    text = redacted(spelt({"errcode": 40001, name: SECRET, "deep": [{name: SECRET}], "a": "b"}))
    assert SECRET not in text
    assert "40001" in text
    assert text.count("[redacted]") == 2


@pytest.mark.parametrize("name", WHO)
def test_who_a_person_is_is_not_written_in_an_extra(name: str) -> None:
    assert redacted({"errcode": 1, name: SECRET}) == {"errcode": 1, name: "[redacted]"}


def test_messages_and_tracebacks_are_texts_like_others() -> None:
    bare = "no name, no filter"
    (line,) = lines(
        f"try:\n    raise ValueError('openid={SECRET}')\n"
        f"except ValueError:\n    log.exception('%s {bare}', {{'js_code': '{SECRET}'}})"
    )
    assert line["message"] == "{'js_code': [redacted]} " + bare
    assert line["exc_info"].endswith("ValueError: openid=[redacted]")
    assert SECRET not in json.dumps(line["message"])


def test_a_text_of_any_length_is_searched_at_once() -> None:
    text = "token_" * 200_000
    assert redacted(text) == text


def test_an_exception_is_one_line_with_its_traceback() -> None:
    (line,) = lines("try:\n    1 / 0\nexcept ZeroDivisionError:\n    log.exception('broken')")
    assert line["message"] == "broken"
    assert line["exc_info"].endswith("ZeroDivisionError: division by zero")


def test_the_level_is_a_setting() -> None:
    code = "log.debug('d'); log.info('i'); log.warning('w')"
    assert [line["message"] for line in lines(code)] == ["i", "w"]
    assert [line["message"] for line in lines(code, LOG_LEVEL="debug")] == ["d", "i", "w"]
    assert [line["message"] for line in lines(code, LOG_LEVEL="WARNING")] == ["w"]


def test_no_page_is_written_out_whatever_the_level() -> None:
    """Django's lines of what a template has not name all that it has."""
    code = (
        "from django.template import Context, Template\n"
        f"Template('{{{{ nothing }}}}').render(Context({{'of_whom': {SECRET!r}}}))\n"
        "log.debug('d')"
    )
    assert [line["message"] for line in lines(code, LOG_LEVEL="debug")] == ["d"]


def test_a_command_writes_for_people_on_stdout_and_nothing_on_stderr() -> None:
    done = run_python("from django.core.management import call_command\ncall_command('check')")
    assert done.stdout == "System check identified no issues (0 silenced).\n"
    assert done.stderr == ""


# A shop of three views, asked over Django's own handler with all of the shop's middleware.
SITE = """
import sys, types
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import path
def broken(request):
    raise RuntimeError("nobody foresaw this")
site = types.ModuleType("site_of_test")
site.urlpatterns = [
    path("fine", lambda request: HttpResponse("ok")),
    path("sold-out", lambda request: HttpResponse(status=409)),
    path("busy", lambda request: HttpResponse(status=503)),
    path("broken", broken),
]
sys.modules["site_of_test"] = site
settings.ROOT_URLCONF = "site_of_test"
client = Client(raise_request_exception=False)
ask = lambda url: client.get(url, HTTP_X_REQUEST_ID="from-the-shopper", SERVER_NAME="localhost")
"""


def test_requests_that_are_answered_as_foreseen_leave_no_line() -> None:
    assert lines(f"{SITE}\nfor url in ('/fine', '/sold-out', '/busy', '/nowhere'): ask(url)") == []


def test_an_unforeseen_error_leaves_one_line_that_names_the_request_without_its_query() -> None:
    (line,) = lines(f"{SITE}\nassert ask('/broken?token={SECRET}').status_code == 500")
    assert line["level"] == "ERROR"
    assert line["request_id"] == "from-the-shopper"
    assert line["request"] == "GET /broken"
    assert line["exc_info"].endswith("RuntimeError: nobody foresaw this")
    assert SECRET not in json.dumps(line)
