"""A worker whose Redis dies while it has all messages in hand that it may have hears of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu import Connection, Queue
from kombu.message import Message
from kombu.transport import redis as kombus
from redis.exceptions import ConnectionError as RedisConnectionError

from deploy.local.servers import Redis
from shop import redis_broker
from tests.kit.marks import on_mariadb

# Redis is there where MariaDB is.
pytestmark = on_mariadb[:2]

IN_HAND = 2


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    with Redis(tmp_path / "redis") as server:
        yield server


def dies_with_its_hands_full(server: Redis, connection: Connection) -> Connection:
    """Takes all it may, and can't acknowledge any of it."""
    channel, taken = connection.default_channel, list[Message]()
    consumer = connection.Consumer(Queue("bell"), on_message=taken.append)
    consumer.qos(prefetch_count=IN_HAND)
    with consumer, connection.Producer() as producer:
        for _ in range(IN_HAND + 1):
            producer.publish("ring", routing_key="bell")
        while channel.qos.can_consume():
            connection.drain_events(timeout=60)
        server.kill()
        for message in taken:
            with pytest.raises(RedisConnectionError):
                message.ack()
        assert len(taken) == IN_HAND
    return connection


@pytest.mark.parametrize(
    ("transport", "hears"), [(redis_broker.Transport, True), (kombus.Transport, False)]
)
def test_what_cant_be_acknowledged_is_not_in_hand_for_ever(
    server: Redis, transport: type, hears: bool
) -> None:
    """Once kombu's own transport hears of it too, ours has no reason any more."""
    url = server.env()["REDIS_URL"]
    with Connection(url, transport=transport) as connection:
        dies_with_its_hands_full(server, connection)

        assert connection.default_channel.qos.can_consume() is hears


@pytest.mark.parametrize(
    ("scheme", "transport"),
    [
        ("redis", redis_broker.Transport),
        ("rediss", redis_broker.Transport),
        ("sentinel", redis_broker.SentinelTransport),
    ],
)
def test_a_broker_at_redis_is_the_shops_own(scheme: str, transport: type) -> None:
    found = Connection(f"{scheme}://127.0.0.1:1").transport
    assert type(found) is transport
    assert found.Channel.QoS is redis_broker.QoS
