"""The server: API v3 as far as the shop asks it, state behind one lock, every request's signature
looked at."""

import hashlib
import json
import re
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from tests.fakes.wechat_pay import books
from tests.fakes.wechat_pay.books import Charge, Refund, bill
from tests.fakes.wechat_pay.http import Handler, PayServer
from tests.fakes.wechat_pay.keys import Keys, Signer, keys

MCHID = "1900000109"
CHARGES, REFUNDS = "/v3/pay/transactions", "/v3/refund/domestic/refunds"

Answer = tuple[int, Any]


class Refused(Exception):
    """WeChat Pay's own way to say no."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.answer: Answer = status, {"code": code, "message": f"{code} it is"}


class WechatPay:
    """Answers at `url` from entering it until leaving. `certified`: signs with its certificate
    instead of its public key. `calls_back`: tells the shop by itself, once or more."""

    def __init__(
        self,
        appids: list[str],
        *,
        port: int = 0,
        mine: Keys | None = None,
        certified: bool = False,
        calls_back: bool = False,
    ) -> None:
        self.appids = appids
        self.mchid = MCHID
        self.keys = mine or keys()
        self.certified = certified
        self.calls_back = calls_back
        self.charges: dict[str, Charge] = {}
        self.refunds: dict[str, Refund] = {}
        # How a new refund stands: what `refund_status` says of it at once.
        self.refund_status = "SUCCESS"
        # Planted into the next bills.
        self.spoils_bill: Callable[[str], str] = lambda text: text
        self.bill_state = ""
        self.asked: Counter[str] = Counter()
        self._faults: defaultdict[str, deque[str]] = defaultdict(deque)
        self._mutex = threading.RLock()
        self.over = threading.Event()
        self._server = PayServer(("127.0.0.1", port), Handler)
        self._server.pay = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def will(self, call: str, *faults: str) -> None:
        """The next such calls end like that, one fault each. `call`: a route's name. `faults`:
        "!503" or "!400 CODE" (nothing is done), or done and told as one of "lost", "hang",
        "unsigned", "old", "forged", "spoilt", "garbage"."""
        self._faults[call].extend(faults)

    def forgive(self, call: str) -> None:
        """From now on such calls end rightly."""
        self._faults[call].clear()

    # --- what people do

    def pay(self, out_trade_no: str, *, closed_too: bool = False) -> bool:
        """The shopper pays; False where WeChat Pay takes no money for it. `closed_too`: it was
        slow to hear of the close."""
        with self._mutex:
            charge = self.charges.get(out_trade_no)
            if charge is None or not (charge.state == "NOTPAY" or closed_too):
                return False
            charge.state, charge.success = "SUCCESS", books.now()
        if self.calls_back:
            threading.Thread(target=self._call_back, args=(charge,), daemon=True).start()
        return True

    def _call_back(self, charge: Charge) -> None:
        for wait in (0.2, 1, 3, 10, 30):
            if self.over.wait(wait):
                return
            headers, body = self.notification(charge.out_trade_no)
            if self.deliver(charge.notify_url, headers, body) < 300:
                return

    def refund_becomes(self, out_refund_no: str, status: str) -> None:
        with self._mutex:
            self.refunds[out_refund_no].status = status

    # --- what it calls the shop with

    def notification(self, out_trade_no: str, /, **changes: Any) -> tuple[dict[str, str], bytes]:
        """Headers and body that tell of a payment; `changes`: other members of its resource."""
        resource = self._transaction(self.charges[out_trade_no]) | changes
        return self.sealed("TRANSACTION.SUCCESS", resource, about="transaction")

    def refund_notification(
        self, out_refund_no: str, /, **changes: Any
    ) -> tuple[dict[str, str], bytes]:
        refund = self.refunds[out_refund_no]
        said = {
            "mchid": self.mchid,
            "out_trade_no": refund.charge.out_trade_no,
            "transaction_id": refund.charge.transaction_id,
            "out_refund_no": out_refund_no,
            "refund_id": refund.refund_id,
            "refund_status": refund.status,
            "success_time": books.now().isoformat(),
            "user_received_account": "somebody's",
            "amount": {
                "total": refund.charge.amount,
                "refund": refund.amount,
                "payer_total": refund.charge.amount,
                "payer_refund": refund.amount,
            },
        }
        return self.sealed(f"REFUND.{refund.status}", said | changes, about="refund")

    def sealed(
        self, event: str, resource: Any, *, about: str, signer: Signer | None = None, **more: Any
    ) -> tuple[dict[str, str], bytes]:
        """A notification of anything at all, signed."""
        sealed = self.keys.seal(json.dumps(resource).encode(), about=about)
        document = {
            "id": secrets.token_hex(16),
            "create_time": books.now().isoformat(),
            "resource_type": "encrypt-resource",
            "event_type": event,
            "summary": "支付成功",
            "resource": sealed | {"original_type": about},
        } | more
        body = json.dumps(document, ensure_ascii=False).encode()
        return self.signed(body, signer=signer), body

    def signed(
        self, body: bytes, *, signer: Signer | None = None, stamp: int | None = None
    ) -> dict[str, str]:
        """The headers of a message."""
        signer = signer or (self.keys.certified if self.certified else self.keys.platform)
        at, nonce = str(stamp or int(time.time())), secrets.token_urlsafe(24)
        return {
            "Wechatpay-Serial": signer.serial,
            "Wechatpay-Timestamp": at,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": signer.sign(f"{at}\n{nonce}\n".encode() + body + b"\n"),
            "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
        }

    def deliver(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Calls; the status that came, 599 for none."""
        request = urllib.request.Request(  # noqa: S310
            url, data=body, headers={**headers, "Content-Type": "application/json"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 599

    # --- what it is asked

    def route_of(self, method: str, path: str) -> "tuple[Route, tuple[str, ...]] | None":
        for route in ROUTES:
            found = re.fullmatch(route.pattern, path)
            if found and route.method == method:
                return route, found.groups()
        return None

    def answer(self, route: "Route", numbers: tuple[str, ...], said: Any) -> Answer:
        """What is right."""
        with self._mutex:
            self.asked[route.call] += 1
            try:
                return route.play(self, *numbers, said)
            except Refused as refused:
                return refused.answer

    def fault(self, call: str) -> str:
        return self._faults[call].popleft() if self._faults[call] else ""

    def _create(self, said: Any) -> Answer:
        self._mine(said)
        if said["appid"] not in self.appids:
            raise Refused(400, "APPID_MCHID_NOT_MATCH")
        number, amount = said["out_trade_no"], said["amount"]["total"]
        known = self.charges.get(number)
        if known and known.state != "NOTPAY":
            raise Refused(400, "ORDERPAID" if known.success else "ORDER_CLOSED")
        if known and (known.openid, known.amount) != (said["payer"]["openid"], amount):
            raise Refused(400, "OUT_TRADE_NO_USED")
        self.charges[number] = known or Charge(
            out_trade_no=number,
            appid=said["appid"],
            openid=said["payer"]["openid"],
            amount=amount,
            title=said["description"],
            notify_url=said["notify_url"],
        )
        return 200, {"prepay_id": f"wx{secrets.token_hex(17)}"}

    def _query(self, number: str, said: Any) -> Answer:
        self._mine(said)
        return 200, self._transaction(self._charge(number))

    def _close(self, number: str, said: Any) -> Answer:
        self._mine(said)
        charge = self._charge(number)
        if charge.success:
            raise Refused(400, "ORDERPAID")
        if charge.state == "CLOSED":
            raise Refused(400, "ORDER_CLOSED")
        charge.state = "CLOSED"
        return 204, None

    def _refund(self, said: Any) -> Answer:
        charge, number = self._charge(said["out_trade_no"]), said["out_refund_no"]
        amount = said["amount"]["refund"]
        if number not in self.refunds:
            given = sum(one.amount for one in charge.refunds if one.status != "CLOSED")
            if charge.success is None or said["amount"]["total"] != charge.amount:
                raise Refused(400, "INVALID_REQUEST")
            if given + amount > charge.amount:
                raise Refused(400, "INVALID_REQUEST")
            refund = Refund(number, charge, amount, said["notify_url"], self.refund_status)
            charge.refunds.append(refund)
            charge.state = "REFUND"
            self.refunds[number] = refund
        elif self.refunds[number].amount != amount:
            raise Refused(400, "INVALID_REQUEST")
        return self._query_refund(number, said)

    def _query_refund(self, number: str, said: Any) -> Answer:
        refund = self.refunds.get(number)
        if refund is None:
            raise Refused(404, "RESOURCE_NOT_EXISTS")
        return 200, {
            "refund_id": refund.refund_id,
            "out_refund_no": number,
            "transaction_id": refund.charge.transaction_id,
            "out_trade_no": refund.charge.out_trade_no,
            "status": refund.status,
            "create_time": refund.created.isoformat(),
            "amount": {
                "total": refund.charge.amount,
                "refund": refund.amount,
                "currency": "CNY",
            },
        }

    def _certificates(self, said: Any) -> Answer:
        sealed = self.keys.seal(self.keys.certificate, about="certificate")
        return 200, {
            "data": [
                {
                    "serial_no": self.keys.certified.serial,
                    "effective_time": books.now().isoformat(),
                    "expire_time": books.now().isoformat(),
                    "encrypt_certificate": sealed,
                }
            ]
        }

    def _bill(self, said: Any) -> Answer:
        if self.bill_state:
            raise Refused(400, self.bill_state)
        content = self._bill_text(said["bill_date"]).encode()
        token = said["bill_date"]
        return 200, {
            "hash_type": "SHA1",
            "hash_value": hashlib.sha1(content).hexdigest(),  # noqa: S324
            "download_url": f"{self.url}/v3/billdownload/file?token={token}",
        }

    def _bill_file(self, said: Any) -> Answer:
        return 200, self._bill_text(said["token"]).encode()

    def _bill_text(self, day: str) -> str:
        return self.spoils_bill(bill(self.mchid, list(self.charges.values()), day=day))

    def _charge(self, number: str) -> Charge:
        if number not in self.charges:
            raise Refused(404, "ORDER_NOT_EXIST")
        return self.charges[number]

    def _mine(self, said: Any) -> None:
        if said.get("mchid") != self.mchid:
            raise Refused(400, "PARAM_ERROR")

    def _transaction(self, charge: Charge) -> dict[str, Any]:
        said: dict[str, Any] = {
            "appid": charge.appid,
            "mchid": self.mchid,
            "out_trade_no": charge.out_trade_no,
            "trade_state": charge.state,
            "trade_state_desc": "它",
        }
        if charge.success:
            said |= {
                "transaction_id": charge.transaction_id,
                "trade_type": "JSAPI",
                "bank_type": "OTHERS",
                "success_time": charge.success.isoformat(),
                "payer": {"openid": charge.openid},
                "amount": {
                    "total": charge.amount,
                    "payer_total": charge.amount,
                    "currency": "CNY",
                    "payer_currency": "CNY",
                },
            }
        return said


@dataclass(frozen=True, slots=True)
class Route:
    """One of the things that can be asked: its name, and what answers it."""

    call: str
    method: str
    pattern: str
    play: Callable[..., Answer]


NUMBER = r"([0-9A-Za-z_*-]{6,64})"
ROUTES = (
    Route("create", "POST", f"{CHARGES}/jsapi", WechatPay._create),
    Route("query", "GET", f"{CHARGES}/out-trade-no/{NUMBER}", WechatPay._query),
    Route("close", "POST", f"{CHARGES}/out-trade-no/{NUMBER}/close", WechatPay._close),
    Route("refund", "POST", REFUNDS, WechatPay._refund),
    Route("query_refund", "GET", f"{REFUNDS}/{NUMBER}", WechatPay._query_refund),
    Route("certificates", "GET", "/v3/certificates", WechatPay._certificates),
    Route("bill", "GET", "/v3/bill/tradebill", WechatPay._bill),
    Route("bill_file", "GET", "/v3/billdownload/file", WechatPay._bill_file),
)
