"""The catalogue from a file: what is shown is what is done, and nothing else ever is."""

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from goods import services
from goods.imports.planning import plan_of
from goods.imports.reading import lines_of
from goods.imports.services import File, Imported, NotAsShown, import_carry_out
from goods.models import Category, Goods, Sku
from shop.pools.models import Pool, PoolMovement
from shop.transfers.models import Transfer
from tests.factories import make_goods, make_sku, make_user, place
from tests.transfers.files import carry_out, csv_of, csv_rows, export, look, xlsx_rows

pytestmark = pytest.mark.django_db

HEADINGS = ("code", "title", "category", "price_yuan")
WILD = ("=1+1", "'=1", "-5", "@a", "＝1", "' ", 'a, "b"', "00123", "1.50")


@pytest.fixture(autouse=True)
def english(settings):
    settings.LANGUAGE_CODE = "en"


def sku_of(code, *, goods=None, price_fen=1000, **columns):
    return services.sku_create(
        goods=goods or make_goods(), code=code, price_fen=price_fen, **columns
    )


def plan_for(*rows):
    return plan_of(lines_of(csv_of(*rows)))


def faults_of(*rows):
    return {row.line.row: row.faults for row in plan_for(*rows).faulty}


def is_write(sql):
    return sql.startswith(("UPDATE", "INSERT"))


def said(response):
    return response.context["standing"]


def state():
    """All that an import may change, and all that it must not."""
    return (
        list(Goods.objects.order_by("pk").values()),
        list(Sku.objects.order_by("pk").values()),
        list(Pool.objects.order_by("pk").values_list("available", "taken")),
        PoolMovement.objects.count(),
        LogEntry.objects.count(),
    )


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_what_was_exported_comes_back_without_a_difference(desk, file_format):
    for number, text in enumerate(WILD):
        goods = make_goods(
            text, title_en=text, description=f"{text}\r\nsecond line", on_shelf=False
        )
        sku_of(f"{text.strip()}{number}", goods=goods, spec=text.strip(), price_fen=105 + number)
    make_goods("twice"), make_goods("twice"), sku_of("T-1", goods=make_goods("twice"))

    exported = export(
        desk, "goods_goods", sheet="catalogue", everything="on", file_format=file_format
    )
    shown = look(desk, b"".join(exported.streaming_content), f"catalogue.{file_format}")

    assert said(shown).endswith(f": 0 new lines, 0 changed, {len(WILD) + 3} unchanged, 0 faulty.")
    assert shown.context["form"] is None


def test_a_look_shows_every_difference_and_writes_nothing(desk):
    sku_of("A-1", spec="500 g")
    same = sku_of("A-2", goods=Goods.objects.get())
    before = state()

    shown = look(
        desk,
        csv_of(
            (*HEADINGS, "spec"),
            ("A-1", "茶", "饮料", "12.5", "1 kg"),
            ("A-2", "茶", "饮料", "10.00", ""),
            ("N-1", "Cup", "饮料", "3", "white"),
            ("N-2", "Cup", "Nowhere", "x", ""),
        ),
    )

    assert said(shown) == "catalogue.csv: 1 new line, 1 changed, 1 unchanged, 1 faulty."
    tables = {str(table.title): table.rows for table in shown.context["tables"]}
    assert tables["Changed"] == [
        (2, "A-1", "茶", "spec", "500 g", "1 kg"),
        (2, "A-1", "茶", "price (yuan)", "10.00", "12.50"),
    ]
    assert tables["New"] == [
        (4, "N-1", "Cup", "title", "", "Cup"),
        (4, "N-1", "Cup", "category", "", "饮料"),
        (4, "N-1", "Cup", "spec", "", "white"),
        (4, "N-1", "Cup", "price (yuan)", "", "3.00"),
    ]
    assert [row[0] for row in tables["Faulty"]] == [5, 5]
    assert shown.context["form"] is None
    assert state() == before
    assert Sku.objects.get(pk=same.pk).price_fen == 1000


def test_the_yes_does_what_was_shown_and_touches_no_counter(desk, operator):
    sku = make_sku(stock=10, price_fen=1000)
    place(make_user(), {sku: 4})
    rows = (
        (*HEADINGS, "grams", "title_en", "on_shelf"),
        (sku.code, "红茶", "饮料", "8.80", "520", "Black tea", "1"),
        ("N-1", "Cup", "饮料", "3", "", "Cup", "0"),
        ("N-2", "Cup", "饮料", "2.05", "", "", ""),
    )

    told = carry_out(desk, look(desk, csv_of(*rows)))

    assert told == "Imported: 2 new lines, 1 changed."
    tea, cup = Goods.objects.order_by("pk")
    assert (tea.title, tea.title_en, tea.min_price_fen) == ("红茶", "Black tea", 880)
    assert (cup.title, cup.title_en, cup.min_price_fen) == ("Cup", "Cup", 205)
    kept = Sku.objects.get(pk=sku.pk)
    assert (kept.price_fen, kept.grams, kept.spec) == (880, 520, "500 g")
    assert (kept.pool.available, kept.pool.taken) == (6, 4)
    new = Sku.objects.filter(goods=cup).order_by("code")
    assert [(one.code, one.price_fen, one.on_shelf, one.stock) for one in new] == [
        ("N-1", 300, False, 0),
        ("N-2", 205, True, 0),
    ]
    (logged,) = Transfer.objects.all()
    assert (logged.operator, logged.direction, logged.rows) == (operator, "import", 3)
    assert logged.asked.startswith("catalogue.csv sha256=")
    entry = LogEntry.objects.get(object_id=str(sku.pk), content_type__model="sku")
    assert entry.action_flag == CHANGE
    assert "price_yuan: 10.00 -> 8.80" in entry.change_message
    added = LogEntry.objects.filter(action_flag=ADDITION, content_type__app_label="goods")
    assert sorted(added.values_list("object_repr", flat=True)) == ["Cup", "N-1", "N-2"]


