"""The try-out pages: a person calls the tools as themselves, by no back door."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from mcpsite.access.limits import limits
from mcpsite.access.models import AuditEvent
from mcpsite.mcp.database import close_database_threads
from mcpsite.mcp.registry import Tool, discover
from mcpsite.web import tryout
from tests.mcpsite import people
from tests.site import Site

pytestmark = pytest.mark.django_db(transaction=True)

FARES = "/try/airfare_trend_insights/"
SUMMARY = "/try/airfare_fare_summary/"
READABLE = ("airfare.view_farerow", "transcripts.view_transcript")
TOOLS = [tool for tool in discover().all() if tool.permission in READABLE]


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    yield
    close_database_threads()


@pytest.fixture
def alice() -> User:
    return people.alice()


@pytest.fixture
def browser(alice: User) -> Client:
    return people.browser(alice)


def words(page: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split())


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_each_tool_that_alice_may_use_has_a_form(browser: Client, tool: Tool) -> None:
    page = browser.get(f"/try/{tool.name}/").content.decode()
    for name in tool.input_schema["properties"]:
        assert f'name="{name}"' in page
    assert AuditEvent.objects.count() == 0


def test_the_answer_is_a_table_with_the_raw_json_behind_it(browser: Client) -> None:
    call_command("load_airfare", verbosity=0)
    page = browser.get(FARES, {"route_contains": "JFK", "limit": "5"})
    assert page.context["shown"].tables[0].name == "Rows"
    assert len(page.context["shown"].tables[0].rows) == 5
    assert json.loads(page.context["raw"])["rows_returned"] == 5
    assert "Answered in" in words(page)


def test_a_call_is_recorded_with_the_person_and_an_honest_client(browser: Client, alice: User) -> None:
    browser.get(FARES, {"route_contains": "JFK"})
    event = AuditEvent.objects.get()
    assert (event.user_id, event.username, event.issuer) == (alice.pk, "alice", "session")
    assert (event.client_id, event.client_name) == ("try-out", "Try-out page of this site")
    assert (event.tool, event.outcome) == ("airfare_trend_insights", "ok")
    assert json.loads(event.arguments) == {"route_contains": "JFK"}


def test_an_address_that_says_more_than_it_has_to_becomes_the_shortest(browser: Client) -> None:
    answer = browser.get(FARES, {"snapshot_date": "", "route_contains": "JFK", "limit": "25"})
    assert (answer.status_code, answer["Location"]) == (302, f"{FARES}?route_contains=JFK")
    assert browser.get(FARES, {"limit": "25"})["Location"] == f"{FARES}?_run=1"
    assert AuditEvent.objects.count() == 0


def test_an_address_may_hold_what_clients_send_as_json(browser: Client) -> None:
    call_command("load_airfare", verbosity=0)
    sent = {
        "group_by": '["route","airline"]',
        "metrics": '["avg_fare_usd_mean"]',
        "limit": "5.0",
        "offset": "null",
    }
    short = "?group_by=route&group_by=airline&metrics=avg_fare_usd_mean&limit=5"
    answer = browser.get(SUMMARY, sent)
    assert answer["Location"] == SUMMARY + short
    browser.get(answer["Location"])
    asked = {"group_by": ["route", "airline"], "metrics": ["avg_fare_usd_mean"], "limit": 5}
    event = AuditEvent.objects.get()
    assert (json.loads(event.arguments), event.outcome) == (asked, "ok")


def test_a_form_that_does_not_fit_calls_nothing(browser: Client) -> None:
    page = browser.get(FARES, {"limit": "many"})
    assert "Enter a whole number." in words(page)
    assert AuditEvent.objects.count() == 0


def test_a_tools_error_is_its_own_sentence_at_its_field(browser: Client) -> None:
    page = browser.get(FARES, {"limit": "300"})
    assert page.context["form"].errors == {"limit": ["limit is 300; it has to be from 1 to 200."]}
    assert AuditEvent.objects.get().outcome == AuditEvent.Outcome.TOOL_ERROR


def test_a_limit_counts_here_too(browser: Client, settings: Any) -> None:
    settings.TOOL_RATE_LIMITS = {"airfare_trend_insights": "1/minute"}
    limits.cache_clear()
    assert browser.get(FARES, {"limit": "1"}).status_code == 200
    page = browser.get(FARES, {"limit": "1"})
    assert page.status_code == 429
    assert "try again in" in words(page)
    assert list(AuditEvent.objects.order_by("pk").values_list("outcome", flat=True)) == ["ok", "limited"]


def test_slow_calls_leave_half_of_the_threads_to_other_pages(
    browser: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PAGE_THREADS = 8
    monkeypatch.setattr(tryout, "_running", 4)
    page = browser.get(FARES, {"route_contains": "JFK"})
    assert page.status_code == 429
    assert "as many requests as it can" in words(page)
    monkeypatch.setattr(tryout, "_running", 3)
    for _ in range(2):
        assert browser.get(FARES, {"route_contains": "JFK"}).status_code == 200


def test_a_session_needs_no_scope_of_a_tool(browser: Client, settings: Any) -> None:
    settings.TOOL_SCOPES = {"airfare_trend_insights": "airfare:read"}
    page = browser.get(FARES, {"route_contains": "JFK"})
    assert (page.status_code, AuditEvent.objects.get().outcome) == (200, "ok")


def test_charlie_sees_no_tool_and_can_call_none() -> None:
    charlie = people.browser(people.charlie())
    assert "Your account may not use any tool yet" in words(charlie.get("/try/"))
    assert charlie.get(FARES).status_code == 404
    assert AuditEvent.objects.count() == 0
    for name in ("airfare_trend_insights", "no_such_tool"):
        assert charlie.get(f"/try/{name}/", {"limit": "1"}).status_code == 404
    assert set(AuditEvent.objects.values_list("tool", "outcome")) == {
        ("airfare_trend_insights", "denied"),
        ("no_such_tool", "denied"),
    }


def test_a_group_taken_away_ends_it_at_the_next_call(browser: Client, alice: User) -> None:
    assert browser.get(FARES, {"limit": "1"}).status_code == 200
    alice.groups.clear()
    assert browser.get(FARES, {"limit": "1"}).status_code == 404


def test_who_is_not_signed_in_is_asked_to_and_comes_back(client: Client) -> None:
    answer = client.get(FARES, {"limit": "1"})
    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/login/?next={FARES}%3Flimit%3D1"


def test_it_works_where_an_external_issuer_makes_the_tokens(browser: Client, settings: Any) -> None:
    settings.AUTH0_ISSUER = "https://login.example.com/"
    assert browser.get(FARES, {"limit": "1"}).status_code == 200


def test_no_script_of_the_data_runs_in_the_page(browser: Client) -> None:
    page = browser.get("/try/search/", {"query": "<script>alert(1)</script>"})
    assert b"<script>alert" not in page.content


def test_a_running_server_writes_the_call_into_its_trail(site: Site) -> None:
    made = site.shell(
        "from importlib import import_module\n"
        "from django.conf import settings\n"
        "from django.contrib.auth.models import User, Group\n"
        "from django.test import Client\n"
        "user = User.objects.create_user('walter'); user.groups.add(Group.objects.get(name='readers'))\n"
        "client = Client(); client.force_login(user)\n"
        "print(client.cookies['sessionid'].value)"
    )
    answer = httpx2.get(
        f"{site.origin}{FARES}?limit=2", cookies={"sessionid": made.splitlines()[-1]}, timeout=60
    )
    assert answer.status_code == 200
    assert "Answered in" in answer.text
    for _ in range(50):
        found = site.shell(
            "from mcpsite.access.models import AuditEvent\n"
            "print(*AuditEvent.objects.filter(client_id='try-out').values_list('username', 'rows'))"
        )
        if found:
            break
        time.sleep(0.1)
    assert found == "('walter', 2)"
