"""What is limited to groups, by every way to reach it.

Alice and Bob are in the team that one airfare file and one collection are limited to. Charlie reads
what `readers` may read, and is outside. Nothing that the server tells Charlie may depend on what is
in that file or that collection.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.access.oauth.person import Person
from tests.airfare.conftest import fare, table
from tests.site import Site, running

PASSWORD = "a password of theirs"
FILE = "merger.csv"
ROUTE, AIRLINE = "QQA-QQB", "Phantom Air"
NOWHERE = "QXA-QXB"
"""A route that no file holds, as long as ROUTE."""
SLUG = "project-heron"
NO_SLUG = "project-crane"
SECTOR = "Heronry"
WORD = "heronbucket"
"""Only the limited transcript holds it."""

INSIDERS = pytest.mark.parametrize("insider", ["alice", "bob"])

SETUP = f"""
from django.contrib.auth.models import Group, User
from mcpsite.datasets.models import SourceFile
from transcripts.models import Collection, Transcript
team = Group.objects.create(name="team")
for name in ("alice", "bob", "charlie"):
    user = User.objects.create_user(name, password={PASSWORD!r})
    user.groups.add(Group.objects.get(name="readers"), *([] if name == "charlie" else [team]))
SourceFile.objects.get(name={FILE!r}).groups.add(team)
board = Collection.objects.create(name="Board room", slug="board-room")
board.groups.add(team)
Transcript.objects.filter(slug={SLUG!r}).update(collection=board)
"""


class World:
    """The running site, the folder of the limited file, and a token for each of the three."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site, self.folder = site, folder
        self._tokens = {name: site.token(name) for name in ("alice", "bob", "charlie")}

    def call(self, who: str, tool: str, **arguments: Any) -> Any:
        return self.site.call(self._tokens[who], tool, arguments)

    def ask(self, who: str, method: str, **params: Any) -> Any:
        more = {"Mcp-Name": params["uri"]} if "uri" in params else {}
        return self.site.rpc(self._tokens[who], method, params, more=more).json()

    def change(self, code: str) -> None:
        names = (
            "from django.contrib.auth.models import Group, User\n"
            "from mcpsite.datasets.models import SourceFile\n"
        )
        self.site.shell(names + code)

    @contextmanager
    def for_a_while(self, code: str, back: str) -> Iterator[None]:
        self.change(code)
        try:
            yield
        finally:
            self.change(back)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("limited")
    (folder / FILE).write_text(table(fare(route=ROUTE, airline=AIRLINE), fare("2025-10-13", ROUTE, AIRLINE)))
    (folder / "Project_Heron.txt").write_text(
        f"---\nSector: {SECTOR}\n---\n[00:02] Analyst: What of the {WORD}?\n[00:05] Expert: Full.\n"
    )
    with running() as site:
        site.manage("load_airfare", str(folder / FILE))
        site.manage("upload_transcripts", str(folder / "Project_Heron.txt"))
        site.shell(SETUP)
        yield World(site, folder)


def told(answer: Any) -> str:
    return json.dumps(answer, ensure_ascii=False)


# Fares


@INSIDERS
def test_the_team_finds_the_rows_of_its_file(world: World, insider: str) -> None:
    answer = world.call(insider, "airfare_trend_insights", route_contains=ROUTE)["structuredContent"]
    assert (answer["matched_rows"], len(answer["rows"])) == (2, 2)
    assert FILE in answer["available_files"]


def test_charlie_finds_no_row_no_count_and_no_name_of_the_file(world: World) -> None:
    team = world.call("bob", "airfare_trend_insights")["structuredContent"]
    others = world.call("charlie", "airfare_trend_insights")["structuredContent"]
    assert others["total_rows"] == others["matched_rows"] == team["total_rows"] - 2
    assert set(team["available_files"]) - set(others["available_files"]) == {FILE}
    assert AIRLINE not in told(others)


@pytest.mark.parametrize("tool", ["airfare_trend_insights", "airfare_fare_summary", "show_fare_trends"])
def test_a_hidden_route_is_to_charlie_a_route_that_does_not_exist(world: World, tool: str) -> None:
    assert told(world.call("bob", tool, route_contains=ROUTE)) != told(
        world.call("bob", tool, route_contains=NOWHERE)
    )
    hidden = told(world.call("charlie", tool, route_contains=ROUTE))
    assert hidden.replace(ROUTE, NOWHERE) == told(world.call("charlie", tool, route_contains=NOWHERE))


