"""A task for the tests of what a task inherits, and its worker's entry point:
`celery -A tests.ops.tasks worker`."""

import logging

from celery import shared_task

from shop.celery import app

__all__ = ["app", "report"]

log = logging.getLogger(__name__)


@shared_task
def report(word: str) -> None:
    log.info("report %s", word, extra={"phone": "13800138000", "headers": {"Authorization": word}})