def test_the_same_file_again_changes_nothing(desk):
    content = csv_of(
        HEADINGS, ("N-1", "Cup", "饮料", "3"), ("N-2", "Cup", "饮料", "2"), ("", "Pot", "饮料", "")
    )
    Category.objects.create(title="饮料")
    shown = look(desk, content)
    carry_out(desk, shown)
    before = state()

    again = carry_out(desk, shown)  # a second click
    looked = look(desk, content)

    assert again == "The shop is as the file says; nothing changed now."
    assert said(looked).endswith("0 new lines, 0 changed, 3 unchanged, 0 faulty.")
    assert state() == before
    assert sorted(Goods.objects.values_list("title", flat=True)) == ["Cup", "Pot"]


def test_a_shop_that_changed_since_the_look_refuses_the_yes(desk):
    sku = sku_of("A-1")
    shown = look(desk, csv_of(("code", "price_yuan"), ("A-1", "5")))
    Sku.objects.filter(pk=sku.pk).update(price_fen=1100)
    before = state()

    told = carry_out(desk, shown)

    assert told == str(NotAsShown.detail)
    assert state() == before
    assert not Transfer.objects.exists()


def test_what_nobody_was_shown_is_not_carried_out(desk, operator):
    sku_of("A-1")
    shown = look(desk, csv_of(("code", "price_yuan"), ("A-1", "5")))
    signed = shown.context["form"].initial["shown"]
    page = reverse("admin:goods_goods_import")
    before = state()

    desk.post(page, {"shown": signed[:-2] + "xx"})
    desk.force_login(make_user("other", is_staff=True, is_superuser=True))
    desk.post(page, {"shown": signed})

    assert state() == before


def test_a_faulty_plan_is_never_carried_out_even_if_it_is_the_one_shown(operator):
    sku_of("A-1")
    lines = lines_of(csv_of(("code", "price_yuan"), ("A-1", "5"), ("A-2", "x")))
    before = state()

    with pytest.raises(NotAsShown):
        import_carry_out(
            file=File(lines, "f.csv", "", "csv"), shown=plan_of(lines).digest(), operator=operator
        )

    assert state() == before


def test_a_code_given_meanwhile_undoes_the_whole_import(operator, monkeypatch):
    tea = sku_of("A-1")
    lines = lines_of(
        csv_of(HEADINGS, ("A-1", "", "", "5"), ("N-1", "Cup", tea.goods.category.title, "3"))
    )
    plan = plan_of(lines)
    create = services.skus_create

    def too_late(new, **options):
        create([services.NewSku(goods_id=tea.goods_id, code="N-1", price_fen=1)])
        return create(new, **options)

    monkeypatch.setattr(services, "skus_create", too_late)
    before = state()

    with pytest.raises(NotAsShown):
        import_carry_out(
            file=File(lines, "f.csv", "", "csv"), shown=plan.digest(), operator=operator
        )

    assert state() == before


def test_a_try_after_a_commit_that_nobody_heard_of_finds_it_done(operator):
    sku_of("A-1")
    lines = lines_of(csv_of(("code", "price_yuan"), ("A-1", "5")))
    file, digest = File(lines, "f.csv", "", "csv"), plan_of(lines).digest()

    first = import_carry_out(file=file, shown=digest, operator=operator)
    second = import_carry_out(file=file, shown=digest, operator=operator)

    assert (first, second) == (Imported(0, 1), Imported(0, 0))
    assert Transfer.objects.count() == 1


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (("", "Cup", "饮料", "3"), "A SKU needs a code."),
        (("N-1", "", "饮料", "3"), "New goods need a title."),
        (("N-1", "Cup", "", "3"), "New goods need a category."),
        (("N-1", "Cup", "茶具", "3"), "No category has this title: make it first."),
        (("N-1", "Cup", "饮料", ""), "A new SKU needs a price."),
        (("N-1", "twice", "饮料", "3"), "2 goods have this title: name one by its id."),
        (("A-1", "", "", "-3"), "price (yuan): An amount in yuan with at most two decimals"),
        (("A-1", "", "", "1.234"), "price (yuan): An amount in yuan with at most two decimals"),
        (("A-1", "", "", "１"), "price (yuan): An amount in yuan with at most two decimals"),
        (("N" * 65, "Cup", "饮料", "3"), "code: Ensure this value has at most 64"),
        (("A-1", "x" * 121, "", ""), "title: Ensure this value has at most 120"),
    ],
)
def test_a_faulty_line_says_why(row, fault):
    sku_of("A-1")
    make_goods("twice"), make_goods("twice")

    found = faults_of(HEADINGS, row)

    assert list(found) == [2]
    assert any(one.startswith(fault) for one in found[2]), found


