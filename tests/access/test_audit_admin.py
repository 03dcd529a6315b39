"""The audit trail in the admin: read, filtered, drawn and exported; never changed."""

import asyncio
import csv
import json
import re
import time
from datetime import date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import AsyncClient, Client
from django.utils import timezone

from mcpsite.access.audit import write_events
from mcpsite.access.dashboard import calls_per_day
from mcpsite.access.models import AuditEvent
from mcpsite.core.panels import Panel
from tests.access.test_audit import event

LIST = "/admin/access/auditevent/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    """May view the trail."""
    user = User.objects.create_user("alice", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_auditevent"))
    return user


@pytest.fixture
def charlie() -> User:
    """Staff who may not."""
    return User.objects.create_user("charlie", is_staff=True)


@pytest.fixture
def page(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def exported(user: User, query: str = "") -> list[dict[str, str]]:
    async def get() -> str:
        client = AsyncClient()
        await client.aforce_login(user)
        columns = {f"auditeventresource_{field.attname}": "on" for field in AuditEvent._meta.fields}
        answer: Any = await client.post(f"{LIST}export/{query}", {"format": "0", **columns})
        assert answer["Content-Disposition"].startswith("attachment")
        return b"".join([part async for part in answer.streaming_content]).decode("utf-8-sig")

    return list(csv.DictReader(StringIO(asyncio.run(get()))))


def test_calls_are_listed_with_who_asked_and_what_came_of_it(page: Client) -> None:
    write_events([event(tool="airfare_fares", note="a fallback", username="bob")])
    text = page.get(LIST).content.decode()
    assert all(word in text for word in ("airfare_fares", "a fallback", "bob"))


def test_calls_are_filtered_by_outcome_and_found_by_their_arguments(page: Client) -> None:
    write_events([event(outcome="denied", tool="one"), event(arguments='{"route":"JFK-LAX"}', tool="two")])
    denied = page.get(f"{LIST}?outcome__exact=denied")
    assert [each.tool for each in denied.context["cl"].result_list] == ["one"]
    found = page.get(f"{LIST}?q=JFK")
    assert [each.tool for each in found.context["cl"].result_list] == ["two"]


def test_a_call_is_found_by_the_reference_that_its_client_was_shown(page: Client) -> None:
    write_events([event(tool="one"), event(tool="two")])
    wanted = AuditEvent.objects.get(tool="two")
    found = page.get(LIST, {"q": str(wanted.pk)})
    assert [each.tool for each in found.context["cl"].result_list] == ["two"]


def test_one_call_is_shown_in_full_and_has_nothing_to_save(page: Client) -> None:
    write_events([event(arguments='{"route":"JFK"}')])
    text = page.get(f"{LIST}{AuditEvent.objects.get().pk}/change/").content.decode()
    assert "{&quot;route&quot;:&quot;JFK&quot;}" in text
    assert 'name="_save"' not in text


def test_what_a_client_wrote_is_shown_as_text(page: Client) -> None:
    write_events([event(client_name="<script>alert(1)</script>")])
    assert b"<script>alert" not in page.get(LIST).content


@pytest.mark.parametrize("action", ["add/", "{pk}/delete/"])
def test_nobody_can_add_or_delete_calls(client: Client, admin_user: User, action: str) -> None:
    write_events([event()])
    client.force_login(admin_user)
    url = LIST + action.format(pk=AuditEvent.objects.get().pk)
    assert client.post(url, {"post": "yes"}).status_code == 403
    assert AuditEvent.objects.count() == 1


def test_nobody_can_change_a_call(client: Client, admin_user: User) -> None:
    write_events([event(tool="before")])
    client.force_login(admin_user)
    url = f"{LIST}{AuditEvent.objects.get().pk}/change/"
    assert client.post(url, {"tool": "after"}).status_code == 403
    assert AuditEvent.objects.get().tool == "before"


@pytest.mark.parametrize("url", [LIST, f"{LIST}export/"])
def test_charlie_cannot_see_the_trail(client: Client, charlie: User, url: str) -> None:
    client.force_login(charlie)
    assert client.get(url).status_code == 403


@pytest.mark.parametrize("url", [LIST, f"{LIST}export/"])
def test_a_stranger_is_asked_to_sign_in(client: Client, url: str) -> None:
    assert client.get(url).status_code == 302


# The chart


def at(day: date) -> float:
    return datetime(day.year, day.month, day.day, 12, tzinfo=timezone.get_current_timezone()).timestamp()


def drawn(panel: Panel) -> list[list[int | None]]:
    """Of each day, the calls that were answered and those that were not."""
    assert panel.chart is not None
    datasets = json.loads(panel.chart.data)["datasets"]
    assert all(dataset["minBarLength"] >= 1 for dataset in datasets)
    return [list(day) for day in zip(*(dataset["data"] for dataset in datasets), strict=True)]


def counted(panel: Panel) -> list[tuple[str, int, int]]:
    """The rows of the table: a day, its calls, and those that were not answered."""
    assert panel.table is not None
    return [(day.value, calls.value, unanswered.value) for day, calls, unanswered in panel.table.rows]


def test_the_chart_counts_each_of_the_last_thirty_days() -> None:
    today = timezone.localdate()
    ago = [0] * 4 + [1] + [29] * 2 + [30] * 5
    write_events([event(time=at(today - timedelta(days=days))) for days in ago])
    write_events([event(time=at(today), outcome="failed")])
    panel = calls_per_day(AuditEvent.objects.all())
    assert [row for row in counted(panel) if row[1]] == [
        (str(today - timedelta(days=29)), 2, 0),
        (str(today - timedelta(days=1)), 1, 0),
        (str(today), 5, 1),
    ]
    assert panel.chart is not None
    assert panel.chart.summary.endswith("at most 5")
    assert len(panel.chart.labels) == len(counted(panel)) == 30
    assert drawn(panel)[-1] == [4, 1]


def test_the_chart_counts_the_calls_that_share_a_row() -> None:
    write_events([event(time=at(timezone.localdate()), calls=each) for each in (1, 1)])
    write_events([event(time=at(timezone.localdate()), outcome="limited", calls=6)])
    today = counted(calls_per_day(AuditEvent.objects.all()))[-1]
    assert today[1:] == (8, 6)


def test_the_list_shows_how_many_calls_share_a_row(page: Client) -> None:
    write_events([event(outcome="limited", calls=4321)])
    assert "4321" in page.get(LIST).content.decode()


def test_a_day_with_few_calls_beside_busy_ones_can_still_be_seen() -> None:
    today = timezone.localdate()
    write_events([event(time=at(today)) for _ in range(500)] + [event(time=at(today - timedelta(days=2)))])
    days = drawn(calls_per_day(AuditEvent.objects.all()))
    assert days[-3:] == [[1, None], [None, None], [500, None]]


def test_the_list_shows_the_chart_of_what_is_filtered(page: Client) -> None:
    write_events([event(tool="one"), event(tool="one"), event(tool="two")])
    answer = page.get(f"{LIST}?tool=one")
    assert re.search(r"at most 2\"", answer.content.decode())
    assert counted(answer.context["panel"])[-1][1:] == (2, 0)


def test_an_empty_trail_has_a_chart_too(page: Client) -> None:
    assert "at most 0" in page.get(LIST).context["panel"].chart.summary


# Export


@pytest.mark.django_db(transaction=True)
def test_the_export_holds_what_the_filters_leave(alice: User) -> None:
    write_events([event(tool="one", note='a "b", c', rows=7), event(tool="two")])
    (row,) = exported(alice, "?tool=one")
    assert (row["tool"], row["note"], row["rows"]) == ("one", 'a "b", c', "7")
    assert abs(datetime.fromisoformat(row["time"]).timestamp() - time.time()) < 60


@pytest.mark.django_db(transaction=True)
def test_the_export_holds_more_than_a_page(alice: User) -> None:
    write_events([event() for _ in range(4500)])
    assert len(exported(alice)) == 4500


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_a_spreadsheet_runs_nothing_that_a_client_wrote(alice: User, start: str) -> None:
    write_events([event(client_name=f"{start}cmd|' /C calc'!A0")])
    (row,) = exported(alice)
    assert row["client_name"].startswith(f"'{start}")


def test_an_export_with_a_filter_that_makes_no_sense_goes_back_to_the_list(page: Client) -> None:
    answer = page.get(f"{LIST}export/?time__year=soon")
    assert (answer.status_code, answer["Location"]) == (302, LIST)
