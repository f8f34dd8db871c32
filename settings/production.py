"""Production: MariaDB or MySQL behind a proxy that speaks TLS. Every secret comes from the
environment, and a missing one stops the process with its name."""

from settings.base import *  # noqa: F403
from settings.base import env
from settings.mysql import mysql_database
from settings.redis import redis_caches

SECRET_KEY = env.str("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
DATABASES = {"default": mysql_database()}
REDIS_URL = env.str("REDIS_URL")
GATE_REDIS_URL = env.str("GATE_REDIS_URL", default=REDIS_URL)
CACHES = redis_caches(gates=GATE_REDIS_URL, cache=REDIS_URL)
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL")

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
# Probes come from inside, over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=1)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "shop.storefront.assets.HashedStorage"},
}