def test_lines_that_contradict_each_other_are_faulty():
    tea = sku_of("A-1")
    other = make_goods("other")

    found = faults_of(
        ("code", "goods", "title", "price_yuan"),
        ("A-1", "", "red tea", "1"),
        ("A-2", tea.goods_id, "green tea", "1"),
        ("A-1", "", "", "2"),
        ("A-1 ", other.pk, "", ""),
        ("A-3", other.pk + 99, "", "1"),
    )

    assert found == {
        3: ["title: another row says otherwise of the same goods."],
        4: ["This code is in row 2 as well."],
        5: ["This code is in row 2 as well."],
        6: ["No goods have this id."],
    }
    assert faults_of(("code", "goods"), ("A-1", other.pk)) == {
        2: [f"This SKU belongs to the goods {tea.goods_id}, and stays with them."]
    }


def test_a_new_sku_joins_the_goods_that_the_file_has_just_renamed():
    tea = sku_of("A-1")

    plan = plan_for(HEADINGS, ("A-1", "Red tea", "", "1"), ("A-2", "Red tea", "", "2"))

    assert [row.target.goods.pk for row in plan.rows] == [tea.goods_id, tea.goods_id]
    assert not plan.faulty


def test_categories_of_one_title_are_no_fault_where_nothing_changes():
    sku = sku_of("A-1")
    Category.objects.create(title=sku.goods.category.title)

    assert plan_for(("code", "category"), ("A-1", "饮料")).is_nothing


def test_an_import_costs_as_many_queries_for_many_lines_as_for_few(operator):
    def cost(prefix, lines):
        for number in range(lines):
            sku_of(f"{prefix}{number}", goods=make_goods(f"{prefix} {number}"))
        content = csv_of(
            ("code", "title_en", "price_yuan"),
            *((f"{prefix}{n}", "Tea", "5") for n in range(lines)),
        )
        read = lines_of(content)
        digest = plan_of(read).digest()
        with CaptureQueriesContext(connection) as asked:
            import_carry_out(file=File(read, "f.csv", "", "csv"), shown=digest, operator=operator)
        return len(asked)

    cost("warm", 1)
    assert cost("few", 2) == cost("many", 30)


def test_the_rows_that_orders_wait_for_are_written_last(operator):
    sku_of("A-1")
    read = lines_of(csv_of(("code", "title_en", "price_yuan"), ("A-1", "Tea", "5")))
    file, digest = File(read, "f.csv", "", "csv"), plan_of(read).digest()

    with CaptureQueriesContext(connection) as asked:
        import_carry_out(file=file, shown=digest, operator=operator)

    written = [query["sql"].replace('"', "").replace("`", "") for query in asked]
    tables = [sql.split()[1 if sql.startswith("UPDATE") else 2] for sql in written if is_write(sql)]
    assert tables[-2:] == ["goods_sku", "goods_goods"]  # then the least price of its goods
    assert tables.count("goods_sku") == 1


def test_whoever_may_only_look_can_not_import_and_sees_no_button(desk_of):
    desk = desk_of("view_goods", "view_sku", "import_goods", "export_goods")
    page = reverse("admin:goods_goods_import")

    assert page not in desk.get(reverse("admin:goods_goods_changelist")).content.decode()
    assert desk.get(page).status_code == 403
    assert look(desk, csv_of(HEADINGS)).status_code == 403
    assert desk.post(page, {"shown": "x"}).status_code == 403


def test_the_page_asks_for_a_file_and_the_list_leads_to_it(desk):
    page = reverse("admin:goods_goods_import")

    assert f'href="{page}"' in desk.get(reverse("admin:goods_goods_changelist")).content.decode()
    asked = desk.get(page).content.decode()
    assert 'enctype="multipart/form-data"' in asked
    assert 'type="file"' in asked


def test_files_of_the_two_lists_say_the_same_of_a_sku(desk):
    sku_of("A-1", price_fen=1205)

    (catalogue,) = csv_rows(export(desk, "goods_goods", sheet="catalogue", everything="on"))
    (sku,) = xlsx_rows(export(desk, "goods_sku", sheet="skus", everything="on", file_format="xlsx"))

    assert (catalogue["code"], catalogue["price (yuan)"]) == ("A-1", "12.05")
    assert (sku["code"], sku["price (yuan)"], sku["price (fen)"]) == ("A-1", 12.05, 1205)
