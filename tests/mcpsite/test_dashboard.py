"""The admin's first page: its numbers are right, each leads to as many, and nobody sees another's."""

import json
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from pytest_django import Settings

from airfare.dashboard import medians
from airfare.models import FareRow
from mcpsite.access.audit import write_events
from mcpsite.core.panels import Panel
from mcpsite.datasets import curation
from mcpsite.datasets.files import find
from tests.access.test_audit import event
from tests.airfare.conftest import fare, table
from tests.airfare.fares import load
from transcripts.loading import load as load_transcripts
from transcripts.loading import sources
from transcripts.models import Transcript, VectorStoreFile

pytestmark = pytest.mark.django_db


def row(day: str, airline: str, fare: float | str, premium: float | str, load_factor: float | str) -> str:
    return f"{day},JFK-LAX,{airline},Summer,{fare},{premium},,,{load_factor},,"


@pytest.fixture
def data(tmp_path: Path, admin_user: User, settings: Settings) -> None:
    """Fares in every state, transcripts in every state of syncing, calls with every outcome."""
    fares = tmp_path / "fares"
    fares.mkdir()
    first, second = fares / "a.csv", fares / "b.csv"
    first.write_text(
        table(
            row("2026-01-05", "Delta", 100, 900, 80),
            row("2026-01-05", "Delta", 300, "", 90),
            row("2026-01-05", "United", 700, 500, 60),
            row("2026-01-12", "United", 250, 800, "much"),
            row("no date", "United", 1, 1, ""),
            fare("2026-01-12", route="SEA-ANC", airline="Alaska"),
            fare("2026-01-19", route="SEA-ANC", airline="Alaska"),
        )
    )
    second.write_text(table(fare("2026-02-02", airline="Breeze", fare=5), fare(airline="Breeze", fare=6)))
    list(load(find([fares])))
    curation.edit(FareRow.objects.get(avg_fare_usd=5), {"avg_fare_usd": 9.0}, admin_user)
    curation.hide(FareRow.objects.filter(snapshot_date="2026-01-19"))
    second.write_text(table(fare(airline="Breeze", fare=6)))
    list(load(find([fares])))

    calls = tmp_path / "calls"
    calls.mkdir()
    for name in ("one", "two", "three"):
        (calls / f"{name}.txt").write_text(f"{name} was asked about seats.")
    load_transcripts(sources([calls]))
    settings.VECTOR_STORE_ID = "vs_1"
    failed, done, _ = Transcript.objects.order_by("slug")
    VectorStoreFile.objects.create(transcript=failed, store_id="vs_1", status="failed")
    VectorStoreFile.objects.create(transcript=done, store_id="vs_1", status="completed")
    Transcript.objects.filter(pk=done.pk).update(published=False)

    outcomes = ["ok", "ok", "tool error", "denied", "limited", "deadline", "failed"]
    write_events([event(outcome=outcome, milliseconds=n) for n, outcome in enumerate(outcomes)])
    write_events([event(tool="slow one", milliseconds=900, time=time.time() - 2 * 86400)])
    write_events([event(tool="of old", milliseconds=9000, time=time.time() - 20 * 86400)])


def panels(client: Client, query: str = "") -> dict[str, Panel]:
    response = client.get(f"/admin/{query}")
    assert response.status_code == 200
    return {panel.title: panel for panel in response.context["panels"]}


def figures(panel: Panel) -> dict[str, int]:
    return {figure.label: figure.value for figure in panel.figures}


def texts(panel: Panel) -> list[list[str]]:
    assert panel.table is not None
    return [[str(cell) for cell in cells] for cells in panel.table.rows]


def numbers(panels: dict[str, Panel]) -> Iterator[tuple[str, int, str]]:
    """Every number with a link, wherever it stands: what it is, how many, and the link."""
    for panel in panels.values():
        for figure in panel.figures:
            yield f"{panel.title}: {figure.label}", figure.value, figure.url
        for cells in panel.table.rows if panel.table else ():
            for cell in cells:
                if cell.kind == "number" and cell.url:
                    yield f"{panel.title}: {cells[0]}", cell.value, cell.url


def test_rows_and_files_are_counted_by_state(admin_client: Client, data: None) -> None:
    found = panels(admin_client)
    assert figures(found["Fare rows"]) == {
        "Published": 8,
        "Hidden": 1,
        "Edited": 1,
        "Vanished from their files": 1,
    }
    assert figures(found["Source files"]) == {
        "Loaded": 2,
        "Missing from their folders": 0,
        "With unreadable values": 1,
    }
    assert figures(found["Transcripts"]) == {
        "Published": 2,
        "Unpublished": 1,
        "Being indexed": 0,
        "Indexed": 1,
        "Failed": 1,
        "Not synced": 1,
    }
    assert figures(found["Tool calls today"]) == {"Calls": 7, "Answered": 2, "Errors": 3, "Refused": 2}
    assert texts(found["Slowest tools of the last 7 days"]) == [
        ["slow one", "900 ms", "900 ms", "1"],
        ["probe", "3 ms", "6 ms", "7"],
    ]


def test_calls_that_share_a_row_are_all_counted(admin_client: Client, db: None) -> None:
    write_events([event(), event(outcome="limited", calls=40)])
    found = panels(admin_client)
    assert figures(found["Tool calls today"]) == {"Calls": 41, "Answered": 1, "Errors": 0, "Refused": 40}
    assert texts(found["Slowest tools of the last 7 days"])[0][3] == "41"


