"""What every deployment of the shop shares.

The other modules of this package differ from this one in one thing each: `embedded` needs no
server, `stack` uses MariaDB and Redis on this machine, `production` takes every address and secret
from the environment, `test` is `embedded` or `stack` with throw-away data.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import environ

from settings.console import UNFOLD  # noqa: F401

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env.str("SCARCE_VAR", default=str(BASE_DIR / "var")))

DEBUG = False
ALLOWED_HOSTS: list[str] = ["127.0.0.1", "localhost", "[::1]"]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"

INSTALLED_APPS = [
    "shop.backoffice.apps.DressConfig",  # before the admin whose pages it dresses
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "shop",
    "shop.ops",
    "shop.accounts",
    "shop.accounts.wechat",
    "shop.approvals",
    "shop.pools",
    "shop.wallet",
    "shop.notices",
    "shop.backoffice",
    "shop.transfers",
    "shop.storefront",
    "goods",
    "goods.sales",
    "orders",
    "orders.payments",
    "orders.payments.oversight",
    "orders.refunds",
    "orders.coupons",
    "orders.takings",
    "lottery",
    "lottery.packets",
]

MIDDLEWARE = [
    "shop.ops.request_id.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- words and time
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "shop" / "locale"]
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True

# --- people
AUTHENTICATION_BACKENDS = ["shop.accounts.backends.RateLimitedBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# Sessions are operators' only: shoppers have tokens. A log-in at the console lasts a shift.
SESSION_COOKIE_AGE = env.int("CONSOLE_SESSION_HOURS", default=12) * 3600
# Proxies in front whose X-Forwarded-For entry is believed; 0 believes nobody but the socket.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
# (attempts, seconds) allowed for one user name from one address, and for one address.
LOGIN_RATE_PER_NAME = (10, 300)
LOGIN_RATE_PER_ADDRESS = (100, 300)
# (new shoppers, seconds) allowed for one address; whole offices and phone networks share one.
REGISTER_RATE_PER_ADDRESS = (100, 3600)
# Mini-programs, appid -> secret. The first is the one of requests that name none; without any, the
# addresses of WeChat do not exist.
WECHAT_APPS: dict[str, str] = {
    appid.strip(): secret.strip() for appid, secret in env.dict("WECHAT_APPS", default={}).items()
}
WECHAT_API_URL = env.str("WECHAT_API_URL", default="https://api.weixin.qq.com")
# Seconds that a request waits for WeChat, and how many of one process do at once.
WECHAT_SECONDS = env.float("WECHAT_SECONDS", default=5.0)
WECHAT_AT_ONCE = env.int("WECHAT_AT_ONCE", default=3)
# WeChat Pay (API v3): the merchant's number, the serial and key of its own certificate, the key
# that both sides know, and where WeChat Pay calls the shop. All of them, or none.
WECHAT_PAY_MCHID = env.str("WECHAT_PAY_MCHID", default="")
WECHAT_PAY_SERIAL = env.str("WECHAT_PAY_SERIAL", default="")
WECHAT_PAY_PRIVATE_KEY_FILE = env.str("WECHAT_PAY_PRIVATE_KEY_FILE", default="")
WECHAT_PAY_API_V3_KEY = env.str("WECHAT_PAY_API_V3_KEY", default="")
WECHAT_PAY_CALLED_AT = env.str("WECHAT_PAY_CALLED_AT", default="")
# WeChat Pay's public key, for accounts that have one; others use its certificates.
WECHAT_PAY_PUBLIC_KEY_ID = env.str("WECHAT_PAY_PUBLIC_KEY_ID", default="")
WECHAT_PAY_PUBLIC_KEY_FILE = env.str("WECHAT_PAY_PUBLIC_KEY_FILE", default="")
# Those of WECHAT_APPS that may pay; empty: all.
WECHAT_PAY_APPIDS: list[str] = env.list("WECHAT_PAY_APPIDS", default=[])
WECHAT_PAY_API_URL = env.str("WECHAT_PAY_API_URL", default="https://api.mch.weixin.qq.com")
WECHAT_PAY_SECONDS = env.float("WECHAT_PAY_SECONDS", default=8.0)
# (codes, seconds) allowed for one address, and (phone numbers, seconds) for one shopper.
WECHAT_RATE_PER_ADDRESS = (100, 300)
PHONE_RATE_PER_USER = (10, 3600)

# --- the API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["shop.accounts.authentication.AccessTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["shop.api.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["shop.api.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "shop.api.pagination.PageNumbers",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "shop.api.renderers.AlwaysJSON",
    "DEFAULT_SCHEMA_CLASS": "shop.api.schema.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS is a method like another: not allowed
    "EXCEPTION_HANDLER": "shop.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "AUDIENCE": "scarce-api",
    "ISSUER": "scarce",
    "UPDATE_LAST_LOGIN": False,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Scarce",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "docExpansion": "list",
        "persistAuthorization": True,
        # By itself the page asks a stranger whether the document is valid.
        "validatorUrl": None,
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "shop.api.completing.complete",
    ],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # More than one schema has a field with these values, none of a name that would do.
    "ENUM_NAME_OVERRIDES": {"EntryStatusEnum": ["pending", "confirmed", "failed", "refunded"]},
    # Labels are for operators, and in whatever language the generator runs.
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    # What the converters of shop.api.converters let through.
    "PATH_CONVERTER_OVERRIDES": {
        "id": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
        "number": {"type": "string", "pattern": "^[0-9]{24}$"},
        "packet": {"type": "string", "pattern": "^[A-Za-z0-9_-]{22}$"},
    },
}
MAX_BODY_BYTES = 256 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024

LOGIN_REDIRECT_URL = "/admin/"

# --- files
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
MEDIA_URL = "media/"
MEDIA_ROOT = VAR_DIR / "media"
SERVE_MEDIA = False

# --- the shop
# How a transaction takes units where a pool does not say otherwise: pessimistic or optimistic.
STOCK_STRATEGY = env.str("STOCK_STRATEGY", default="optimistic")
# Requests of one process that may work on one pool at a time, and how long (seconds) others wait.
POOL_CONCURRENCY = env.int("API_ORDER_LIMIT", default=4)
POOL_WAIT_SECONDS = env.float("API_ORDER_WAIT_SECONDS", default=2.0)
# Units from which on the console says that a SKU runs low.
LOW_STOCK = env.int("LOW_STOCK", default=5)
# Seconds an order may stay unpaid.
ORDER_PAY_SECONDS = env.int("ORDER_PAY_SECONDS", default=300)
# Whether every paid order is accepted by itself.
ORDER_AUTO_ACCEPT = env.bool("ORDER_AUTO_ACCEPT", default=False)
# Seconds after which a paid order that the merchant has not answered is refused (0: never).
ORDER_REFUSE_SECONDS = env.int("ORDER_REFUSE_SECONDS", default=0)
# Days after which an order that was sent is completed (0: only by its shopper).
ORDER_COMPLETE_DAYS = env.int("ORDER_COMPLETE_DAYS", default=15)
# Days in which a shopper may ask for a refund of what was sent (0: not any more).
REFUND_DAYS = env.int("REFUND_DAYS", default=15)
# --- flash sales and the queue
# Placement of cart checkout: direct (201) or queued (202); each sale has its own.
CHECKOUT_PLACEMENT = env.str("CHECKOUT_PLACEMENT", default="direct")
# Orders that may be pending in one queue before further ones are `busy`.
PENDING_LIMIT = env.int("PENDING_LIMIT", default=20_000)
# A bell for the drain is sent at most this often (seconds) by each process.
BELL_SECONDS = env.float("BELL_SECONDS", default=0.25)
# Orders settled in one transaction, and times that one whose settling fails is tried.
DRAIN_BATCH = 500
DRAIN_ATTEMPTS = 5
# Seconds that a sale token, and the picture that earns one, may be used.
SALE_TOKEN_SECONDS = env.int("SALE_TOKEN_SECONDS", default=120)
CAPTCHA_SECONDS = env.int("CAPTCHA_SECONDS", default=180)
# (wrong or right answers, seconds) allowed for one shopper.
CAPTCHA_RATE_PER_USER = (30, 300)
# The windows, in seconds, that a sale's rates count in.
SALE_RATE_SECONDS = {"user": 5, "address": 1, "all": 1}
# --- the second person
# Parts of the shop whose deeds at the console wait for one, beside corrections, which always do.
SECOND_PERSON_FOR: list[str] = env.list("SECOND_PERSON_FOR", default=["lottery", "coupons"])
# Hours that something waits; after that it is to be asked for again.
SECOND_PERSON_HOURS = env.int("SECOND_PERSON_HOURS", default=72)
# What the whole issue of a coupon can take off at most (fen) without one.
COUPON_MOST_FEN = env.int("COUPON_MOST_FEN", default=1_000_000)
# --- wallets
# Points that a new shopper is given.
SIGNUP_POINTS = env.int("SIGNUP_POINTS", default=0)
# --- lottery
# Shares cost points. Selling them for money is treated as gambling in some countries.
LOTTERY_FOR_MONEY = env.bool("LOTTERY_FOR_MONEY", default=False)
# What decides draws: drand (a public beacon), or local (the shop's own, which binds nobody).
LOTTERY_BEACON = env.str("LOTTERY_BEACON", default="drand")
# Servers that pass on what drand says, asked in turn: nobody need trust them. Empty: public ones.
LOTTERY_DRAND_RELAYS = env.list("LOTTERY_DRAND_RELAYS", default=[])
# The most that one top-up may be (fen), and the seconds that it may stay unpaid.
TOP_UP_MOST_FEN = env.int("TOP_UP_MOST_FEN", default=1_000_000)
TOP_UP_SECONDS = env.int("TOP_UP_SECONDS", default=900)
# --- red packets
# When a grab takes its slot: direct (the answer says how much) or queued (202, and soon after).
RED_PACKET_PLACEMENT = env.str("RED_PACKET_PLACEMENT", default="direct")
# Seconds until what was not grabbed goes back to the sender.
RED_PACKET_SECONDS = env.int("RED_PACKET_SECONDS", default=24 * 3600)
# The most money, and the most slots, of one packet.
RED_PACKET_MOST_FEN = env.int("RED_PACKET_MOST_FEN", default=10_000_000)
RED_PACKET_MOST_COUNT = env.int("RED_PACKET_MOST_COUNT", default=500)
# Packets of so many slots or more have a gate, where there is a Redis for gates.
RED_PACKET_GATED_FROM = env.int("RED_PACKET_GATED_FROM", default=50)
# --- notices
# How people are told of what becomes of their orders: log, wechat, or nobody is.
NOTICE_CHANNELS: list[str] = env.list("NOTICE_CHANNELS", default=[])
# WeChat's templates, appid -> event -> {template, page, data}; null: none. See shop.notices.wechat.
WECHAT_TEMPLATES: dict[str, dict[str, Any]] = env.json("WECHAT_TEMPLATES", default={}) or {}
# Days that a notice is kept which is delivered, or not wanted.
NOTICE_DAYS = env.int("NOTICE_DAYS", default=30)
# --- payments
SANDBOX_PAYMENTS = env.bool("SANDBOX_PAYMENTS", default=False)
FAILPOINTS_ALLOWED = False
# Whether the storefront's first page tells newcomers what to try, and the demo's public logins.
DEMO_GUIDE = False

# --- Celery: a message is a doorbell; what is to be done stands in rows.
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")
# What settles orders waits behind nothing else, and what tidies up behind no order.
CELERY_TASK_ROUTES = {
    "shop.pools.tasks.drain": {"queue": "drains"},
    "shop.pools.tasks.*": {"queue": "sweepers"},
    "shop.notices.tasks.*": {"queue": "sweepers"},
    "goods.sales.tasks.*": {"queue": "sweepers"},
    "orders.tasks.*": {"queue": "sweepers"},
    "lottery.tasks.*": {"queue": "sweepers"},
    "lottery.packets.tasks.*": {"queue": "sweepers"},
}
# `expires`: a ring that nobody heard in time is worth nothing, the next one says the same.
CELERY_BEAT_SCHEDULE = {
    "expire-orders": {
        "task": "orders.tasks.expire_orders",
        "schedule": 1.0,
        "options": {"expires": 5},
    },
    "close-payments": {
        "task": "orders.tasks.close_payments",
        "schedule": 1.0,
        "options": {"expires": 5},
    },
    "ask-payments": {
        "task": "orders.tasks.ask_payments",
        "schedule": 2.0,
        "options": {"expires": 5},
    },
    "reconcile-payments": {
        "task": "orders.tasks.reconcile_payments",
        "schedule": 1800.0,
        "options": {"expires": 600},
    },
    "execute-refunds": {
        "task": "orders.tasks.execute_refunds",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
    "complete-orders": {
        "task": "orders.tasks.complete_orders",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "count-takings": {
        "task": "orders.tasks.count_takings",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
    "ring-drains": {
        "task": "shop.pools.tasks.ring_drains",
        "schedule": 1.0,
        "options": {"expires": 5},
    },
    "sweep-sales": {
        "task": "goods.sales.tasks.sweep_sales",
        "schedule": 1.0,
        "options": {"expires": 5},
    },
    "sweep-periods": {
        "task": "lottery.tasks.sweep_periods",
        "schedule": 1.0,
        "options": {"expires": 5},
    },
    "draw-periods": {
        "task": "lottery.tasks.draw_periods",
        "schedule": 2.0,
        "options": {"expires": 5},
    },
    "expire-packets": {
        "task": "lottery.packets.tasks.expire_packets",
        "schedule": 1.0,
        "options": {"expires": 5},
    },
    "correct-gates": {
        "task": "shop.pools.tasks.correct_gates",
        "schedule": 5.0,
        "options": {"expires": 5},
    },
    "deliver-notices": {
        "task": "shop.notices.tasks.deliver_notices",
        "schedule": 2.0,
        "options": {"expires": 5},
    },
    "prune-notices": {
        "task": "shop.notices.tasks.prune_notices",
        "schedule": 24 * 3600.0,
    },
    # One for each queue, so that silence is noticed: see shop.ops.rings.
    **{
        f"hear-{queue}": {
            "task": "shop.ops.tasks.hear",
            "schedule": 10.0,
            "args": (queue,),
            "options": {"expires": 10, "queue": queue},
        }
        for queue in ("drains", "sweepers", "celery")
    },
    "forget-expired-tokens": {
        "task": "shop.accounts.tasks.forget_expired_tokens",
        "schedule": 24 * 3600.0,
    },
}
# Where the merchant answers every order, nobody is asked each second whether to.
if ORDER_AUTO_ACCEPT or ORDER_REFUSE_SECONDS:
    CELERY_BEAT_SCHEDULE["answer-orders"] = {
        "task": "orders.tasks.answer_orders",
        "schedule": 1.0,
        "options": {"expires": 5},
    }

LOGGING_CONFIG = "shop.ops.logs.configure"
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
# Read by no one; without it Django does not call LOGGING_CONFIG.
LOGGING = {"version": 1}
# Who shows it may read /metrics from anywhere; without one, only private addresses may.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
