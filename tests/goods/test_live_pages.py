"""The live pages of what people race for, as operators get them."""

import pytest
from django.db import DatabaseError
from django.urls import reverse

from goods.sales.admin import FlashSaleAdmin
from goods.sales.live import WatchedSale
from goods.sales.services import sale_end
from shop.pools import shots
from tests.factories import make_period, make_sale, make_user, place_in
from tests.kit.desk import listed, page_of
from tests.kit.marks import on_mariadb
from tests.kit.packets import make_packet
from tests.kit.redis import own_redis
from tests.kit.watching import let_a_second_pass, stop_the_seconds


@pytest.fixture(autouse=True)
def english(settings, db, monkeypatch):
    settings.LANGUAGE_CODE = "en"
    stop_the_seconds(monkeypatch)


@pytest.fixture
def sale():
    return make_sale(total=1_500, per_user_limit=None, placement="direct")


def figures(desk, fact, query=""):
    return desk.get(page_of(fact, "live_figures") + query)


@pytest.mark.parametrize(
    ("make", "state"), [(make_sale, "running"), (make_period, "open"), (make_packet, "open")]
)
def test_the_page_and_the_list_of_what_is_open_lead_to_its_live_page(desk, make, state):
    fact = make()
    live = page_of(fact, "live")

    assert live.endswith(f"/{fact.pk}/live/")
    assert live in desk.get(page_of(fact)).content.decode()
    name = f"admin:{fact._meta.app_label}_{fact._meta.model_name}_changelist"
    assert live in desk.get(reverse(name)).content.decode()
    assert desk.get(live).status_code == 200
    assert (
        figures(desk, fact).json()["cells"]["state"] == "open" if make != make_sale else "running"
    )


def test_the_page_has_its_first_figures_without_a_script(desk, sale):
    place_in(sale, make_user(), 3)

    page = desk.get(page_of(sale, "live"))

    cells = {name: value for name, _label, value in page.context["rows"]}
    assert (cells["available"], cells["taken"], cells["state"]) == ("1,497", "3", "running")
    assert (cells["remaining"], cells["admitted"]) == ("off", "-")
    steps = {name: value for name, _label, value in page.context["steps"]}
    assert (steps["step_placed"], steps["step_settled"]) == ("1", "1 (100 %)")
    assert ">1,497</td>" in page.content.decode()


def test_every_cell_that_is_sent_has_its_place_on_the_page(desk):
    for fact in (make_sale(), make_period(), make_packet()):
        page = desk.get(page_of(fact, "live")).content.decode()

        for name in figures(desk, fact).json()["cells"]:
            assert f'data-cell="{name}"' in page, name


def test_figures_are_renewed_and_kept_by_nobody_on_the_way(desk, sale):
    first = figures(desk, sale)
    place_in(sale, make_user(), 500)
    let_a_second_pass(sale.pool_id)

    second = figures(desk, sale, "?curve")

    assert [one.json()["cells"]["available"] for one in (first, second)] == ["1,500", "1,000"]
    assert (first.json()["curve"], len(second.json()["curve"])) == ([], 2)
    assert second.json()["curve"][-1] == second.json()["point"]
    for header in ("no-store", "private"):
        assert header in second["Cache-Control"]


def test_a_sale_that_is_over_says_so_for_the_last_time(desk, sale):
    assert not figures(desk, sale).json()["over"]
    sale_end(sale)
    let_a_second_pass(sale.pool_id)

    last = figures(desk, sale).json()

    assert (last["over"], last["cells"]["time"], last["cells"]["state"]) == (True, "over", "ended")
    assert ">Live</a>" not in desk.get(reverse("admin:sales_flashsale_changelist")).content.decode()


def test_only_who_may_see_the_sale_may_watch_it(desk_of, client, sale):
    assert client.get(page_of(sale, "live_figures")).status_code == 302

    other = desk_of("view_period")
    assert other.get(page_of(sale, "live")).status_code == 403
    assert (figures(other, sale).status_code, figures(other, sale).json()) == (403, {})

    seer = desk_of("view_flashsale")
    assert seer.get(page_of(sale, "live")).status_code == 200
    assert figures(seer, sale).status_code == 200


def test_what_does_not_exist_is_not_there(desk, sale):
    for number in ("999999", "x", f"{sale.pk}/x"):
        address = page_of(sale, "live_figures").replace(f"/{sale.pk}/", f"/{number}/")
        assert desk.get(address).status_code == 404


class Broken(WatchedSale):
    def standing(self, pk):
        raise DatabaseError


def test_a_database_that_does_not_answer_is_no_fault_of_the_page(desk, sale, monkeypatch):
    figures(desk, sale)
    let_a_second_pass(sale.pool_id)
    monkeypatch.setattr(FlashSaleAdmin, "watched", Broken())

    answer = figures(desk, sale)

    assert (answer.status_code, answer["Retry-After"], answer.json()) == (503, "1", {})


def test_who_comes_while_the_first_figures_are_made_is_told_to_come_back(desk, sale):
    shots.look(sale.pool_id)

    answer = figures(desk, sale)

    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert desk.get(page_of(sale, "live")).status_code == 200


def test_a_viewer_costs_who_they_are_and_nothing_else(desk, sale, django_assert_num_queries):
    figures(desk, sale)

    # The session and the user; the figures are those of a moment ago.
    with django_assert_num_queries(2):
        figures(desk, sale)


def test_the_list_says_where_there_is_something_to_watch(desk, sale):
    over = make_sale()
    sale_end(over)

    assert set(listed(desk, type(sale))) == {sale.pk, over.pk}
    page = desk.get(reverse("admin:sales_flashsale_changelist")).content.decode()
    assert page_of(sale, "live") in page
    assert page_of(over, "live") not in page


class TestBehindAGate:
    pytestmark = on_mariadb

    def test_the_page_shows_what_the_gate_says_and_goes_on_without_it(self, desk, tmp_path):
        with own_redis(tmp_path) as server:
            sale = make_sale(gated=True, per_user_limit=None)
            place_in(sale, make_user(), 3)

            with_it = figures(desk, sale).json()["cells"]
            server.kill()
            page, without = desk.get(page_of(sale, "live")), figures(desk, sale)

        assert [with_it[name] for name in ("available", "remaining", "on_the_way")] == [
            "10",
            "7",
            "3",
        ]
        assert (page.status_code, without.status_code) == (200, 200)
        cells = without.json()["cells"]
        assert (cells["available"], cells["on_the_way"], cells["admitted"]) == ("10", "-", "-")
        assert cells["remaining"].startswith("Redis does not answer")
