"""How the shop speaks to Redis, wherever it runs."""

from typing import Any

from kombu.transport import TRANSPORT_ALIASES
from redis.backoff import NoBackoff
from redis.retry import Retry

# As a broker, whoever names it so.
TRANSPORT_ALIASES |= {
    "redis": "shop.redis_broker:Transport",
    "rediss": "shop.redis_broker:Transport",
    "sentinel": "shop.redis_broker:SentinelTransport",
}
# A gate answers in a fraction of a millisecond. One that does not is treated as gone, soon.
GATE_TIMEOUT_SECONDS = 0.3


def redis_caches(
    *, gates: str, cache: str, gate_timeout: float = GATE_TIMEOUT_SECONDS
) -> dict[str, dict[str, Any]]:
    """Django's caches: `default`, which may fail and then just knows nothing, and `gates`, which
    tells of its failures. Both are addresses, and may be one server's."""
    backend = "django_redis.cache.RedisCache"
    return {
        "default": {
            "BACKEND": backend,
            "LOCATION": cache,
            "KEY_PREFIX": "scarce",
            "OPTIONS": {
                "IGNORE_EXCEPTIONS": True,
                "SOCKET_TIMEOUT": 1,
                "SOCKET_CONNECT_TIMEOUT": 1,
                # By itself the client tries ten times more, each as long.
                "CONNECTION_POOL_KWARGS": {"retry": Retry(NoBackoff(), 1)},
            },
        },
        "gates": {
            "BACKEND": backend,
            "LOCATION": gates,
            "OPTIONS": {
                "SOCKET_TIMEOUT": gate_timeout,
                "SOCKET_CONNECT_TIMEOUT": gate_timeout,
                "CONNECTION_POOL_KWARGS": {
                    # Once more on a new connection: the old one may be of a server that is gone.
                    "retry": Retry(NoBackoff(), 1),
                },
            },
        },
    }
