"""The two ways to what is scarce: the front door, and the application behind it.

Whoever asks must get the same answer from both; a `Door` is one of them, asked over HTTP."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from django.test import RequestFactory
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from shop.accounts.models import User
from shop.api.front import Front
from tests.kit.offers import SALE_ORDERS, Offer


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whoever gave it. `headers`: by their names as sent."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        """The code of a refusal, "" for anything else."""
        return str(self.body.get("code", ""))

    @property
    def refusal(self) -> tuple[int, str]:
        return self.status, self.code

    @property
    def is_replay(self) -> bool:
        return self.headers.get("Idempotent-Replayed") == "true"


@dataclass(frozen=True, slots=True)
class Door:
    """Through `front`, which must answer by itself, or past it."""

    front: bool
    offer: Offer = SALE_ORDERS
    # Sent along with each request.
    headers: Mapping[str, str] = field(default_factory=dict)

    def post(
        self, user: User, target_id: int, body: Mapping[str, Any], *, key: str = "", **sent: str
    ) -> Reply:
        """Asks for an order of a sale, or an entry; `sent`: more headers."""
        headers = {
            "Authorization": f"Bearer {AccessToken.for_user(user)}",
            "Idempotency-Key": key or uuid4().hex,
            **self.headers,
            **sent,
        }
        path = self.offer.path(target_id)
        if self.front:
            return _through_front(self.offer, path, body, headers)
        answer = APIClient().post(path, body, format="json", headers=headers)
        return Reply(answer.status_code, answer.json(), dict(answer.items()))


def _through_front(
    offer: Offer, path: str, body: Mapping[str, Any], headers: Mapping[str, str]
) -> Reply:
    request = RequestFactory().post(
        path, json.dumps(body), content_type="application/json", headers=dict(headers)
    )
    started: list[tuple[str, list[tuple[str, str]]]] = []
    content = b"".join(
        Front(_nobody, [offer.door()])(request.environ, lambda *said: started.append(said))
    )
    [(status, sent)] = started
    assert dict(sent)["Content-Length"] == str(len(content))
    return Reply(int(status.split()[0]), json.loads(content), dict(sent))


def _nobody(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    raise AssertionError("the front door let a usual request through to the application")
