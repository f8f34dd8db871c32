"""Every endpoint of the OpenAPI file, with what its schema allows and what it forbids.

Schemathesis makes the requests. No answer may be a 5xx but a declared 503, and none may be of a
status, type or shape that the file does not declare. What the file forbids must be refused, and of
what it allows something must be carried out: a check that only ever sees refusals checks little.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from goods.sales.captcha import captcha_of
from goods.sales.models import Protection
from goods.sales.tokens import sale_token_issue
from orders.lifecycle import order_accept, order_ship
from shop.accounts.models import User
from shop.accounts.services import log_in
from shop.api.problems import UNHANDLED
from shop.pools.models import Placement
from shop.wsgi import application
from tests.factories import (
    enter,
    give_points,
    make_address,
    make_period,
    make_sale,
    make_shipping,
    make_sku,
    make_user,
    pay,
    place,
    place_in,
    start_payment,
)
from tests.fakes.wechat_api import WechatApi
from tests.kit.coupons import make_coupon
from tests.kit.packets import make_packet
from tests.kit.periods import sell_and_draw
from tests.kit.wallets import fund

Login = Callable[[User], APIClient]

POSITIVE = schemathesis.GenerationMode.POSITIVE
NEGATIVE = schemathesis.GenerationMode.NEGATIVE
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
# How many requests of each kind, by database: what is forbidden is refused before one is asked, and
# what is allowed depends on it.
SHORT = {
    ("sqlite", NEGATIVE): 40,
    ("sqlite", POSITIVE): 15,
    ("mysql", NEGATIVE): 10,
    ("mysql", POSITIVE): 40,
}
LONG = 500
ROUNDS = [
    pytest.param(False, id="short"),
    pytest.param(True, id="long", marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
]
# All, some or none of what a request names exists.
ALL = st.just(True)
SHARES = st.sampled_from([ALL, st.booleans(), st.just(False)])
METHODS = {"get", "put", "post", "delete", "options", "patch", "trace"}
# What a picture shows.
ANSWER = "ACDEF"
DECLARED: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)


def strict_document() -> dict[str, Any]:
    """DECLARED, stricter: answers, but for problems, hold no member that it does not name.

    And without what it says of tokens: here everybody has one.
    """
    document = deepcopy(DECLARED)
    for operations in document["paths"].values():
        for operation in operations.values():
            del operation["security"]
    for name, component in document["components"]["schemas"].items():
        if component["type"] == "object" and not name.endswith(("Request", "Item", "Problem")):
            component["additionalProperties"] = False
    return document


OPERATIONS = [
    result.ok() for result in schemathesis.openapi.from_dict(strict_document()).get_all_operations()
]


def takes_input(operation: Any) -> bool:
    """Whether there is anything in its request that could be wrong."""
    declared = DECLARED["paths"][operation.path][operation.method]
    return bool(declared.get("parameters") or declared.get("requestBody"))


# Answered in front of the framework, which looks at its connection as a process does.
FRONT = {
    "/api/v1/flash-sales/{sale_id}/orders",
    "/api/v1/lottery/periods/{period_id}/entries",
    "/api/v1/red-packets/{packet_id}/grab",
}
CASES = [
    pytest.param(
        operation,
        mode,
        id=f"{operation.label}-{mode.value}",
        marks=[pytest.mark.django_db(transaction=True)] if operation.path in FRONT else [],
    )
    for operation in OPERATIONS
    for mode in (POSITIVE, NEGATIVE)
    if mode is POSITIVE or takes_input(operation)
]


@pytest.fixture
def owner(db: None) -> User:
    return make_user()


@pytest.fixture(scope="session")
def far() -> Iterator[WechatApi]:
    """Who speaks for WeChat."""
    with WechatApi({"wx1": "secret"}) as api:
        yield api


@pytest.fixture
def real(owner: User, rf: Any, far: WechatApi, settings: Any) -> dict[str, list[Any]]:
    """What exists, by the names that requests have for it: a shopper with something to order, an
    order at each point where a step is possible, and a way to log in."""
    address = make_address(owner)
    shipping = make_shipping()
    sku = make_sku(stock=10**6)
    unpaid, paying, shipped = (place(owner, {sku: 1}, address=address) for _ in range(3))
    payment = start_payment(owner, paying)
    pay(owner, shipped)
    order_accept(order_no=shipped.order_no, operator=owner)
    order_ship(order_no=shipped.order_no, operator=owner, courier="SF", tracking_no="1")
    direct = make_sale(sku, total=10**5, placement=Placement.DIRECT, per_user_limit=None)
    queued = make_sale(sku, total=10**5, per_user_limit=None)
    guarded = make_sale(sku, total=10**5, per_user_limit=None, protection=Protection.CAPTCHA)
    without_address = place_in(direct, owner)
    # One that can be grabbed, and enough for others.
    packet = make_packet(total_fen=1_000, slots=1_000 // 2)
    fund(owner, 10**9)
    give_points(owner, 10**6)
    period = make_period(total_shares=10**5, placement=Placement.DIRECT)
    entry = enter(owner, period)
    drawn = sell_and_draw(make_period(total_shares=1))
    coupon = make_coupon(total=10**5, per_user_limit=None)
    settings.WECHAT_API_URL, settings.WECHAT_APPS = far.url, far.apps
    session = log_in(rf.post("/"), username=owner.username, password="correct horse")
    return {
        "address": [address.pk],
        "address_id": [address.pk],
        "appid": list(far.apps),
        "captcha_answer": [ANSWER],
        "captcha_id": [captcha_of(ANSWER).captcha_id],
        "code": [far.code("li") for _ in range(20)],
        "coupon_id": [coupon.pk],
        "from_cart": [False],
        "entry_no": [entry.entry_no],
        "expected_total_fen": [sku.price_fen + shipping.fee_fen],
        "goods_id": [sku.goods_id],
        "items": [[{"sku": sku.pk, "count": 1}]],
        "packet_id": [packet.public_id],
        "total_fen": [10**6],
        "order_no": [unpaid.order_no, shipped.order_no, without_address.order_no],
        "password": ["correct horse"],
        "payment_no": [payment.payment_no],
        "period_id": [period.pk, drawn.pk],
        "provider": [payment.provider],
        "reason": ["broken"],
        "refresh": [session.refresh],
        "sale_id": [direct.pk, queued.pk, guarded.pk],
        "shares": [1],
        "shipping_method": [shipping.pk],
        "sku": [sku.pk],
        "token": [sale_token_issue(user_id=owner.pk, sale_id=guarded.pk).token],
        "username": [owner.username],
    }


@pytest.fixture
def _one_connection() -> Iterator[None]:
    """A request leaves the test's transaction alone, as with Django's own test client."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


