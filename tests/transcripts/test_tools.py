"""What a model gets from the transcripts, what it is told, and what it must not see."""

import asyncio
import json
import logging
from collections.abc import Coroutine, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from pytest_django import Settings

from mcpsite.access.caller import Caller
from mcpsite.mcp import Answer, ToolError
from mcpsite.mcp.database import close_database_threads
from tests.loopback_openai import LoopbackOpenAI
from tests.transcripts.conftest import CLAIMS, HOTEL, Load, caller_in, reader, transcript
from tests.transcripts.openai_fixtures import server
from transcripts import tools
from transcripts.models import Collection, Transcript, VectorStoreFile
from transcripts.syncing import sync

__all__ = ["server"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    yield
    close_database_threads()


def run(call: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(call)


def titles(answer: Any) -> list[str]:
    return [each["title"] for each in answer["results" if "results" in answer else "passages"]]


# search


def test_search_gives_transcripts_best_first_with_a_passage_and_a_link(three: None, caller: Caller) -> None:
    answer = run(tools.search(caller, "Who buys premium cabin demand?"))
    first = answer["results"][0]
    assert list(answer) == ["results"]
    assert first == {
        "id": "2026-02-11-premium-demand-airline",
        "title": "Premium Demand Airline",
        "url": "http://localhost:8788/transcripts/2026-02-11-premium-demand-airline/?p=2&v=40530687#t-00-02",
        "text": first["text"],
    }
    assert "premium cabin demand" in first["text"]
    assert [each["id"] for each in answer["results"]][1:] == ["2026-03-18-rates-hotel"]


def test_a_transcript_is_one_result_however_many_passages_match(load_folder: Load, caller: Caller) -> None:
    long = "\n".join(f"[00:{n:02}] Expert: Fuel hedging {n} " + "and so on " * 30 for n in range(60))
    load_folder({"long.txt": long, "short.txt": "Fuel hedging in short."})
    results = run(tools.search(caller, "fuel hedging"))["results"]
    assert sorted(each["id"] for each in results) == ["long", "short"]


def test_about_ten_results_are_given(load_folder: Load, caller: Caller) -> None:
    load_folder({f"call-{n}.txt": f"Fuel was dear in month {n}." for n in range(30)})
    assert len(run(tools.search(caller, "fuel"))["results"]) == 10


@pytest.mark.parametrize("query", ["", " \n", "\0", "zyzzyva", '"', "* OR NEAR(", "的"])
def test_a_query_without_a_hit_is_an_empty_answer(three: None, caller: Caller, query: str) -> None:
    assert run(tools.search(caller, query)) == {"results": []}
    assert run(tools.search_transcripts(caller, query)) == {"passages": []}


@hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(query=st.text(max_size=80) | st.text("\"'()*:^-+AND OR%_\\\0", max_size=40) | st.just("a b " * 5000))
def test_any_text_is_a_legal_query(three: None, caller: Caller, query: str) -> None:
    try:
        assert set(run(tools.search(caller, query))) == {"results"}
    finally:
        close_database_threads()


def test_an_unpublished_transcript_is_gone_at_once(three: None, caller: Caller) -> None:
    Transcript.objects.filter(slug__contains="airline").update(published=False)
    assert titles(run(tools.search(caller, "premium"))) == ["Rates Hotel"]
    assert tools.list_transcripts(caller)["matched"] == 2
    with pytest.raises(ToolError):
        tools.fetch(caller, "2026-02-11-premium-demand-airline")


def test_a_collection_is_for_its_groups(three: None, caller: Caller) -> None:
    board = Group.objects.create(name="board")
    private = Collection.objects.create(name="Board only", slug="board")
    private.groups.add(board)
    Transcript.objects.filter(slug__contains="airline").update(collection=private)
    assert titles(run(tools.search(caller, "premium"))) == ["Rates Hotel"]
    assert tools.list_transcripts(caller)["collections"] == ["Default"]
    assert "Travel - Airlines" not in tools.list_transcripts(caller)["sectors"]
    with pytest.raises(ToolError):
        tools.fetch(caller, "2026-02-11-premium-demand-airline")
    member = caller_in([board])
    assert "Premium Demand Airline" in titles(run(tools.search(member, "premium")))
    assert tools.fetch(member, "2026-02-11-premium-demand-airline")["title"] == "Premium Demand Airline"


def test_without_the_permission_nothing_is_found(three: None) -> None:
    stranger = caller_in([], "airfare.view_farerow")
    assert run(tools.search(stranger, "premium")) == {"results": []}
    assert tools.list_transcripts(stranger)["matched"] == 0


def test_each_url_opens_the_page_for_a_reader(three: None, caller: Caller) -> None:
    client = Client(SERVER_NAME="localhost")
    client.force_login(reader())
    for result in run(tools.search(caller, "premium fuel wheelchair"))["results"]:
        parts = urlsplit(result["url"])
        page = client.get(f"{parts.path}?{parts.query}")
        assert page.status_code == 200
        assert f'id="{parts.fragment}"' in page.content.decode()


# fetch


def test_fetch_gives_the_text_and_the_facts(three: None, caller: Caller) -> None:
    answer = tools.fetch(caller, "2026-02-11-premium-demand-airline")
    assert answer == {
        "id": "2026-02-11-premium-demand-airline",
        "title": "Premium Demand Airline",
        "text": "[00:02] Analyst: Where does premium cabin demand stand?\n\n"
        "[00:12] Expert: Stronger than the headlines say.\nIt has changed hands, though.\n\n"
        "[1:05:09] Analyst: And jet fuel hedging?\n\n"
        "[1:05:09] Expert: Half of the quarter is hedged.",
        "url": "http://localhost:8788/transcripts/2026-02-11-premium-demand-airline/",
        "metadata": {
            "date": "2026-02-11",
            "sector": "Travel - Airlines",
            "moderator": "Lantern Row",
            "participants": "Senior Analyst, Quarry Lane (Analyst); "
            "Former VP Revenue, Northstar Air (Expert)",
            "duration": "34 minutes",
            "collection": "Default",
        },
    }


def test_fetch_takes_the_id_of_an_openai_file(three: None, caller: Caller) -> None:
    known = transcript("Airline")
    VectorStoreFile.objects.create(transcript=known, store_id="vs_1", file_id="file-abc")
    assert tools.fetch(caller, "file-abc")["id"] == known.slug


@pytest.mark.parametrize(
    "id",
    [
        "nope",
        "",
        "file-xyz",
        "#2",
        "handler-notes#2",
        "handler-notes#0",
        "handler-notes#x",
        "a\0b",
        "x" * 500,
    ],
)
def test_an_unknown_id_is_named_in_one_sentence(three: None, caller: Caller, id: str) -> None:  # noqa: A002
    with pytest.raises(ToolError) as caught:
        tools.fetch(caller, id)
    named = repr(id if len(id) <= 120 else f"{id[:119]}…")
    assert str(caught.value) == (
        f"There is no transcript {named}; take an id from search or list_transcripts."
    )


@pytest.mark.parametrize("letter", ["x", "話", '"'])
def test_a_long_transcript_comes_in_parts_that_fit_and_lose_nothing(
    load_folder: Load, caller: Caller, settings: Settings, letter: str
) -> None:
    turns = [f"[{n // 60:02}:{n % 60:02}] Expert: turn{n} {letter * 300}" for n in range(400)]
    load_folder({"long.txt": "\n".join([*turns, f"[59:59] Expert: {letter * 120_000}"])})
    ids, texts = ["long"], []
    while ids[-1]:
        answer = tools.fetch(caller, ids[-1])
        assert len(json.dumps(answer, ensure_ascii=False).encode()) < settings.MCP_MAX_RESULT_BYTES
        assert len(answer["text"]) <= 100_100
        texts.append(answer["text"])
        following = answer["metadata"].get("next_id", "")
        assert (f"go on with fetch({following!r})" in answer["text"]) == bool(following)
        ids.append(following)
    assert ids[1] == "long#2"
    whole = "\n".join(texts)
    assert all(f"turn{n} " in whole for n in range(400))
    assert whole.count(letter) >= 400 * 300 + 120_000


# search_transcripts


def test_passages_tell_time_and_speakers(three: None, caller: Caller) -> None:
    (passage,) = run(tools.search_transcripts(caller, "housekeeping turnover", sector="LODG"))["passages"]
    assert passage == {
        "id": "2026-03-18-rates-hotel",
        "title": "Rates Hotel",
        "date": "2026-03-18",
        "sector": "Travel - Lodging",
        "time": "00:02",
        "speakers": ["Analyst", "Operator"],
        "text": "[00:02] Analyst: How are room rates?\n[00:05] Operator: Premium rooms sell out; "
        "housekeeping turnover is the trouble.",
        "url": "http://localhost:8788/transcripts/2026-03-18-rates-hotel/?p=2&v=a47f284b#t-00-02",
    }


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, {"Premium Demand Airline", "Rates Hotel"}),
        ({"sector": "airlines"}, {"Premium Demand Airline"}),
        ({"speaker": "operator"}, {"Rates Hotel"}),
        ({"speaker": "nobody"}, set()),
        ({"collection": "default"}, {"Premium Demand Airline", "Rates Hotel"}),
        ({"collection": "other"}, set()),
        ({"date_from": "2026-03"}, {"Rates Hotel"}),
        ({"date_to": "2026-02"}, {"Premium Demand Airline"}),
        ({"date_from": "2026-02-12", "date_to": "2026-03-17"}, set()),
        ({"date_from": "2026", "sector": "travel"}, {"Premium Demand Airline", "Rates Hotel"}),
    ],
)
def test_filters_have_to_hold(three: None, caller: Caller, filters: dict[str, str], found: set[str]) -> None:
    answer = run(tools.search_transcripts(caller, "premium", **filters))  # type: ignore[arg-type]
    assert set(titles(answer)) == found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": 0}, "limit is 0; it has to be from 1 to 50."),
        ({"limit": 51}, "limit is 51; it has to be from 1 to 50."),
        (
            {"date_from": "last week"},
            "date_from is 'last week'; write a day as 2026-03-31, a month as 2026-03, a year as 2026.",
        ),
        (
            {"date_to": "2026-02-30"},
            "date_to is '2026-02-30'; write a day as 2026-03-31, a month as 2026-03, a year as 2026.",
        ),
        (
            {"date_to": "2026-00"},
            "date_to is '2026-00'; write a day as 2026-03-31, a month as 2026-03, a year as 2026.",
        ),
    ],
)
def test_a_wrong_argument_is_told_in_one_sentence(
    caller: Caller, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ToolError) as caught:
        run(tools.search_transcripts(caller, "fuel", **arguments))
    assert str(caught.value) == message


