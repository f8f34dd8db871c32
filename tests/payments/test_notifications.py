"""Who may tell the shop that it was paid, and what: WeChat Pay, about this shop's own."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from orders.models import Order
from orders.payments.models import Payment, Refund
from orders.payments.oversight.models import PaymentAlarm
from orders.payments.wechat import client
from shop.accounts.models import User
from tests.factories import make_sku, place
from tests.fakes.wechat_pay import WechatPay
from tests.fakes.wechat_pay.keys import Signer, strangers_key
from tests.kit.wechat_pay import start_wechat
from tests.payments.conftest import state_of, status_of

pytestmark = pytest.mark.django_db

Heard = Callable[..., Any]
Message = tuple[dict[str, str], bytes]


@pytest.fixture
def order(far: WechatPay, buyer: User) -> Order:
    return place(buyer, {make_sku(stock=1, price_fen=1000): 1})


@pytest.fixture
def paid(far: WechatPay, buyer: User, order: Order) -> Payment:
    """Paid there, and the shop does not know."""
    payment = start_wechat(buyer, order)
    far.pay(payment.payment_no)
    return payment


def without(name: str) -> Callable[[WechatPay, Message], Message]:
    def spoil(far: WechatPay, message: Message) -> Message:
        return {key: value for key, value in message[0].items() if key != name}, message[1]

    return spoil


def with_header(name: str, value: str) -> Callable[[WechatPay, Message], Message]:
    return lambda far, message: (message[0] | {name: value}, message[1])


def flipped_body(far: WechatPay, message: Message) -> Message:
    headers, body = message
    middle = len(body) // 2
    return headers, body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def flipped_signature(far: WechatPay, message: Message) -> Message:
    raw = bytearray(base64.b64decode(message[0]["Wechatpay-Signature"]))
    raw[7] ^= 1
    return message[0] | {"Wechatpay-Signature": base64.b64encode(raw).decode()}, message[1]


def signed_at(seconds: int) -> Callable[[WechatPay, Message], Message]:
    return lambda far, message: (
        far.signed(message[1], stamp=int(time.time()) + seconds),
        message[1],
    )


def of_a_stranger(far: WechatPay, message: Message) -> Message:
    signer = Signer(far.keys.platform.serial, strangers_key())
    return far.signed(message[1], signer=signer), message[1]


def of_the_merchant(far: WechatPay, message: Message) -> Message:
    return far.signed(message[1], signer=far.keys.merchant), message[1]


def of_another_serial(far: WechatPay, message: Message) -> Message:
    signer = Signer("PUB_KEY_ID_0000", far.keys.platform.key)
    return far.signed(message[1], signer=signer), message[1]


def another_nonce(far: WechatPay, message: Message) -> Message:
    return message[0] | {"Wechatpay-Nonce": "x" * 32}, message[1]


def sealed_with_another_key(far: WechatPay, message: Message) -> Message:
    document = json.loads(message[1])
    document["resource"] = far.keys.seal(b"{}", about="transaction", api_key="x" * 32)
    body = json.dumps(document).encode()
    return far.signed(body), body


PROBE = "WECHATPAY/SIGNTEST/" + base64.b64encode(b"x" * 256).decode()
FORGED = {
    "no serial": without("Wechatpay-Serial"),
    "no signature": without("Wechatpay-Signature"),
    "no timestamp": without("Wechatpay-Timestamp"),
    "no nonce": without("Wechatpay-Nonce"),
    "one bit of the body": flipped_body,
    "one bit of the signature": flipped_signature,
    "no base64": with_header("Wechatpay-Signature", "~~~"),
    "a probe": with_header("Wechatpay-Signature", PROBE),
    "another scheme": with_header("Wechatpay-Signature-Type", "WECHATPAY2-SM2-WITH-SM3"),
    "too old": signed_at(-310),
    "too new": signed_at(3_600),
    "a time that is none": with_header("Wechatpay-Timestamp", "now"),
    "another nonce": another_nonce,
    "a stranger's key": of_a_stranger,
    "the shop's own key": of_the_merchant,
    "an unknown serial": of_another_serial,
    "sealed with another key": sealed_with_another_key,
}


@pytest.mark.parametrize("how", FORGED)
def test_what_is_not_provably_from_wechat_pay_is_refused_and_changes_nothing(
    far: WechatPay, order: Order, paid: Payment, heard: Heard, how: str
) -> None:
    answer = heard(FORGED[how](far, far.notification(paid.payment_no)))

    assert (answer.status_code, answer.json()["code"]) == (401, "AUTHENTICATION_FAILED")
    assert (state_of(order), status_of(paid)) == ("unpaid", "pending")
    # Anybody can send that: nobody is alarmed, and WeChat Pay's true call is heard as before.
    assert not PaymentAlarm.objects.exists()
    assert heard(far.notification(paid.payment_no)).status_code == 204
    assert state_of(order) == "paid"


def test_what_is_replayed_later_is_too_old_and_before_that_has_no_effect(
    far: WechatPay, order: Order, paid: Payment, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = far.notification(paid.payment_no)
    assert [heard(message).status_code for _ in range(3)] == [204] * 3
    assert order.moves.count() == 1
    assert not Refund.objects.exists()
    later = far.signed(message[1], stamp=int(time.time()) - 301)
    assert heard((later, message[1])).status_code == 401


WRONG = {
    "amount": {"amount": {"total": 999, "payer_total": 999, "currency": "CNY"}},
    "app": {"appid": "wx0000000000000002"},
    "merchant": {"mchid": "1900000110"},
    "currency": {"amount": {"total": 1000, "payer_total": 1000, "currency": "USD"}},
    "unknown": {"out_trade_no": "202611250000000000000000"},
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_rightly_signed_and_does_not_fit_is_refused_with_an_alarm(
    far: WechatPay, order: Order, paid: Payment, heard: Heard, what: str
) -> None:
    for _ in range(2):
        answer = heard(far.notification(paid.payment_no, **WRONG[what]))
        assert answer.status_code in (400, 404)

    alarm = PaymentAlarm.objects.get()
    assert (alarm.kind, alarm.provider, alarm.times) == (what, "wechat", 2)
    assert alarm.number == WRONG[what].get("out_trade_no", paid.payment_no)
    assert (state_of(order), status_of(paid)) == ("unpaid", "pending")
    assert not Refund.objects.exists()


def test_a_second_transaction_under_one_number_is_an_alarm(
    far: WechatPay, order: Order, paid: Payment, heard: Heard
) -> None:
    heard(far.notification(paid.payment_no))
    answer = heard(far.notification(paid.payment_no, transaction_id="4200999"))

    assert answer.status_code == 400
    assert PaymentAlarm.objects.get().kind == "twice"
    assert state_of(order) == "paid"


@pytest.mark.parametrize(
    "said",
    [
        {"trade_state": "NOTPAY"},
        {"trade_state": "SOMETHING"},
        {"transaction_id": None},
        {"amount": {"total": "1000", "currency": "CNY"}},
        {"amount": {"total": 1000.0, "currency": "CNY"}},
        {"amount": None},
        {"success_time": "yesterday"},
        {"out_trade_no": ["x"]},
    ],
)
def test_what_is_signed_and_can_not_be_read_is_refused(
    far: WechatPay, order: Order, paid: Payment, heard: Heard, said: dict[str, Any]
) -> None:
    assert heard(far.notification(paid.payment_no, **said)).status_code == 400
    assert state_of(order) == "unpaid"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"resource": 1}', b"[" * 9000, b'{"a": 1, "a": 2}', b"\xff"]
)
def test_no_body_is_an_error_of_ours(far: WechatPay, heard: Heard, body: bytes) -> None:
    assert heard((far.signed(body), body)).status_code in (400, 401)
    assert heard(({}, body)).status_code == 401


def test_a_body_is_bounded(far: WechatPay, heard: Heard, settings: Settings) -> None:
    settings.MAX_BODY_BYTES = 1000
    assert heard(far.sealed("TRANSACTION.SUCCESS", "x" * 1000, about="x")).status_code == 413


def test_other_methods_and_other_events_are_refused(
    far: WechatPay, api: Any, paid: Payment, heard: Heard
) -> None:
    assert api.get("/api/v1/payments/wechat/notify").status_code == 405
    assert heard(far.sealed("COUPON.USE", {}, about="coupon")).status_code == 400
    headers, body = far.notification(paid.payment_no)
    assert heard((headers, body), "refund-notify").status_code == 400


# --- WeChat Pay's certificates


@pytest.fixture
def certified(far: WechatPay, settings: Settings) -> WechatPay:
    """An account without a public key: answers and calls are signed with a certificate's."""
    settings.WECHAT_PAY_PUBLIC_KEY_ID = settings.WECHAT_PAY_PUBLIC_KEY_FILE = ""
    far.certified = True
    client.forget()
    return far


