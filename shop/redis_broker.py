"""Redis as a broker: kombu's transport, but for one thing that kept workers from healing.

A worker takes a few messages ahead and, with as many in hand as it may have, listens to nothing
until it has acknowledged some. If Redis dies just then, kombu counts what can't be acknowledged as
in hand for ever: the worker goes on listening to nothing, so it never hears that its connection is
gone, and stands there until somebody starts it anew. Here a message is out of hand once its task is
accepted, whether or not Redis hears of that; so the worker listens, hears of the break and connects
again. What Redis did not hear of, it delivers once more, which a bell may be.
"""

from kombu.transport import redis, virtual


class QoS(redis.QoS):
    def ack(self, delivery_tag: str) -> None:
        """Raises what the connection raises."""
        try:
            super().ack(delivery_tag)
        except BaseException:
            virtual.QoS.ack(self, delivery_tag)
            raise


class Channel(redis.Channel):
    QoS = QoS


class Transport(redis.Transport):
    Channel = Channel


class SentinelChannel(redis.SentinelChannel):
    QoS = QoS


class SentinelTransport(redis.SentinelTransport):
    Channel = SentinelChannel