# list_transcripts


def test_the_list_is_latest_first_with_what_can_be_filtered_by(three: None, caller: Caller) -> None:
    answer = tools.list_transcripts(caller)
    assert [each["id"] for each in answer["transcripts"]] == [
        "2026-03-18-rates-hotel",
        "2026-02-11-premium-demand-airline",
        "handler-notes",
    ]
    assert answer["transcripts"][2] == {
        "id": "handler-notes",
        "title": "Handler Notes",
        "url": "http://localhost:8788/transcripts/handler-notes/",
        "collection": "Default",
    }
    assert (answer["matched"], answer["sectors"], answer["collections"]) == (
        3,
        ["Travel - Airlines", "Travel - Lodging"],
        ["Default"],
    )


def test_the_list_comes_in_pages(three: None, caller: Caller) -> None:
    first = tools.list_transcripts(caller, limit=2)
    assert first["truncated"] == ("1 more transcripts match; narrow the filters, or go on with offset=2.")
    rest = tools.list_transcripts(caller, limit=2, offset=2)
    assert "truncated" not in rest
    assert [each["id"] for each in rest["transcripts"]] == ["handler-notes"]
    assert tools.list_transcripts(caller, offset=10**30)["transcripts"] == []


@pytest.mark.parametrize(
    ("filters", "matched"),
    [
        ({"title_contains": "HOTEL"}, 1),
        ({"sector": "travel"}, 2),
        ({"speaker": "analyst"}, 2),
        ({"speaker": "expert", "date_to": "2026"}, 1),
        ({"date_from": "2027"}, 0),
    ],
)
def test_the_list_can_be_filtered(three: None, caller: Caller, filters: dict[str, str], matched: int) -> None:
    assert tools.list_transcripts(caller, **filters)["matched"] == matched  # type: ignore[arg-type]


