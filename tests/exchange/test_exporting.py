"""Lists of the admin as CSV, XLSX and JSON."""

import asyncio
import csv
import json
import re
from io import BytesIO, StringIO
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import AsyncClient, Client
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from airfare.models import FareRow
from mcpsite.datasets.corrections import row_columns
from mcpsite.exchange import exporting, formats
from mcpsite.exchange.cells import escape_formula, unescape_formula
from mcpsite.exchange.exporting import ExportMixin
from tests.airfare.conftest import Load, fare, table
from tests.airfare.fares import DATA_SET

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = "/admin/airfare/farerow/"
CSV, XLSX, JSON = "0", "1", "2"


@pytest.fixture
def alice() -> User:
    """She may view fares, files and transcripts, and change nothing."""
    user = User.objects.create_user("alice", is_staff=True)
    names = ("view_farerow", "view_sourcefile", "view_transcript", "view_collection")
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return user


@pytest.fixture
def loaded(load_folder: Load) -> None:
    load_folder(
        {"a.csv": table(fare(note="=1+1"), fare(airline="United", fare=99.5), fare(airline="Alaska"))}
    )


def fields(url: str) -> dict[str, str]:
    """The form of an export as it first stands: every column."""
    model = next(each for each in admin.site._registry if _list(each) == url)
    site = admin.site._registry[model]
    assert isinstance(site, ExportMixin)
    (resource,) = site.resource_classes
    return {f"{resource.__name__.lower()}_{name}": "on" for name in resource.fields}


def _list(model: Any) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def export(user: User, format_: str, query: str = "", url: str = ROWS, **more: Any) -> bytes:
    async def get() -> bytes:
        client = AsyncClient()
        await client.aforce_login(user)
        answer: Any = await client.post(f"{url}export/{query}", {"format": format_, **fields(url), **more})
        assert answer["Content-Disposition"].startswith("attachment"), answer.content
        assert "no-store" in answer["Cache-Control"]
        if not answer.streaming:
            return bytes(answer.content)
        return b"".join([part async for part in answer.streaming_content])

    return asyncio.run(get())


def exported(user: User, query: str = "", url: str = ROWS) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(export(user, CSV, query, url).decode("utf-8-sig"))))


def test_every_list_that_a_person_may_view_can_be_exported(admin_user: User) -> None:
    lists = [_list(model) for model, site in admin.site._registry.items() if isinstance(site, ExportMixin)]
    assert len(lists) > 8
    for url in lists:
        json.loads(export(admin_user, JSON, url=url))


def test_no_export_holds_a_secret() -> None:
    secret = {"password", "client_secret", "token", "token_checksum"}
    for site in admin.site._registry.values():
        if isinstance(site, ExportMixin):
            (resource,) = site.resource_classes
            paths = {field.attribute.rpartition("__")[2] for field in resource.fields.values()}
            assert not paths & secret


def test_csv_holds_what_the_filters_leave(alice: User, loaded: None) -> None:
    (row,) = exported(alice, "?airline=United")
    assert (row["airline"], row["avg_fare_usd"], row["hidden"]) == ("United", "99.5", "FALSE")
    assert (row["source_file"], row["position"]) == ("a.csv", "2")


def test_csv_holds_what_the_search_finds(alice: User, loaded: None) -> None:
    assert [row["airline"] for row in exported(alice, "?q=alaska")] == ["Alaska"]


def test_json_has_numbers_and_no_escapes(alice: User, loaded: None) -> None:
    rows = json.loads(export(alice, JSON))
    assert rows[0]["avg_fare_usd"] == 452
    assert rows[0]["notable_event"] == "=1+1"
    assert rows[0]["premium_fare_usd"] is None


def test_an_empty_list_is_valid_json(alice: User) -> None:
    assert json.loads(export(alice, JSON)) == []


def test_xlsx_has_text_that_is_no_formula(alice: User, loaded: None) -> None:
    sheet = load_workbook(BytesIO(export(alice, XLSX))).active
    assert sheet is not None
    header, first, *_ = sheet.iter_rows()
    cell = first[[each.value for each in header].index("notable_event")]
    assert (cell.value, cell.data_type) == ("'=1+1", "s")


def test_xlsx_of_too_many_rows_is_refused_with_a_sentence(
    client: Client, alice: User, loaded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats.XLSX, "MOST_ROWS", 2)
    client.force_login(alice)
    answer = client.post(f"{ROWS}export/", {"format": XLSX, **fields(ROWS)}, follow=True)
    assert "An Excel file can have 2 rows at most; filter the list, or choose CSV." in answer.content.decode()


