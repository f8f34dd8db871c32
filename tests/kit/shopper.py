"""A client as the contract wants it: a key for each purchase, a log, the same key for a repeat."""

from dataclasses import dataclass
from typing import Any

from rest_framework.test import APIClient

from tests.kit.clientlog import ClientLog

# What an answer says of the request, where it was not stored.
NOTHING_KNOWN = {"unavailable", "request_in_progress"}
WORTH_A_REPEAT = NOTHING_KNOWN | {"busy"}


@dataclass(frozen=True, slots=True)
class Reply:
    """The last answer to a purchase. `code` is "" where it was stored."""

    status: int
    code: str
    body: dict[str, Any]
    replayed: bool


@dataclass(frozen=True, slots=True)
class Shopper:
    """Buys through `client`, who is logged in, and repeats at most `tries` times in all."""

    client: APIClient
    log: ClientLog
    address_id: int
    tries: int = 20

    def buy(self, items: dict[int, int], *, key: str) -> Reply:
        """Orders SKU id -> count under `key`, as often as it takes to get an answer."""
        body = {
            "items": [{"sku": sku_id, "count": count} for sku_id, count in items.items()],
            "address": self.address_id,
        }
        for _ in range(self.tries):
            reply = self._post(body, key)
            if reply.code not in WORTH_A_REPEAT:
                break
        return reply

    def _post(self, body: dict[str, Any], key: str) -> Reply:
        self.log.sends(key)
        answer = self.client.post("/api/v1/orders", body, headers={"Idempotency-Key": key})
        content = answer.json()
        if answer.status_code in (201, 202):
            self.log.learns_stored(key, content["order_no"])
            return Reply(answer.status_code, "", content, "Idempotent-Replayed" in answer)
        code = content["code"]
        if code not in NOTHING_KNOWN:
            self.log.learns_refused(key, code)
        return Reply(answer.status_code, code, content, False)
