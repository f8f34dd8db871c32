"""What a newcomer reads once a local shop is up: where it is, and commands to copy that buy of what
it has right now."""

import json
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

TYPED = "-H 'Content-Type: application/json'"
# Shares of one request.
MOST_SHARES = 1_000
# Never through a proxy, whatever the environment says.
http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def welcome(base: str, logins: Mapping[str, tuple[str, str]], *, up_after: str) -> str:
    """The text, for a shop at the address `base` that has the demo's logins."""
    api = f"{base}/api/v1"
    cart, sale, period, packet = _first_steps(api, logins)
    return f"""
Scarce is {up_after}.

  shop       {base}/                  what to try, in order, stands there
  API        {api}/goods      pages: {base}/api/docs/
  admin      {base}/admin/            {" / ".join(logins["operator"])}
             as the second person, or for all of it:  {" / ".join(logins["owner"])}
  shopper    {" / ".join(logins["shopper"])}

Place an order (copy, paste into another terminal):

{cart}

Buy in the flash sale; Celery settles it a moment later:

{sale}

{period}

{packet}

`.venv/bin/python manage.py ...` in this folder talks to this shop. Logs: var/log/. Ctrl-C stops it.
"""


def _first_steps(api: str, logins: Mapping[str, tuple[str, str]]) -> list[str]:
    """Commands that get something of each kind."""
    try:
        login, token = _log_in(api, logins["shopper"])
        _, operator = _log_in(api, logins["operator"])
    except (OSError, LookupError, ValueError) as error:
        return [_no_command(error)] * 4
    buyer = _Buyer(api, login, token, operator=operator)
    return [_tried(step) for step in (buyer.cart, buyer.sale, buyer.period, buyer.packet)]


def _log_in(api: str, login: tuple[str, str]) -> tuple[str, str]:
    """The body that logs in, and the access token."""
    body = json.dumps(dict(zip(("username", "password"), login, strict=True)))
    return body, str(_call(f"{api}/auth/login", body=body)["access"])


def _tried(command: Callable[[], str]) -> str:
    try:
        return command()
    except (OSError, LookupError, StopIteration, ValueError) as error:
        return _no_command(error)


def _no_command(error: Exception) -> str:
    return f"  (no command: {type(error).__name__} {error}, see var/log/web.log)"


class _Buyer:
    """The demo's shopper, and what they can buy. Each raises LookupError, StopIteration or
    ValueError where an answer is not as it should be, OSError where there is none."""

    def __init__(self, api: str, login: str, token: str, *, operator: str) -> None:
        self._api = api
        self._login = login
        self._token = token
        # The operator's token: who sends red packets.
        self._operator = operator

    def cart(self) -> str:
        """An order of the first thing that is in stock."""
        shelf = _call(f"{self._api}/goods?page_size=100")["results"]
        sku = next(sku["id"] for goods in shelf for sku in goods["skus"] if sku["available"])
        order = {"items": [{"sku": sku, "count": 1}], "address": self._address()}
        return self._post("/orders", order)

    def sale(self) -> str:
        """One unit of the running flash sale."""
        sales = _call(f"{self._api}/flash-sales?status=running")["results"]
        if not sales:
            return "  (no sale is running)"
        order = {"count": 1, "address": self._address()}
        return self._post(f"/flash-sales/{sales[0]['id']}/orders", order)

    def period(self) -> str:
        """All that is left of the open lottery period, and then the proof of its draw."""
        periods = _call(f"{self._api}/lottery/periods?status=open")["results"]
        if not periods:
            return "(No lottery period is open.)"
        # The one that can be bought whole: whoever does that wins.
        period = min(periods, key=lambda one: int(one["sold_shares"]))
        path = f"/lottery/periods/{period['id']}"
        proof = f"{self._api}{path}/proof"
        shares = min(period["total_shares"], MOST_SHARES)
        entry = self._post(f"{path}/entries", {"shares": shares, "allow_partial": True})
        return f"""\
Buy all that is left of a lottery period, with points; some ten seconds later it is drawn:

{entry}

Fetch the proof of the draw, and verify it with a program that shares no code with the shop, against
the commitment as it stands before you buy:

curl -s {proof}; echo
.venv/bin/python lottery/verify_draw.py {proof} \\
  --commitment {period["commitment"]}"""

    def packet(self) -> str:
        """The last part of the operator's red packet, and who has had the others."""
        mine = _call(f"{self._api}/red-packets/mine", token=self._operator)
        path = f"/red-packets/{mine['sent']['results'][0]['id']}"
        return f"""\
Take the last part of a red packet, and see who has had the others; all of them are its total
({self._api.removesuffix("/api/v1")}/#{path.replace("red-", "")} shows it):

{self._post(f"{path}/grab")}
{self._get(path)}"""

    def _address(self) -> int:
        addresses = _call(f"{self._api}/addresses", token=self._token)
        listed = addresses["results"] if isinstance(addresses, dict) else addresses
        return int(listed[0]["id"])

    def _post(self, path: str, body: Mapping[str, Any] | None = None) -> str:
        """A command that logs in and posts, each time with another key."""
        sent = "-X POST" if body is None else f"-d '{json.dumps(body)}'"
        return (
            f"curl -s {self._api}{path} {TYPED} \\\n"
            f'  -H "Authorization: Bearer {self._access}" \\\n'
            f"""  -H "Idempotency-Key: $(date +%s)-$$" {sent}; echo"""
        )

    def _get(self, path: str) -> str:
        """A command that logs in and looks."""
        return f'curl -s {self._api}{path} \\\n  -H "Authorization: Bearer {self._access}"; echo'

    @property
    def _access(self) -> str:
        return (
            f"$(curl -s {self._api}/auth/login {TYPED} -d '{self._login}'"
            r""" | sed 's/.*"access": *"\([^"]*\)".*/\1/')"""
        )


def _call(url: str, *, body: str | None = None, token: str | None = None) -> Any:
    headers = {"Content-Type": "application/json"} if body else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(  # noqa: S310
        url, data=body.encode() if body else None, headers=headers
    )
    with http.open(request, timeout=10) as answer:
        return json.load(answer)
