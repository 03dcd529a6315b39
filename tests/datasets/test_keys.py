"""What names a row over all loads of its file."""

import random
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from airfare.models import FareRow
from mcpsite.datasets import curation, keys, loading
from mcpsite.datasets.keys import Keys
from mcpsite.datasets.models import SourceFile
from mcpsite.history.models import Change
from tests.airfare.conftest import Load, fare, table
from tests.airfare.fares import DATA_SET
from tests.exchange.test_exporting import exported

pytestmark = pytest.mark.django_db


def columns(airlines: list[str], day: str = "2025-10-06") -> dict[str, list[Any]]:
    """The columns of rows that differ by their airlines alone."""
    given: dict[str, list[Any]] = {"airline": airlines, "snapshot_day": [day] * len(airlines)}
    return {name: given.get(name, [""] * len(airlines)) for name in DATA_SET.stored}


@given(st.lists(st.sampled_from("ABC"), max_size=12), st.integers(1, 5))
def test_keys_are_the_same_in_whatever_batches_a_file_is_read(airlines: list[str], size: int) -> None:
    at_once, in_batches = Keys(DATA_SET, "a.csv"), Keys(DATA_SET, "a.csv")
    parts = [airlines[start : start + size] for start in range(0, len(airlines), size)]
    found = [key for part in parts for key in in_batches.of(columns(part))]
    assert found == at_once.of(columns(airlines))
    assert len(set(found)) == len(airlines)


def test_keys_do_not_depend_on_the_order_of_unlike_rows() -> None:
    airlines = [f"Line {number}" for number in range(500)]
    shuffled = random.Random(1).sample(airlines, len(airlines))
    first = dict(zip(airlines, Keys(DATA_SET, "a.csv").of(columns(airlines)), strict=True))
    assert dict(zip(shuffled, Keys(DATA_SET, "a.csv").of(columns(shuffled)), strict=True)) == first


def test_equal_rows_of_two_files_have_unlike_keys() -> None:
    assert Keys(DATA_SET, "a.csv").of(columns(["A"])) != Keys(DATA_SET, "b.csv").of(columns(["A"]))


@given(st.integers(0, (1 << 63) - 1))
def test_a_key_is_read_as_it_is_written(key: int) -> None:
    assert keys.read(keys.written(key)) == key


@pytest.mark.parametrize("text", ["", "k", "12", "k12", "x0000000000000012", "k00000000000000_1", "k" * 17])
def test_no_other_text_is_a_key(text: str) -> None:
    assert keys.read(text) is None


# Over loads


OLD, NEW = (table(fare(airline="Delta", fare=number), fare(airline="United")) for number in (1, 2))


def delta() -> FareRow:
    found: FareRow = FareRow.objects.get(airline="Delta")
    return found


def reloads(load_folder: Load) -> list[FareRow]:
    """Delta's row after each of three loads and an undo."""
    rows = []
    for text in (OLD, NEW, OLD):
        load_folder({"a.csv": text})
        rows.append(delta())
    loading.undo(SourceFile.objects.get())
    return [*rows, delta()]


def test_every_row_has_another_number_and_the_same_key_after_a_load(load_folder: Load) -> None:
    rows = reloads(load_folder)
    assert len({row.pk for row in rows[:3]}) == 3
    assert len({row.key for row in rows}) == 1


def test_the_address_of_a_rows_page_outlives_loads(client: Client, curator: User, load_folder: Load) -> None:
    load_folder({"a.csv": OLD})
    url = reverse("admin:airfare_farerow_change", args=[delta().key])
    assert url in client.get("/admin/airfare/farerow/").content.decode()
    load_folder({"a.csv": NEW})
    assert client.get(url).context["original"].avg_fare_usd == 2


@pytest.mark.parametrize("page", ["change", "history"])
def test_the_number_of_today_leads_to_the_page_that_stays(
    client: Client, curator: User, load_folder: Load, page: str
) -> None:
    load_folder({"a.csv": OLD})
    response = client.get(reverse(f"admin:airfare_farerow_{page}", args=[delta().pk]))
    assert response.headers["Location"] == reverse(f"admin:airfare_farerow_{page}", args=[delta().key])


def test_an_action_on_rows_that_were_selected_before_a_load_finds_them(
    client: Client, curator: User, load_folder: Load
) -> None:
    load_folder({"a.csv": OLD})
    chosen = {"action": "hide", "_selected_action": [delta().key]}
    load_folder({"a.csv": NEW})
    client.post("/admin/airfare/farerow/", chosen)
    assert delta().hidden


def test_the_history_of_a_row_and_its_revert_outlive_loads(
    client: Client, curator: User, load_folder: Load
) -> None:
    load_folder({"a.csv": OLD})
    curation.edit(delta(), {"avg_fare_usd": 7.0}, curator)
    change = Change.objects.get(action="edit")
    load_folder({"a.csv": NEW})
    page = client.get(reverse("admin:airfare_farerow_history", args=[delta().key]))
    assert [entry["change"] for entry in page.context["entries"]] == [change]
    url = reverse("admin:history_change_revert", args=[change.pk])
    client.post(url, {"seen": client.get(url).context["plan"].seen})
    assert (delta().avg_fare_usd, delta().file_values) == (2, None)


@pytest.mark.django_db(transaction=True)
def test_the_id_of_an_export_outlives_loads(curator: User, load_folder: Load) -> None:
    load_folder({"a.csv": OLD})
    before = {row["airline"]: row["id"] for row in exported(curator)}
    load_folder({"a.csv": NEW})
    assert {row["airline"]: row["id"] for row in exported(curator)} == before


def test_an_undo_is_a_button_of_the_files_page(client: Client, curator: User, load_folder: Load) -> None:
    load_folder({"a.csv": OLD})
    url = reverse("admin:datasets_sourcefile_change", args=[SourceFile.objects.get().pk])
    assert "Undo the last load" not in client.get(url).content.decode()
    load_folder({"a.csv": NEW})
    assert "Undo the last load" in client.get(url).content.decode()
    page = client.post(url, {"datasets_sourcefile_undo_load": "1"}, follow=True).content.decode()
    assert "a.csv has been restored to the load of" in page
    assert delta().avg_fare_usd == 1


def test_who_may_not_load_files_may_not_undo_a_load(client: Client, curator: User, load_folder: Load) -> None:
    curator.user_permissions.remove(*curator.user_permissions.filter(codename="add_farerow"))
    load_folder({"a.csv": OLD})
    load_folder({"a.csv": NEW})
    url = reverse("admin:datasets_sourcefile_change", args=[SourceFile.objects.get().pk])
    assert "Undo the last load" not in client.get(url).content.decode()
    client.post(url, {"datasets_sourcefile_undo_load": "1"})
    assert delta().avg_fare_usd == 2
