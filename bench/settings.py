"""`stack`, with the benchmark's own addresses and command beside the shop's."""

from settings.stack import *  # noqa: F403
from settings.stack import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "bench"]
ROOT_URLCONF = "bench.urls"
WSGI_APPLICATION = "bench.wsgi.application"