def with_real(data: st.DataObject, value: Any, real: dict[str, list[Any]], share: Any) -> Any:
    """`value` with things that exist in the place of those that it names, where `share` says so."""
    if isinstance(value, dict):
        return {
            name: data.draw(st.sampled_from(real[name]))
            if name in real and data.draw(share)
            else with_real(data, inner, real, share)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [with_real(data, inner, real, share) for inner in value]
    return value


def members_of_body(operation: Any) -> set[str]:
    """What a body of this operation may say."""
    body = DECLARED["paths"][operation.path][operation.method].get("requestBody")
    if body is None:
        return set()
    reference = body["content"]["application/json"]["schema"]["$ref"]
    return set(DECLARED["components"]["schemas"][reference.rsplit("/", 1)[1]]["properties"])


def unhandled() -> float:
    return sum(sample.value for metric in UNHANDLED.collect() for sample in metric.samples)


@pytest.mark.usefixtures("_one_connection")
@pytest.mark.parametrize("is_long", ROUNDS)
@pytest.mark.parametrize(("operation", "mode"), CASES)
def test_no_answer_is_outside_the_contract(
    operation: Any, mode: Any, is_long: bool, owner: User, real: dict[str, list[Any]]
) -> None:
    before = unhandled()
    access = AccessToken()
    access["user_id"] = str(owner.pk)
    statuses: Counter[int] = Counter()
    named = sorted(members_of_body(operation) & real.keys())

    @given(data=st.data())
    @settings(
        max_examples=LONG if is_long else SHORT[connection.vendor, mode],
        deadline=None,
        database=None,
        derandomize=not is_long,  # the suite is the same each time, the long rounds never are
        suppress_health_check=list(HealthCheck),
    )
    def check(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        if mode is POSITIVE:
            share = data.draw(SHARES)
            case.path_parameters = with_real(data, case.path_parameters, real, share)
            if isinstance(case.body, dict):
                body = with_real(data, case.body, real, share)
                if share is ALL:
                    body |= {name: data.draw(st.sampled_from(real[name])) for name in named}
                case.body = body
        response = case.call(
            app=application,
            base_url="http://localhost",
            headers={"Authorization": f"Bearer {access}"},
        )
        statuses[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    check()
    assert unhandled() == before
    if mode is POSITIVE:
        assert statuses.keys() & {200, 201, 202, 204}, "nothing was carried out"


def address_of(path: str) -> str:
    """An address of the path's form, of nothing that exists."""
    return path.format(
        address_id=1,
        coupon_id=1,
        goods_id=1,
        sale_id=1,
        sku=1,
        order_no="0" * 24,
        payment_no="0" * 24,
        packet_id="A" * 22,
        period_id=1,
        entry_no="0" * 24,
    )


@pytest.mark.parametrize("path", DECLARED["paths"])
def test_a_method_that_is_not_declared_is_refused(path: str, owner: User, login: Login) -> None:
    for method in METHODS - set(DECLARED["paths"][path]):
        answer = login(owner).generic(method.upper(), address_of(path))

        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert answer.headers["Content-Type"] == "application/problem+json"
        allowed = {name.lower() for name in answer.headers["Allow"].split(", ")}
        assert allowed - {"head", "options"} == set(DECLARED["paths"][path])


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_a_token_is_asked_for_where_that_is_declared(
    operation: Any, api: APIClient, db: None
) -> None:
    answer = api.generic(operation.method.upper(), address_of(operation.path))

    declared = DECLARED["paths"][operation.path][operation.method]["security"]
    assert (answer.status_code == 401) == (declared == [{"accessToken": []}])
    if answer.status_code == 401:
        assert answer.json()["code"] == "not_authenticated"
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="scarce"'


def test_the_document_does_not_depend_on_the_reader() -> None:
    with translation.override("en"):
        english = SchemaGenerator().get_schema(request=None, public=True)
    with translation.override("zh-hans"):
        chinese = SchemaGenerator().get_schema(request=None, public=True)

    assert english == chinese