@pytest.mark.parametrize("group_by", ["airline", "route", "origin_airport", "season"])
def test_no_aggregate_counts_a_hidden_row_for_charlie(world: World, group_by: str) -> None:
    def rows(who: str) -> int:
        found = world.call(who, "airfare_fare_summary", group_by=group_by, limit=200)["structuredContent"]
        return sum(group["rows"] for group in found["groups"])

    assert rows("bob") == rows("charlie") + 2


def test_the_chart_shows_the_airline_to_the_team_alone(world: World) -> None:
    assert AIRLINE in told(world.call("alice", "show_fare_trends", airline_contains="Phantom"))
    assert AIRLINE not in told(world.call("charlie", "show_fare_trends", airline_contains="phantom"))


def test_a_page_that_is_remembered_of_alice_is_not_given_to_charlie(world: World) -> None:
    question = {"airline_contains": "phantom", "limit": 7}
    for _ in range(2):
        assert world.call("alice", "airfare_trend_insights", **question)["structuredContent"]["rows"]
    assert world.call("charlie", "airfare_trend_insights", **question)["structuredContent"]["rows"] == []


@pytest.mark.parametrize(("who", "offered"), [("alice", [ROUTE]), ("bob", [ROUTE]), ("charlie", [])])
def test_a_route_is_completed_for_the_team_alone(world: World, who: str, offered: list[str]) -> None:
    reference = {"type": "ref/prompt", "name": "airfare_movements"}
    argument = {"name": "route", "value": "QQ"}
    found = world.ask(who, "completion/complete", ref=reference, argument=argument)["result"]["completion"]
    assert found["values"] == offered


def test_joining_and_leaving_the_team_hold_at_the_next_call(world: World) -> None:
    team, charlie = "Group.objects.get(name='team')", "User.objects.get(username='charlie')"
    with world.for_a_while(f"{charlie}.groups.add({team})", f"{charlie}.groups.remove({team})"):
        assert AIRLINE in told(world.call("charlie", "airfare_trend_insights", route_contains=ROUTE))
        assert SLUG in told(world.call("charlie", "search", query=WORD))
    assert AIRLINE not in told(world.call("charlie", "airfare_trend_insights", route_contains=ROUTE))
    assert SLUG not in told(world.call("charlie", "search", query=WORD))


def test_opening_and_limiting_a_file_hold_at_the_next_call(world: World) -> None:
    groups = f"SourceFile.objects.get(name={FILE!r}).groups"
    with world.for_a_while(f"{groups}.clear()", f"{groups}.add(Group.objects.get(name='team'))"):
        assert AIRLINE in told(world.call("charlie", "airfare_trend_insights", route_contains=ROUTE))
    assert AIRLINE not in told(world.call("charlie", "airfare_trend_insights", route_contains=ROUTE))


def test_a_reload_keeps_a_file_with_its_team(world: World) -> None:
    path = world.folder / FILE
    path.write_text(path.read_text().replace("2025-10-13", "2025-10-20"))
    world.site.manage("load_airfare", str(path))
    assert "2025-10-20" in told(world.call("bob", "airfare_trend_insights", route_contains=ROUTE))
    assert AIRLINE not in told(world.call("charlie", "airfare_trend_insights", route_contains=ROUTE))


def test_a_group_that_limits_something_cannot_be_deleted(world: World) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        world.change("Group.objects.get(name='team').delete()")
    assert "ProtectedError" in refused.value.stderr
    assert SLUG in told(world.call("alice", "search", query=WORD))
    assert SLUG not in told(world.call("charlie", "search", query=WORD))


# Transcripts


@INSIDERS
def test_the_team_finds_and_reads_its_transcript(world: World, insider: str) -> None:
    results = world.call(insider, "search", query=WORD)["structuredContent"]["results"]
    document = world.call(insider, "fetch", id=results[0]["id"])["structuredContent"]
    assert WORD in document["text"]


@pytest.mark.parametrize("tool", ["search", "search_transcripts"])
def test_charlie_searches_past_it(world: World, tool: str) -> None:
    hidden = told(world.call("charlie", tool, query=WORD))
    assert SLUG not in hidden
    assert hidden.replace(WORD, "cranebucket") == told(world.call("charlie", tool, query="cranebucket"))


def test_a_hidden_id_is_fetched_like_a_missing_one(world: World) -> None:
    hidden, missing = (told(world.call("charlie", "fetch", id=slug)) for slug in (SLUG, NO_SLUG))
    assert hidden.replace(SLUG, NO_SLUG) == missing


