"""The home page: what each visitor learns, and the steps to connect with this server's own values."""

import html
import re
import socket
import threading
import time
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from mcpsite.core.watch import Watch
from mcpsite.datasets.models import SourceFile
from mcpsite.web.connecting import interpreter, values
from mcpsite.web.home import issuer_watch
from tests.mcpsite import people
from tests.site import free_port
from transcripts.stores.base import StoreUnavailable
from transcripts.stores.breaker import breaker

pytestmark = pytest.mark.django_db


def words(page: Any) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split()))


@pytest.fixture
def data() -> None:
    call_command("load_airfare", verbosity=0)


def test_anybody_learns_the_endpoint_and_who_signs_people_in(client: Client) -> None:
    page = words(client.get("/"))
    assert values().endpoint in page
    assert "Sign-in with an account of this site" in page


@pytest.mark.usefixtures("data")
def test_anybody_learns_nothing_of_the_data_the_store_or_the_checks(client: Client) -> None:
    page = client.get("/")
    assert page.context["holdings"] == page.context["tools"] == []
    assert "checks" not in page.context
    for word in ("airfare rows", "transcripts", "index of this site", "doctor", "issue_token"):
        assert word not in words(page)


@pytest.mark.usefixtures("data")
def test_alice_learns_how_much_she_may_read_and_which_tools_she_may_try() -> None:
    page = people.browser(people.alice()).get("/")
    told = [each.label for each in page.context["holdings"]]
    assert told == ["airfare rows", "airfare files", "transcripts"]
    assert re.search(r"airfare rows 179\b", words(page))
    assert "Airfare trend insights" in words(page)
    assert "There are no transcripts that you can see" in words(page)
    assert "checks" not in page.context


@pytest.mark.usefixtures("data")
def test_what_is_limited_to_others_is_not_counted_for_alice() -> None:
    browser = people.browser(people.alice())
    before = browser.get("/").context["holdings"][0].count
    file = SourceFile.objects.order_by("name").first()
    assert file is not None
    file.groups.add(Group.objects.create(name="fares-desk"))
    rows, files = browser.get("/").context["holdings"][:2]
    assert 0 < rows.count < before
    assert files.count == SourceFile.objects.count() - 1


@pytest.mark.usefixtures("data")
def test_charlie_is_told_whom_to_ask_and_learns_no_number() -> None:
    page = people.browser(people.charlie()).get("/")
    assert "Ask an administrator of this site" in words(page)
    assert page.context["holdings"] == page.context["tools"] == []


def test_staff_see_what_doctor_warns_of(settings: Any) -> None:
    settings.REQUIRED_SCOPES = ["openid"]
    page = words(people.browser(people.olga()).get("/"))
    assert "REQUIRED_SCOPES contains openid" in page
    assert "There are no airfare rows." in page
    assert f"Run {interpreter()} manage.py load_airfare, with TREND_DATA_DIR" in page


def test_only_staff_may_start_the_walk(client: Client) -> None:
    for browser in (client, people.browser(people.alice())):
        assert browser.post("/check/")["Location"].startswith("/admin/login/")


def test_on_this_machine_chatgpt_needs_a_tunnel_and_on_a_public_address_it_does_not(
    client: Client, settings: Any
) -> None:
    assert "ngrok http" in words(client.get("/"))
    settings.PUBLIC, settings.RESOURCE_SERVER_URL = True, "https://data.example.com/mcp"
    page = words(client.get("/"))
    assert "ngrok" not in page
    assert "claude mcp add --transport http company-data https://data.example.com/mcp" in page


def test_the_sites_name_is_the_servers_name_in_the_clients(client: Client, settings: Any) -> None:
    settings.SITE_NAME = "Acme Fares"
    assert "claude mcp add --transport http acme-fares" in words(client.get("/"))


def test_a_slow_issuer_holds_nobody_up(client: Client, settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.AUTH0_ISSUER = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        page = words(client.get("/"))
        assert time.monotonic() - began < 2
    assert "checking whether it answers" in page
    assert settings.AUTH0_ISSUER.removeprefix("http://") in page


def test_an_issuer_that_is_down_is_said_to_be(client: Client, settings: Any) -> None:
    settings.AUTH0_ISSUER = f"http://127.0.0.1:{free_port()}"
    client.get("/")
    issuer_watch(settings.AUTH0_ISSUER).wait(10)
    assert "does not answer correctly" in words(client.get("/"))


def test_a_watch_answers_at_once_with_the_last_answer() -> None:
    go = threading.Event()
    answers = iter(["old", "new"])

    def question() -> str:
        go.wait(5)
        return next(answers)

    watch = Watch(question, seconds=0)
    began = time.monotonic()
    assert watch.look() is None
    assert watch.busy
    assert time.monotonic() - began < 1
    go.set()
    watch.wait(5)
    seen = watch.seen
    assert seen is not None
    assert seen.answer == "old"
    watch.ask()
    watch.wait(5)
    assert watch.seen is not None
    assert watch.seen.answer == "new"


def test_a_watch_asks_no_more_often_than_it_has_to() -> None:
    asked: list[int] = []
    watch = Watch(lambda: asked.append(1), seconds=60)
    for _ in range(3):
        watch.look()
        watch.wait(5)
    assert asked == [1]


def test_a_look_that_fails_leaves_the_last_answer(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[str] = ["good"]
    watch = Watch(lambda: answers.pop(), seconds=0)
    watch.ask()
    watch.wait(5)
    watch.ask()
    watch.wait(5)
    assert watch.seen is not None
    assert watch.seen.answer == "good"
    assert "A background look failed." in caplog.text


@pytest.mark.parametrize(
    ("fallback", "said"),
    [
        (True, "did not answer the last search; the site's own index answers instead"),
        (False, "did not answer the last search"),
    ],
)
def test_a_store_that_did_not_answer_the_last_search_is_said_at_once(
    settings: Settings, fallback: bool, said: str
) -> None:
    settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "sk-1", f"http://127.0.0.1:{free_port()}/v1"
    settings.VECTOR_STORE_ID, settings.TRANSCRIPT_STORE_FALLBACK = "vs_1", fallback
    with pytest.raises(StoreUnavailable), breaker("openai").asking():
        raise StoreUnavailable("It did not answer.")
    page = words(people.browser(people.alice()).get("/"))
    assert f"Search the vector store {said}" in page
