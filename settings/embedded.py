"""The default: SQLite and a broker made of files, so that Python alone is enough."""

import os
from pathlib import Path

from django.core.management.utils import get_random_secret_key
from kombu.transport import TRANSPORT_ALIASES

from settings.base import *  # noqa: F403
from settings.base import STATIC_ROOT, VAR_DIR, env


def _secret_key(path: Path) -> str:
    """This checkout's own key, made once (two processes may start together: the first one wins)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(get_random_secret_key() * 2)
    draft.chmod(0o600)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text()


SECRET_KEY = env.str("SECRET_KEY", default="") or _secret_key(VAR_DIR / "secret-key")

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": env.str("SQLITE_FILE", default=str(VAR_DIR / "shop.sqlite3")),
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 10,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000;"
            ),
        },
    }
}

# A folder of messages that web, worker and beat share; `files` is the transport of shop.broker.
_broker = VAR_DIR / "broker"
for _folder in ("messages", "control"):
    (_broker / _folder).mkdir(parents=True, exist_ok=True)
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
TRANSPORT_ALIASES["files"] = "shop.broker:Transport"
CELERY_BROKER_URL = "files://localhost"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {
    "data_folder_in": str(_broker / "messages"),
    "data_folder_out": str(_broker / "messages"),
    "control_folder": str(_broker / "control"),
    "store_processed": False,
    "polling_interval": 0.2,  # seconds between two looks into the empty folder
}
# Nobody asks this worker anything, so it need not look for questions either.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False

SANDBOX_PAYMENTS = True
NOTICE_CHANNELS = env.list("NOTICE_CHANNELS", default=["log"])
LOTTERY_BEACON = env.str("LOTTERY_BEACON", default="local")
SERVE_MEDIA = True
FAILPOINTS_ALLOWED = True
DEMO_GUIDE = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", *env.list("ALLOWED_HOSTS", default=[])]