def test_no_list_counts_or_names_it_or_its_collection(world: World) -> None:
    team = world.call("bob", "list_transcripts", limit=50)["structuredContent"]
    others = world.call("charlie", "list_transcripts", limit=50)["structuredContent"]
    assert SLUG in told(team)
    assert SLUG not in told(others)
    assert len(others["transcripts"]) == len(team["transcripts"]) - 1


@pytest.mark.parametrize("tool", ["list_transcripts", "search_transcripts"])
def test_a_hidden_collection_is_to_charlie_one_that_does_not_exist(world: World, tool: str) -> None:
    query = {"query": "premium"} if tool == "search_transcripts" else {}
    hidden = told(world.call("charlie", tool, collection="board-room", **query))
    missing = told(world.call("charlie", tool, collection="cold-cellar", **query))
    assert hidden.replace("board-room", "cold-cellar") == missing


def test_it_is_no_resource_of_charlies(world: World) -> None:
    assert SLUG in told(world.ask("alice", "resources/list"))
    assert SLUG not in told(world.ask("charlie", "resources/list"))
    assert WORD in told(world.ask("alice", "resources/read", uri=f"transcript://{SLUG}"))
    hidden, missing = (
        told(world.ask("charlie", "resources/read", uri=f"transcript://{slug}")) for slug in (SLUG, NO_SLUG)
    )
    assert hidden.replace(SLUG, NO_SLUG) == missing


@pytest.mark.parametrize(("who", "offered"), [("alice", [SLUG]), ("charlie", [])])
def test_its_slug_is_completed_for_the_team_alone(world: World, who: str, offered: list[str]) -> None:
    reference = {"type": "ref/resource", "uri": "transcript://{slug}"}
    argument = {"name": "slug", "value": "project"}
    found = world.ask(who, "completion/complete", ref=reference, argument=argument)["result"]["completion"]
    assert found["values"] == offered


@pytest.mark.parametrize(("who", "offered"), [("bob", [SECTOR]), ("charlie", [])])
def test_its_sector_is_completed_for_the_team_alone(world: World, who: str, offered: list[str]) -> None:
    reference = {"type": "ref/prompt", "name": "transcript_briefing"}
    argument = {"name": "sector", "value": "Hero"}
    found = world.ask(who, "completion/complete", ref=reference, argument=argument)["result"]["completion"]
    assert found["values"] == offered


# Pages


@contextmanager
def signed_in(world: World, name: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=world.site.origin, timeout=60) as browser:
        person = Person(world.site.origin, name, PASSWORD, browser)
        login = browser.get("/accounts/login/")
        person._post(login, {"username": name, "password": PASSWORD}).read()
        yield browser


def holdings(page: str) -> dict[str, int]:
    found = re.findall(r"<dt>([^<]+)</dt><dd>(?:<a [^>]+>)?([0-9,]+)", page)
    return {label: int(count.replace(",", "")) for label, count in found}


def test_its_page_is_missing_for_charlie(world: World) -> None:
    with signed_in(world, "alice") as alice, signed_in(world, "charlie") as charlie:
        assert WORD in alice.get(f"/transcripts/{SLUG}/").text
        hidden, missing = (charlie.get(f"/transcripts/{slug}/") for slug in (SLUG, NO_SLUG))
        assert (hidden.status_code, missing.status_code) == (404, 404)
        assert WORD not in hidden.text
        for page in ("/transcripts/", f"/transcripts/?q={WORD}"):
            assert SLUG in alice.get(page).text
            assert SLUG not in charlie.get(page).text


def test_the_home_page_counts_for_charlie_what_charlie_may_read(world: World) -> None:
    with signed_in(world, "alice") as alice, signed_in(world, "charlie") as charlie:
        counts = [holdings(page.get("/").text) for page in (alice, charlie)]
    assert counts[1]["airfare files"] == counts[0]["airfare files"] - 1
    assert counts[1]["transcripts"] == counts[0]["transcripts"] - 1


def test_the_try_out_goes_through_the_same_policy(world: World) -> None:
    with signed_in(world, "alice") as alice, signed_in(world, "charlie") as charlie:
        question = "/try/airfare_trend_insights/?airline_contains=phantom"
        assert AIRLINE in alice.get(question).text
        assert AIRLINE not in charlie.get(question).text