def test_more_than_a_chunk_is_exported_once_each(alice: User, load_folder: Load) -> None:
    load_folder({"a.csv": table(*(fare(fare=number) for number in range(4500)))})
    assert [row["position"] for row in exported(alice)] == [str(number) for number in range(1, 4501)]


def test_a_file_that_is_loaded_meanwhile_is_exported_as_it_was(
    alice: User, load_folder: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (table(*(fare(airline=f"{name} {n}") for n in range(5))) for name in ("Old", "New"))
    load_folder({"a.csv": old, "b.csv": table(fare(airline="Other"))})
    monkeypatch.setattr(exporting, "CHUNK", 2)
    key = row_columns(DATA_SET).fields["id"]
    cells = key.function
    seen: list[None] = []

    def load_meanwhile(values: Any) -> Any:
        seen.append(None)
        if len(seen) == 2:
            load_folder({"a.csv": new})
        return cells(values)

    monkeypatch.setattr(key, "function", load_meanwhile)
    rows = exported(alice)
    assert [row["airline"] for row in rows] == [*(f"Old {n}" for n in range(5)), "Other"]


def test_only_the_chosen_columns_are_exported(alice: User, loaded: None) -> None:
    chosen = dict.fromkeys(fields(ROWS), "") | {"farerowresource_airline": "on"}
    assert export(alice, CSV, **chosen).decode("utf-8-sig").splitlines()[:2] == ["airline", "Delta"]


def test_columns_are_chosen_by_their_labels(client: Client, alice: User, loaded: None) -> None:
    client.force_login(alice)
    page = client.get(f"{ROWS}export/").content.decode()
    assert "Average fare (USD)" in page
    assert "Avg Fare" not in page


def test_selected_rows_are_exported(client: Client, alice: User, loaded: None) -> None:
    client.force_login(alice)
    chosen = list(FareRow.objects.exclude(airline="Delta").values_list("key", flat=True))
    page = {"action": "export_selected", "_selected_action": chosen}
    answer = client.post(f"{ROWS}?season=Summer", page)
    query = answer.headers["Location"].partition("?")[2]
    assert "The 2 selected rows" in client.get(answer.headers["Location"]).content.decode()
    assert sorted(row["airline"] for row in exported(alice, f"?{query}")) == ["Alaska", "United"]


def test_the_selection_of_all_is_the_list_with_its_filters(client: Client, alice: User, loaded: None) -> None:
    client.force_login(alice)
    one = FareRow.objects.values_list("key", flat=True)[:1]
    page = {"action": "export_selected", "_selected_action": one, "select_across": "1"}
    answer = client.post(f"{ROWS}?airline=Delta", page)
    assert answer.headers["Location"] == f"{ROWS}export/?airline=Delta"


def test_charlie_cannot_export_what_he_cannot_view(client: Client, loaded: None) -> None:
    client.force_login(User.objects.create_user("charlie", is_staff=True))
    assert client.get(f"{ROWS}export/").status_code == 403
    assert client.post(f"{ROWS}export/", {"format": CSV}).status_code == 403


@pytest.mark.parametrize("query", ["?nothing__exact=x", "?selected=x", "?selected=1%27"])
def test_an_export_with_a_filter_that_makes_no_sense_goes_back_to_the_list(
    client: Client, alice: User, query: str
) -> None:
    client.force_login(alice)
    answer = client.post(f"{ROWS}export/{query}", {"format": CSV, **fields(ROWS)})
    assert (answer.status_code, answer["Location"]) == (302, ROWS)


@given(st.text())
def test_every_text_comes_back_as_it_was(text: str) -> None:
    assert unescape_formula(escape_formula(text)) == text


@given(st.text(alphabet="'=+-@\t\r\n;, a＝－", max_size=8))
def test_no_cell_begins_like_a_formula(text: str) -> None:
    assert not escape_formula(text).startswith(("\t", "\r"))
    for cell in re.split("[;\t\r\n]", escape_formula(text)):
        assert not cell.strip(" ").startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))
    assert unescape_formula(escape_formula(text)) == text


def test_what_other_programs_take_for_a_cell_begins_with_an_apostrophe() -> None:
    assert escape_formula("a;=1+1;b\n@x") == "a;'=1+1;b\n'@x"
    assert escape_formula("＝1+1") == "'＝1+1"
    assert escape_formula("up 5; that is 3-4 = less") == "up 5; that is 3-4 = less"
