"""Settings of the tests' own worker: one that answers when it is asked."""

from settings.test import *  # noqa: F403

CELERY_WORKER_ENABLE_REMOTE_CONTROL = True