def test_a_certificate_is_fetched_once_and_then_known(
    certified: WechatPay, order: Order, paid: Payment, heard: Heard
) -> None:
    assert heard(certified.notification(paid.payment_no)).status_code == 204
    assert state_of(order) == "paid"
    assert certified.asked["certificates"] == 1


def test_unknown_serials_have_them_fetched_at_most_once_a_minute(
    certified: WechatPay, order: Order, paid: Payment, heard: Heard
) -> None:
    body = certified.notification(paid.payment_no)[1]
    for number in range(5):
        signer = Signer(f"51{number:030X}", strangers_key())
        assert heard((certified.signed(body, signer=signer), body)).status_code == 401
    assert certified.asked["certificates"] == 1
    assert state_of(order) == "unpaid"


@pytest.mark.parametrize("fault", ["!500", "unsigned", "forged", "spoilt", "lost"])
def test_certificates_that_can_not_be_trusted_are_none(
    far: WechatPay,
    settings: Settings,
    order: Order,
    paid: Payment,
    heard: Heard,
    fault: str,
) -> None:
    far.certified = True
    far.will("certificates", fault)
    assert heard(far.notification(paid.payment_no)).status_code == 401
    assert state_of(order) == "unpaid"


def test_both_are_good_while_an_account_changes_from_one_to_the_other(
    far: WechatPay, order: Order, paid: Payment, heard: Heard
) -> None:
    far.certified = True
    assert heard(far.notification(paid.payment_no)).status_code == 204
    far.certified = False
    assert heard(far.notification(paid.payment_no)).status_code == 204
    assert state_of(order) == "paid"
