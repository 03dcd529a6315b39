"""The admin of airfare, as a curator uses it."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from airfare.models import FareRow
from mcpsite.datasets import curation
from mcpsite.datasets.models import Edit, SourceFile
from mcpsite.history.models import Change
from tests.airfare.conftest import Load, fare, table
from tests.airfare.fares import asked, counted, counted_by_hand, page

pytestmark = pytest.mark.django_db

LIST = "/admin/airfare/farerow/"


@pytest.fixture
def loaded(load_folder: Load) -> None:
    load_folder(
        {
            "a.csv": table(
                fare(fare=1, note="Lounge opened"),
                fare(fare=2, airline="United", route="SEA-ANC"),
                fare("2024-03-04", airline="Alaska", season="Winter", fare=3),
            ),
            "b.csv": table(fare("2025-02-30", airline="Breeze", fare=4)),
        }
    )


def shown(client: Client, query: str = "") -> list[str]:
    """The airlines in the list, in its order."""
    response = client.get(LIST + query)
    assert response.status_code == 200
    found = response.context["cl"]
    assert found.result_count == len(found.result_list)
    return [row.airline for row in found.result_list]


def number(airline: str) -> int:
    key: int = FareRow.objects.get(airline=airline).key
    return key


def answered() -> list[str]:
    return [str(row["airline"]) for row in page().rows]


def test_the_list_is_in_the_order_of_the_answers(client: Client, curator: User, loaded: None) -> None:
    assert shown(client) == answered() == ["United", "Delta", "Alaska", "Breeze"]


@pytest.mark.parametrize(
    ("query", "airlines"),
    [
        ("?route=SEA-ANC", ["United"]),
        ("?airline=Delta", ["Delta"]),
        ("?airline=e", ["United", "Delta", "Breeze"]),
        ("?airline=", ["United", "Delta", "Alaska", "Breeze"]),
        ("?route=sea&airline=united", ["United"]),
        ("?airline=Nobody", []),
        ("?season=Winter", ["Alaska"]),
        ("?row_day=2025", ["United", "Delta"]),
        ("?row_day=2024-03", ["Alaska"]),
        ("?q=LOUNGE", ["Delta"]),
        ("?q=winter+alaska", ["Alaska"]),
        ("?q=nowhere", []),
        ("?q=%25", []),
        ("?row_state=all", ["Breeze", "Alaska", "United", "Delta"]),
        ("?row_state=hidden", []),
    ],
)
def test_the_list_is_filtered_and_searched(
    client: Client, curator: User, loaded: None, query: str, airlines: list[str]
) -> None:
    assert shown(client, query) == airlines


def test_the_airline_of_a_hidden_row_is_found_though_no_answer_has_it(
    client: Client, curator: User, loaded: None
) -> None:
    curation.hide(FareRow.objects.filter(airline="Delta"))
    assert shown(client, "?row_state=hidden&airline=Delta") == ["Delta"]


def test_the_filters_offer_the_values_there_are(client: Client, curator: User, loaded: None) -> None:
    assert '<option value="JFK-LAX"></option><option value="SEA-ANC"></option>' in (
        client.get(LIST).content.decode()
    )


def test_the_list_is_filtered_by_file(client: Client, curator: User, loaded: None) -> None:
    source = SourceFile.objects.get(name="b.csv")
    assert shown(client, f"?load__file__id__exact={source.pk}") == ["Breeze"]


def test_rows_are_hidden_and_published_by_actions(client: Client, curator: User, loaded: None) -> None:
    chosen = {"_selected_action": [number("Delta"), number("Alaska")]}
    response = client.post(LIST, {"action": "hide", **chosen}, follow=True)
    assert "2 rows were hidden." in response.content.decode()
    assert answered() == ["United", "Breeze"]
    assert shown(client, "?row_state=hidden") == ["Alaska", "Delta"]
    response = client.post(f"{LIST}?row_state=hidden", {"action": "publish", **chosen}, follow=True)
    assert "2 rows were published." in response.content.decode()
    assert len(answered()) == 4
    assert counted() == counted_by_hand()


def test_an_action_takes_all_rows_of_a_filter(client: Client, curator: User, load_folder: Load) -> None:
    load_folder({"a.csv": table(*(fare(fare=n) for n in range(300)), fare(airline="United"))})
    page = {"action": "hide", "select_across": "1", "_selected_action": [FareRow.objects.first().key]}  # type: ignore[union-attr]
    response = client.post(f"{LIST}?airline=Delta", page, follow=True)
    assert "300 rows were hidden." in response.content.decode()
    assert answered() == ["United"]


def test_a_fare_is_edited_in_the_list(client: Client, curator: User, loaded: None) -> None:
    row = FareRow.objects.get(airline="United")
    form = {
        "form-TOTAL_FORMS": "1",
        "form-INITIAL_FORMS": "1",
        "form-0-id": row.pk,
        "form-0-avg_fare_usd": "0",
        "form-0-load_factor_pct": "",
        "_save": "Save",
    }
    response = client.post(f"{LIST}?airline=United", form, follow=True)
    assert "1 fare row was changed successfully" in response.content.decode()
    assert page(asked(airline_contains="united")).rows[0]["avg_fare_usd"] == 0
    assert FareRow.objects.get(airline="United").file_values == {"avg_fare_usd": 2.0}
    assert Edit.objects.get().edited_by == curator


def change(client: Client, pk: int, **values: str) -> str:
    """Change a row on its page; returns the page that follows."""
    url = reverse("admin:airfare_farerow_change", args=[pk])
    form = client.get(url).context["adminform"].form
    data = {name: form[name].value() for name in form.fields}
    data = {name: value for name, value in {**data, **values}.items() if value not in (None, False)}
    return client.post(url, data, follow=True).content.decode()


def test_a_row_is_edited_on_its_page(client: Client, curator: User, loaded: None) -> None:
    change(client, number("Delta"), route="BOS-SFO", notable_event="Storms")
    [answer] = page(asked(origin_airport="BOS", notable_contains="storm")).rows
    assert (answer["destination_airport"], answer["avg_fare_usd"]) == ("SFO", 1)
    row = FareRow.objects.get(airline="Delta")
    assert row.file_values == {"route": "JFK-LAX", "notable_event": "Lounge opened"}
    assert counted() == counted_by_hand()
    shown = client.get(reverse("admin:airfare_farerow_change", args=[number("Delta")])).content.decode()
    assert "edited: notable event, route" in shown
    assert "route: JFK-LAX" in shown


def test_a_page_saved_as_it_was_is_no_edit(client: Client, curator: User, loaded: None) -> None:
    change(client, number("Delta"))
    assert not Edit.objects.exists()


def test_a_row_is_hidden_on_its_page(client: Client, curator: User, loaded: None) -> None:
    change(client, number("Delta"), hidden="on")
    assert "Delta" not in answered()


@pytest.mark.parametrize(
    ("name", "value"), [("avg_fare_usd", "nan"), ("avg_fare_usd", "x"), ("airline", "a\0b")]
)
def test_what_cannot_be_stored_is_told(
    client: Client, curator: User, loaded: None, name: str, value: str
) -> None:
    assert "errorlist" in change(client, number("Delta"), **{name: value})
    assert not Edit.objects.exists()


def test_the_files_values_are_restored_by_an_action(client: Client, curator: User, loaded: None) -> None:
    pk = number("Delta")
    change(client, pk, airline="Delta Air Lines")
    client.post(f"{LIST}?row_state=edited", {"action": "restore", "_selected_action": [pk]})
    assert "Delta" in answered()


def test_only_vanished_rows_can_be_deleted(
    client: Client, curator: User, loaded: None, load_folder: Load
) -> None:
    pk = number("Delta")
    change(client, pk, avg_fare_usd="7")
    delete = reverse("admin:airfare_farerow_delete", args=[pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    load_folder({"a.csv": table(fare(airline="United"))})
    assert shown(client, "?row_state=vanished") == ["Delta"]
    assert client.post(delete, {"post": "yes"}).status_code == 302
    assert "Delta" not in answered()
    assert counted() == counted_by_hand()


def test_a_files_provenance_is_shown_and_cannot_be_changed(
    client: Client, curator: User, loaded: None
) -> None:
    source = SourceFile.objects.get(name="a.csv")
    url = reverse("admin:datasets_sourcefile_change", args=[source.pk])
    page = client.get(url).content.decode()
    assert source.digest in page
    assert "alice" in page
    client.post(url, {"name": "x"})
    assert SourceFile.objects.filter(name="a.csv").exists()
    assert client.get("/admin/datasets/sourcefile/?q=a.csv").status_code == 200


def test_a_file_is_limited_to_a_group_and_the_history_says_by_whom(
    client: Client, curator: User, loaded: None
) -> None:
    source, team = SourceFile.objects.get(name="a.csv"), Group.objects.create(name="team")
    url = reverse("admin:datasets_sourcefile_change", args=[source.pk])
    assert client.post(url, {"groups": [team.pk]}).status_code == 302
    assert list(source.groups.all()) == [team]
    page = client.get("/admin/datasets/sourcefile/").content.decode()
    assert ("team" in page, "everybody" in page) == (True, True)
    change = Change.objects.latest("pk")
    assert (change.author, change.action) == ("curator", "edit")


# Deleting files


def deleting(name: str) -> str:
    return reverse("admin:datasets_sourcefile_delete", args=[SourceFile.objects.get(name=name).pk])


def delete_selected(client: Client, *names: str, **data: str) -> str:
    """The page that comes of the action, for these files."""
    chosen = list(SourceFile.objects.filter(name__in=names).values_list("pk", flat=True))
    data = {"action": "delete_selected", **data}
    page = client.post("/admin/datasets/sourcefile/", {"_selected_action": chosen, **data}, follow=True)
    return page.content.decode()


@pytest.mark.parametrize("loaded_from", ["a folder", "an upload"])
def test_a_file_is_deleted_with_its_rows_but_for_the_curated(
    client: Client, curator: User, loaded: None, loaded_from: str
) -> None:
    if loaded_from == "an upload":
        SourceFile.objects.update(folder="uploaded")
    curation.edit(FareRow.objects.get(airline="Delta"), {"season": "Autumn"}, curator)
    curation.hide(FareRow.objects.filter(airline="Alaska"))
    page = client.get(deleting("a.csv")).content.decode()
    assert (
        "with its 3 rows: 1 will be deleted, 2 that a curator edited or hid will stay, marked as vanished"
        in page
    )
    assert ("Files of a data folder stay in it" in page) is (loaded_from == "a folder")
    page = client.post(deleting("a.csv"), {"post": "yes"}, follow=True).content.decode()
    assert "2 curated rows are kept and marked as vanished from the file." in page
    assert sorted(answered()) == ["Breeze", "Delta"]
    assert counted() == counted_by_hand()
    assert {change.author for change in Change.objects.filter(action="delete")} == {"curator"}


def test_a_file_that_went_while_its_deletion_was_confirmed_is_passed_over(
    rf: RequestFactory, curator: User, loaded: None
) -> None:
    files = list(SourceFile.objects.all())
    SourceFile.objects.filter(name="a.csv").delete()
    request = rf.post("/")
    request.user = curator
    for file in files:
        admin.site.get_model_admin(SourceFile).delete_model(request, file)
    assert answered() == []
    assert [file.state for file in SourceFile.objects.all()] == [SourceFile.State.REMOVED]


def test_an_answer_does_not_name_a_deleted_file(client: Client, curator: User, loaded: None) -> None:
    client.post(deleting("a.csv"), {"post": "yes"})
    assert page().files == ["b.csv"]
    assert SourceFile.objects.get(name="a.csv").state == "removed"


def test_an_upload_for_everybody_leaves_nothing_behind(client: Client, curator: User, loaded: None) -> None:
    SourceFile.objects.update(folder="uploaded")
    client.post(deleting("a.csv"), {"post": "yes"})
    assert list(SourceFile.objects.values_list("name", flat=True)) == ["b.csv"]


def test_several_files_are_deleted_as_one_action(client: Client, curator: User, loaded: None) -> None:
    page = delete_selected(client, "a.csv", "b.csv")
    assert "a.csv, with its 3 rows" in page
    assert "b.csv, with its 1 row<" in page
    assert len(answered()) == 4
    assert "Successfully deleted 2 source files." in delete_selected(client, "a.csv", "b.csv", post="yes")
    assert answered() == []
    assert counted() == []
    [change] = Change.objects.filter(action="delete")
    assert (change.author, change.size) == ("curator", 2)


@pytest.mark.parametrize("loaded_from", ["a folder", "uploaded"])
def test_a_limited_file_that_was_deleted_comes_back_for_its_groups_alone(
    client: Client, curator: User, loaded: None, load_folder: Load, loaded_from: str
) -> None:
    board = Group.objects.create(name="board")
    source = SourceFile.objects.get(name="a.csv")
    source.groups.add(board)
    SourceFile.objects.filter(pk=source.pk).update(folder=loaded_from)
    page = client.get(deleting("a.csv")).content.decode()
    assert "if the file is loaded again, only board may read it" in page
    client.post(deleting("a.csv"), {"post": "yes"})
    assert answered() == ["Breeze"]
    load_folder()
    assert len(answered()) == 4
    assert list(SourceFile.objects.get(name="a.csv").groups.all()) == [board]


def test_a_removed_file_is_not_removed_once_more(client: Client, curator: User, loaded: None) -> None:
    client.post(deleting("a.csv"), {"post": "yes"})
    assert client.get(deleting("a.csv")).status_code == 403


@pytest.mark.parametrize("way", ["its page", "the list"])
def test_deleting_a_file_needs_the_permission(client: Client, loaded: None, way: str) -> None:
    user = User.objects.create_user("editor", is_staff=True)
    allowed = ["view_sourcefile", "change_sourcefile", "view_farerow", "delete_farerow"]
    user.user_permissions.set(Permission.objects.filter(codename__in=allowed))
    client.force_login(user)
    if way == "its page":
        assert client.post(deleting("a.csv"), {"post": "yes"}).status_code == 403
    else:
        delete_selected(client, "a.csv", post="yes")
    assert len(answered()) == 4


def test_who_may_only_view_files_limits_none(client: Client, loaded: None) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__in=["view_sourcefile", "view_farerow"]))
    client.force_login(viewer)
    source, team = SourceFile.objects.get(name="a.csv"), Group.objects.create(name="team")
    url = reverse("admin:datasets_sourcefile_change", args=[source.pk])
    assert client.get(url).status_code == 200
    assert client.post(url, {"groups": [team.pk]}).status_code == 403
    assert not source.groups.exists()


def test_who_may_not_view_rows_does_not_see_their_files(client: Client, loaded: None) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_sourcefile"))
    client.force_login(viewer)
    assert list(client.get("/admin/datasets/sourcefile/").context["cl"].result_list) == []
    source = SourceFile.objects.get(name="a.csv")
    assert client.get(reverse("admin:datasets_sourcefile_change", args=[source.pk])).status_code == 302


def test_staff_see_the_rows_of_limited_files(client: Client, loaded: None) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__in=["view_farerow", "view_sourcefile"]))
    client.force_login(viewer)
    for source in SourceFile.objects.all():
        source.groups.add(Group.objects.get_or_create(name="team")[0])
    assert len(shown(client)) == 4


def test_somebody_who_may_only_look_changes_nothing(client: Client, loaded: None) -> None:
    user = User.objects.create_user("reader", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_farerow", "view_sourcefile"]))
    client.force_login(user)
    assert len(shown(client)) == 4
    client.post(LIST, {"action": "hide", "_selected_action": [number("Delta")]})
    assert "Delta" in answered()


@pytest.mark.parametrize(("query", "rows"), [("", 3), ("?airline=e&p=1", 2), ("?q=seA+unitEd", 1)])
def test_published_rows_of_categories_are_listed_without_being_counted(
    client: Client, curator: User, loaded: None, query: str, rows: int
) -> None:
    curation.hide(FareRow.objects.filter(airline="Delta"))
    with CaptureQueriesContext(connection) as captured:
        assert client.get(LIST + query).context["cl"].result_count == rows
    # Statements that the server has prepared are logged without their text.
    statements = [each["sql"] or "" for each in captured]
    assert not [each for each in statements if "COUNT(" in each and "farerow" in each]
    assert client.get(f"{LIST}?row_state=all").context["cl"].result_count == 4


def test_a_list_asks_the_database_no_more_for_many_rows(
    client: Client, curator: User, load_folder: Load
) -> None:
    def statements(rows: int) -> int:
        load_folder({"a.csv": table(*(fare(fare=number) for number in range(1, rows + 1)))})
        client.get(LIST)  # What is remembered of a version is read.
        with CaptureQueriesContext(connection) as captured:
            assert len(client.get(LIST).context["cl"].result_list) == rows
        return len(captured)

    assert statements(2) == statements(20) <= 13
