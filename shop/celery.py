"""The Celery entry point: `celery -A shop.celery worker`, `celery -A shop.celery beat`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.embedded")

app = Celery("scarce")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
