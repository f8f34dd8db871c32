"""Every endpoint of the OpenAPI file, with what its schema allows and what it forbids.

Schemathesis makes the requests. No answer may be a 5xx but a declared 503, and none may be of a
status, type or shape that the file does not declare.
"""

import pytest
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework_simplejwt.tokens import AccessToken
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from shop.api.problems import UNHANDLED
from shop.wsgi import application
from tests.factories import make_address, make_shipping, make_sku, make_user, place

pytestmark = [pytest.mark.django_db]

DOCUMENT = SchemaGenerator().get_schema(request=None, public=True)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [result.ok() for result in SCHEMA.get_all_operations()]
MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]


@pytest.fixture
def access():
    """A shopper with something to order and an order, so that more than refusals is seen."""
    shopper = make_user()
    make_address(shopper)
    make_shipping()
    place(shopper, {make_sku(stock=1000): 1})
    return str(AccessToken.for_user(shopper))


def unhandled():
    return sum(sample.value for metric in UNHANDLED.collect() for sample in metric.samples)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_no_answer_is_outside_the_contract(operation, mode, access):
    before = unhandled()

    @given(data=st.data())
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    def check(data):
        case = data.draw(operation.as_strategy(generation_mode=mode))
        response = case.call(
            app=application,
            base_url="http://localhost",
            headers={"Authorization": f"Bearer {access}"},
        )
        case.validate_response(
            response,
            checks=[
                not_a_server_error,
                status_code_conformance,
                content_type_conformance,
                response_schema_conformance,
            ],
        )

    check()
    assert unhandled() == before
