"""The Celery entry point: `celery -A shop.celery worker`, `celery -A shop.celery beat`.

A message carries the id of the request that sent it, and the task that it starts runs under that
id, so a worker's log lines can be found from a shopper's answer. Logging is the shop's own
(`shop.ops.logs`); Celery's `--loglevel` does nothing, LOG_LEVEL does.
"""

import os
from typing import Any

from celery import Celery, Task, signals

from shop.ops.logs import configure
from shop.ops.request_id import current_request_id

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.embedded")

app = Celery("scarce")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def set_up_logging(**_: Any) -> None:
    """Being connected at all is what keeps Celery from installing handlers of its own."""
    configure({})


@signals.before_task_publish.connect
def send_request_id(headers: dict[str, Any], **_: Any) -> None:
    if (request_id := current_request_id.get()) is not None:
        headers["request_id"] = request_id


@signals.task_prerun.connect
def enter_request(task: Task, **_: Any) -> None:
    request_id = task.request.get("request_id")
    if request_id is not None:
        task.request.request_id_token = current_request_id.set(request_id)


@signals.task_postrun.connect
def leave_request(task: Task, **_: Any) -> None:
    token = task.request.get("request_id_token")
    if token is not None:
        current_request_id.reset(token)