# An OpenAI store


@pytest.fixture
def synced(three: None, server: LoopbackOpenAI, settings: Settings) -> LoopbackOpenAI:
    settings.VECTOR_STORE_ID = sync().store_id
    return server


def test_with_an_openai_store_search_asks_it(synced: LoopbackOpenAI, caller: Caller) -> None:
    answer = run(tools.search(caller, "premium cabin demand"))
    assert titles(answer)[0] == "Premium Demand Airline"
    assert synced.count("POST", r"/vector_stores/\w+/search") > 0


def test_with_an_openai_store_the_number_of_answers_does_not_tell_of_hidden_calls(
    synced: LoopbackOpenAI, load_folder: Load, caller: Caller
) -> None:
    def asked(who: Caller) -> tuple[list[str], list[str]]:
        passages = run(tools.search_transcripts(who, "premium cabin demand", limit=50))["passages"]
        return titles(run(tools.search(who, "premium cabin demand"))), [each["id"] for each in passages]

    before = asked(caller)
    board = Collection.objects.create(name="Board", slug="board")
    board.groups.add(group := Group.objects.create(name="board"))
    load_folder(
        {f"board-{n}.txt": f"Expert: Premium cabin demand, again {n}." for n in range(60)}, collection=board
    )
    sync()
    assert asked(caller) == before
    found = asked(caller_in([group]))[0]
    assert [title for title in found if "board" in title.lower()] != []


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_when_the_store_fails_the_local_index_answers_and_says_so(
    synced: LoopbackOpenAI, caller: Caller, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    synced.fail("POST", r"/vector_stores/\w+/search", status=status, times=99)
    with caplog.at_level(logging.WARNING):
        answer = run(tools.search(caller, "premium cabin demand"))
    assert isinstance(answer, Answer)
    assert answer.meta == {
        "mcpsite/fallback": "The vector store did not answer; this comes from the local index."
    }
    assert set(answer.value) == {"results"}
    assert titles(answer.value)[0] == "Premium Demand Airline"
    assert "The store openai did not answer" in caplog.text
    assert "premium" not in caplog.text


def test_without_the_fallback_a_failing_store_is_a_sentence(
    synced: LoopbackOpenAI, caller: Caller, settings: Settings
) -> None:
    settings.TRANSCRIPT_STORE_FALLBACK = False
    synced.fail("POST", r"/vector_stores/\w+/search", status=500, times=99)
    for call in (tools.search(caller, "fuel"), tools.search_transcripts(caller, "fuel")):
        with pytest.raises(ToolError) as caught:
            run(call)
        assert str(caught.value) == (
            "The transcript store does not answer at the moment; try again in a while, or tell the "
            "operator of this server."
        )


def test_a_superuser_reads_each_collection_that_is_published(load_folder: Load) -> None:
    load_folder({"a.txt": HOTEL})
    board = Collection.objects.create(name="Board", slug="board")
    board.groups.add(Group.objects.create(name="board"))
    Transcript.objects.update(collection=board)
    root = Caller(user_id=3, username="root", claims=CLAIMS, is_superuser=True)
    assert titles(run(tools.search(root, "premium"))) == ["a"]
    Transcript.objects.update(published=False)
    assert titles(run(tools.search(root, "premium"))) == []


def test_calls_of_one_title_are_told_apart_by_their_day(load_folder: Load, caller: Caller) -> None:
    load_folder({f"2026-0{month}-11_Weekly.txt": f"[00:02] Ann: Fares {month}." for month in (2, 3)})
    assert sorted(titles(run(tools.search(caller, "fares")))) == [
        "Weekly (2026-02-11)",
        "Weekly (2026-03-11)",
    ]
    assert tools.fetch(caller, "2026-02-11-weekly")["title"] == "Weekly (2026-02-11)"
    Transcript.objects.filter(slug="2026-03-11-weekly").update(published=False)
    assert titles(run(tools.search(caller, "fares"))) == ["Weekly"]
