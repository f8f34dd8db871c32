"""MariaDB, Redis and Celery over Redis on this machine: what `make stack` and the tests run on."""

from settings.embedded import *  # noqa: F403
from settings.embedded import env
from settings.mysql import mysql_database

DATABASES = {"default": mysql_database()}

REDIS_URL = env.str("REDIS_URL")
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL)
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 5}