def test_every_number_leads_to_a_list_of_exactly_as_many(admin_client: Client, data: None) -> None:
    seen = list(numbers(panels(admin_client)))
    assert len(seen) > 25
    for what, number, url in seen:
        response = admin_client.get(url)
        assert response.status_code == 200, what
        assert response.context["cl"].result_count == number, what


def test_a_route_is_drawn_as_medians_with_premium_beside_it(admin_client: Client, data: None) -> None:
    panel = panels(admin_client, "?route=jfk-lax")["Fares over time"]
    assert panel.chart is not None
    drawn = json.loads(panel.chart.data)
    assert drawn["labels"] == ["2025-10-06", "2026-01-05", "2026-01-12", "2026-02-02"]
    assert [series["data"] for series in drawn["datasets"]] == [[6, 300, 250, 9], [None, 700, 800, None]]
    assert texts(panel)[2] == ["2026-01-05", "$300", "$700", "3"]


def test_the_busiest_route_is_drawn_first_and_an_unknown_one_is_told(
    admin_client: Client, data: None
) -> None:
    choice = panels(admin_client)["Fares over time"].choice
    assert choice is not None
    assert (choice.chosen, choice.options) == ("JFK-LAX", ["JFK-LAX", "SEA-ANC"])
    page = admin_client.get("/admin/?route=%3Cb%3E").content.decode()
    assert "No published row has the route &lt;b&gt;; showing JFK-LAX instead." in page


def test_load_factors_are_means_over_the_rows_that_have_one(admin_client: Client, data: None) -> None:
    assert texts(panels(admin_client)["Load factor by airline"]) == [
        ["Delta", "85.0 %", "2"],
        ["United", "60.0 %", "3"],
    ]


def test_an_even_and_an_odd_number_of_rows_have_their_exact_median(tmp_path: Path, db: None) -> None:
    chance = random.Random(7)
    days = {f"2026-03-{day:02}": [chance.uniform(50, 900) for _ in range(day)] for day in range(1, 20)}
    lines = [row(day, "Delta", repr(value), "", "") for day, values in days.items() for value in values]
    (tmp_path / "a.csv").write_text(table(*lines))
    list(load(find([tmp_path]), loaded_by="alice"))
    found = medians(FareRow.objects.all(), "avg_fare_usd")
    assert {str(day): value for day, value in found.items()} == pytest.approx(
        {day: statistics.median(values) for day, values in days.items()}
    )


@pytest.mark.parametrize(
    ("permissions", "titles"),
    [
        ("view_farerow", ["Fare rows", "Fares over time", "Load factor by airline"]),
        # Files are those of the data sets whose rows somebody may view.
        ("view_sourcefile", []),
        (
            "view_farerow view_sourcefile",
            ["Fare rows", "Source files", "Fares over time", "Load factor by airline", "Last loads"],
        ),
        ("change_transcript", ["Transcripts", "Last transcripts loaded"]),
        ("view_auditevent", ["Tool calls today", "Slowest tools of the last 7 days"]),
        ("view_group", []),
    ],
)
def test_a_person_sees_the_figures_of_what_they_may_view(
    client: Client, data: None, permissions: str, titles: list[str]
) -> None:
    user = User.objects.create_user("bob", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions.split()))
    client.force_login(user)
    found = panels(client)
    assert list(found) == titles
    assert "Upload files" not in client.get("/admin/").content.decode()
    assert [(what, client.get(url).status_code) for what, _, url in numbers(found)] == [
        (what, 200) for what, _, _ in numbers(found)
    ]


def test_who_may_see_nothing_is_told_whom_to_ask(client: Client, data: None) -> None:
    client.force_login(User.objects.create_user("bob", is_staff=True))
    assert "Ask an administrator of this site for access." in client.get("/admin/").content.decode()


def test_a_fresh_site_says_how_to_load_something(admin_client: Client) -> None:
    page = admin_client.get("/admin/").content.decode()
    assert "python manage.py load_airfare" in page
    assert "python manage.py upload_transcripts" in page
    for kind in ("airfare", "transcripts"):
        assert f'href="/admin/uploads/upload/new/{kind}/"' in page
    assert "No tool has been called since midnight." in page
    assert "Fares over time" not in page


def test_the_side_bar_holds_what_a_person_may_see_in_groups(client: Client, db: None) -> None:
    user = User.objects.create_user("bob", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_farerow", "view_auditevent"]))
    client.force_login(user)
    groups = client.get("/admin/").context["sidebar_navigation"]
    shown = {group.get("title", ""): [item["title"] for item in group["items"]] for group in groups}
    assert (shown[""], shown["Data"]) == (["Dashboard"], ["Fare rows"])
    assert "Tool calls" in shown["Operation"]
    assert shown.keys() == {"", "Data", "Operation"}


@pytest.mark.django_db(transaction=True)
def test_a_panel_that_fails_takes_no_other_with_it(admin_client: Client, data: None) -> None:
    whole = panels(admin_client)
    rename = "ALTER TABLE access_auditevent RENAME COLUMN {} TO {}"
    with connection.cursor() as cursor:
        # What a panel may meet: a table that is not as the code knows it.
        cursor.execute(rename.format("milliseconds", "duration"))
        try:
            found = panels(admin_client)
        finally:
            cursor.execute(rename.format("duration", "milliseconds"))
    assert "could not be loaded" in found.pop("Access").note
    assert found.keys() == whole.keys() - {"Slowest tools of the last 7 days"}
