"""The WSGI entry point: `granian --interface wsgi shop.wsgi:application`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.embedded")
django.setup()

from shop.api.wsgi import Handler  # noqa: E402  # needs the settings

application = Handler()
