"""MariaDB, Redis and Celery over Redis on this machine: what `make stack` and the tests run on."""

from settings.embedded import *  # noqa: F403
from settings.embedded import env
from settings.mysql import mysql_database
from settings.redis import redis_caches

DATABASES = {"default": mysql_database()}

REDIS_URL = env.str("REDIS_URL")
# Gates in a database of their own: emptying the cache must not close a sale.
GATE_REDIS_URL = env.str("GATE_REDIS_URL", default=REDIS_URL)
CACHES = redis_caches(gates=GATE_REDIS_URL, cache=REDIS_URL)
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL)
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 5}
