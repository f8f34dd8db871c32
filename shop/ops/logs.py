"""Log lines: one JSON object each on stderr, for web, worker, beat and commands alike.

Every line has time, level, logger and message, the request id where there is one, and the task's
name and id inside a task; what code passes in `extra` stands beside them. Values whose name says
secret or person are replaced before they are written: those of mappings, and those that a text
spells out as a query (`name=value`) or as a mapping's own text (`"name": "value"`). What stands in
a text without its name no filter can know; it is not written in the first place. Commands' own
output stays on stdout.

What happens to every request is counted (`shop.ops.metrics`), not logged: a flash sale answers
thousands of refusals a second, and each of them is as it should be.
"""

import logging
import logging.config
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from celery import current_task
from django.conf import settings
from django.http import HttpRequest
from pythonjsonlogger.json import JsonFormatter

from shop.ops.request_id import current_request_id

WORDS = (
    r"(?:authori[sz]ation|cookie|session|passw|secret|token|credential|signature|private|api_?key"
    r"|phone|mobile|email|address|openid|unionid|js_?code|nickname|remark)"
)
SECRET = re.compile(WORDS, re.IGNORECASE)
# The same names in a text. Bounded, so that no text makes the search a long one.
NAME = rf"(?<![\w-])[\w-]{{0,40}}?{WORDS}[\w-]{{0,40}}"
QUOTED = r"\"[^\"]*\"|'[^']*'"
IN_QUERY = re.compile(rf"({NAME}=)(?:{QUOTED}|[^&\s\"',;)\]}}>]+)", re.IGNORECASE)
IN_MAPPING = re.compile(
    rf"((?P<mark>[\"']){NAME}(?P=mark)\s*:\s*)(?:{QUOTED}|[^\s,}}\]]+)", re.IGNORECASE
)
REDACTED = "[redacted]"


def redacted(value: Any) -> Any:
    """`value` with everything replaced that stands under a name that says secret or person, in its
    texts too."""
    if isinstance(value, Mapping):
        return {
            key: REDACTED if SECRET.search(str(key)) else redacted(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [redacted(inner) for inner in value]
    if isinstance(value, str):
        return IN_MAPPING.sub(rf"\1{REDACTED}", IN_QUERY.sub(rf"\1{REDACTED}", value))
    return value


class JsonLineFormatter(JsonFormatter):
    """One record, one line of JSON."""

    def __init__(self) -> None:
        super().__init__(json_ensure_ascii=False)

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        extra: dict[str, Any] = {}
        super().add_fields(extra, record, message_dict)
        log_data["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(
            timespec="milliseconds"
        )
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        log_data["message"] = redacted(extra.pop("message"))
        if (request_id := current_request_id.get()) is not None:
            log_data["request_id"] = request_id
        if current_task and current_task.request.id:
            log_data["task"] = current_task.name
            log_data["task_id"] = current_task.request.id
        request = extra.pop("request", None)
        if isinstance(request, HttpRequest):
            # Without its query, where anything may stand.
            log_data["request"] = f"{request.method} {request.path}"
        if record.name.startswith("celery."):
            # A task's arguments, as text that no filter could look into.
            extra.pop("data", None)
        for key, value in redacted(extra).items():
            log_data.setdefault(key, value)


class OnlyUnforeseen(logging.Filter):
    """Lets pass what nobody meant to answer: an error with its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR and bool(record.exc_info)


def configure(_config: Mapping[str, Any]) -> None:
    """Sets up logging for this process at settings.LOG_LEVEL; safe to call again."""
    level = settings.LOG_LEVEL.upper()
    # A line for each task of each second: worth reading only when one looks for something.
    ticking = {"level": "DEBUG" if level == "DEBUG" else "WARNING"}
    to_root: dict[str, Any] = {"handlers": [], "propagate": True}
    logging.captureWarnings(True)
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": JsonLineFormatter}},
            "filters": {"only_unforeseen": {"()": OnlyUnforeseen}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                "django": to_root | {"level": "NOTSET"},
                "django.server": to_root,
                "django.request": {"filters": ["only_unforeseen"]},
                # Scanners ask for any host; the answers are counted as 400.
                "django.security.DisallowedHost": {"level": "CRITICAL"},
                # At DEBUG, the page's whole context wherever a template asks for what it has not.
                "django.template": {"level": "INFO"},
                "_granian": to_root,
                # A line for each call, with its whole address.
                "urllib3": {"level": "WARNING"},
                # billiard's, the worker's parent of processes; it switches propagation off.
                "multiprocessing": {"handlers": ["stderr"], "propagate": False},
                "celery.beat": ticking,
                "celery.worker.strategy": ticking,
                "celery.app.trace": ticking,
            },
        }
    )
