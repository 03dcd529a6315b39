"""Search in an OpenAI vector store, and what happens when it fails."""

import asyncio
import datetime
import time
from collections.abc import Callable, Sequence

import pytest
from pytest_django import Settings

from mcpsite.mcp.database import close_database_threads
from tests.loopback_openai import LoopbackOpenAI
from tests.transcripts.openai_fixtures import make_transcript, server
from transcripts.models import Collection as Collection_
from transcripts.models import Passage, Transcript, VectorStoreFile
from transcripts.stores.base import Hit, StoreUnavailable, Within, store
from transcripts.stores.openai import OpenAIStore
from transcripts.syncing import sync, sync_summary

__all__ = ["server"]

pytestmark = pytest.mark.django_db(transaction=True)

EVERYTHING = Within()
DEFAULT = Within(collections=frozenset({"default"}))
SEARCH = r"/vector_stores/\w+/search"


@pytest.fixture
def filled(server: LoopbackOpenAI, settings: Settings) -> LoopbackOpenAI:
    """A store with three transcripts."""
    make_transcript("airlines", "Analyst: And fares?\nExpert: Fares rose by 4%.")
    make_transcript("cruises", "Analyst: And berths?\nExpert: Capacity rose by 14%.")
    make_transcript("hotels", "Analyst: And rates?\nExpert: Rates fell near the interstate.")
    settings.VECTOR_STORE_ID = sync().store_id
    return server


def search(query: str, *, within: Within = EVERYTHING, limit: int = 10) -> Sequence[Hit]:
    async def ask() -> Sequence[Hit]:
        openai = OpenAIStore()
        try:
            return await openai.search(query, within=within, limit=limit)
        finally:
            await openai.close()

    try:
        return asyncio.run(ask())
    finally:
        close_database_threads()


def slugs(hits: Sequence[Hit]) -> list[str]:
    names = dict(Transcript.objects.values_list("pk", "slug"))
    return [names[hit.transcript_id] for hit in hits]


def test_the_best_passage_comes_first(filled: LoopbackOpenAI) -> None:
    hits = search("fares rose")
    assert slugs(hits)[0] == "airlines"
    assert (hits[0].position, hits[0].text) == (1, "Analyst: And fares?\nExpert: Fares rose by 4%.")


def test_the_store_named_openai_is_this_one() -> None:
    assert isinstance(store("openai"), OpenAIStore)


@pytest.mark.parametrize(
    "within",
    [
        Within(collections=frozenset({"board", "other"})),
        Within(sectors=frozenset({"Lodging"})),
        Within(since=datetime.date(2026, 3, 1)),
        Within(until=datetime.date(2026, 3, 31), since=datetime.date(2026, 3, 1)),
    ],
)
def test_the_store_itself_filters_by_what_a_search_is_limited_to(
    filled: LoopbackOpenAI, within: Within
) -> None:
    board = Collection_.objects.create(name="Board", slug="board")
    Transcript.objects.filter(slug="hotels").update(
        collection=board, sector="Lodging", call_date=datetime.date(2026, 3, 18)
    )
    for number in range(60):
        make_transcript(f"fares-{number}", "fares rose")
    sync()
    filled.requests.clear()
    assert slugs(search("fares rose", within=within)) == ["hotels"]
    assert filled.count("POST", SEARCH) == 1


def test_files_that_the_record_does_not_know_are_not_served(filled: LoopbackOpenAI) -> None:
    (vector_store,) = filled.stores.values()
    filled.add_file(vector_store, "theirs.txt", "Fares rose, says somebody else.", {"slug": "airlines"})
    assert all("somebody else" not in hit.text for hit in search("fares rose says somebody else"))


def test_no_more_than_the_limit_is_given(filled: LoopbackOpenAI) -> None:
    assert len(search("rose", limit=2)) == 2


def test_what_is_wanted_is_found_behind_fifty_results_that_are_not_served(filled: LoopbackOpenAI) -> None:
    (vector_store,) = filled.stores.values()
    for number in range(60):
        filled.add_file(vector_store, f"{number}.txt", "fares rose", {"slug": f"theirs-{number}"})
    assert "airlines" in slugs(search("fares rose"))


def test_other_peoples_files_take_no_places_however_many_they_are(
    filled: LoopbackOpenAI,
) -> None:
    (vector_store,) = filled.stores.values()
    for number in range(120):
        # No attributes, those of another program, and those of another site with the same call.
        for attributes in (
            {},
            {"slug": "airlines", "title": "Fares"},
            {"slug": "airlines", "site": "https://x"},
        ):
            filled.add_file(vector_store, f"{number}.txt", "fares rose", attributes)
    assert slugs(search("fares rose")) == ["airlines", "cruises", "hotels"]
    assert filled.count("POST", SEARCH) == 1


HIDDEN = 60


@pytest.fixture
def hidden(filled: LoopbackOpenAI) -> Collection_:
    """Sixty calls of another collection, all of which match better than the three."""
    board = Collection_.objects.create(name="Board", slug="board")
    for number in range(HIDDEN):
        make_transcript(f"board-{number}", f"Expert: Fares rose, says {number}.", collection=board)
    sync()
    filled.requests.clear()
    return board


@pytest.mark.usefixtures("hidden")
def test_hidden_calls_that_match_change_no_answer(filled: LoopbackOpenAI) -> None:
    assert slugs(search("fares rose", within=DEFAULT)) == ["airlines", "cruises", "hotels"]
    assert filled.count("POST", SEARCH) == 1


def test_calls_that_were_found_before_take_no_places(filled: LoopbackOpenAI, hidden: Collection_) -> None:
    found = frozenset(Transcript.objects.filter(collection=hidden).values_list("pk", flat=True))
    assert slugs(search("fares rose", within=Within(without=found))) == ["airlines", "cruises", "hotels"]
    assert filled.count("POST", SEARCH) == 1


@pytest.mark.usefixtures("hidden")
def test_a_call_that_moved_away_is_not_shown_before_the_store_knows_of_it(filled: LoopbackOpenAI) -> None:
    board = Collection_.objects.get(slug="board")
    Transcript.objects.filter(slug="airlines").update(collection=board)
    assert slugs(search("fares rose", within=DEFAULT)) == ["cruises", "hotels"]


def test_a_call_that_was_hidden_since_is_not_shown_and_hides_no_other(
    filled: LoopbackOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transcripts.stores.openai.MOST_RESULTS", 1)
    Transcript.objects.filter(slug="airlines").update(published=False)
    assert len(search("fares rose")) == 1


def test_files_of_an_earlier_version_are_found_and_described_by_the_next_sync(
    filled: LoopbackOpenAI,
) -> None:
    (vector_store,) = filled.stores.values()
    for attachment in vector_store.files.values():
        del attachment.attributes["collection"], attachment.attributes["site"]
    VectorStoreFile.objects.update(attributes={}, described_for="")
    assert slugs(search("fares rose", within=DEFAULT))[0] == "airlines"
    done = sync()
    assert "3 files were missing attributes that searches filter by" in " ".join(sync_summary(done).notes)
    assert {each.attributes["site"] for each in vector_store.files.values()} == {"http://localhost:8788"}
    for number in range(60):
        filled.add_file(vector_store, f"{number}.txt", "fares rose")
    assert slugs(search("fares rose"))[0] == "airlines"


def test_a_site_with_another_address_finds_its_files(filled: LoopbackOpenAI, settings: Settings) -> None:
    settings.SITE_URL = "https://tunnel.example"
    assert slugs(search("fares rose"))[0] == "airlines"
    sync()
    assert slugs(search("fares rose"))[0] == "airlines"
    assert len(filled.files) == 3


def test_of_transcripts_that_are_not_synced_nothing_is_found(filled: LoopbackOpenAI) -> None:
    make_transcript("new", "fares rose")
    assert "new" not in slugs(search("fares rose"))


def test_a_search_that_finds_enough_asks_once(filled: LoopbackOpenAI) -> None:
    search("fares rose", limit=50)
    assert filled.count("POST", SEARCH) == 1


def test_the_passage_shown_is_the_one_in_the_result_with_most_of_the_querys_words(
    server: LoopbackOpenAI, settings: Settings
) -> None:
    transcript = make_transcript("airlines", "Expert: Nothing of note.\nExpert: Fuel is hedged at 58%.")
    transcript.passages.all().delete()
    for position, text in enumerate(transcript.text.splitlines(), 1):
        Passage.objects.create(
            transcript=transcript, position=position, first_turn=position, last_turn=position, text=text
        )
    settings.VECTOR_STORE_ID = sync().store_id
    assert [(hit.position, hit.text) for hit in search("hedged fuel")] == [
        (2, "Expert: Fuel is hedged at 58%.")
    ]


def test_what_was_corrected_since_the_sync_is_not_shown_as_it_was(filled: LoopbackOpenAI) -> None:
    Passage.objects.filter(transcript__slug="airlines").update(text="Expert: Fares were flat.")
    assert search("fares rose")[0].text == "Expert: Fares were flat."


@pytest.mark.parametrize("query", ["", "   ", "\0"])
def test_a_blank_query_finds_nothing_and_asks_nobody(filled: LoopbackOpenAI, query: str) -> None:
    assert search(query) == []
    assert filled.count("POST", SEARCH) == 0


@pytest.mark.parametrize(
    "query", ['"fares" OR (', "fares\0rose", "票価 تذاكر", "x" * 20_000, "🛫 'fares'; --"]
)
def test_any_text_is_a_query(filled: LoopbackOpenAI, query: str) -> None:
    assert search(query)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"status": 401}, "refused the key"),
        ({"status": 403}, "may not use"),
        ({"status": 404}, "check VECTOR_STORE_ID"),
        ({"status": 429, "headers": {"Retry-After": "30"}}, "in a minute"),
        ({"status": 429, "code": "insufficient_quota"}, "quota"),
        ({"status": 500}, "an internal error"),
        ({"status": 503}, "an internal error"),
        ({"dropped": True}, "could not be reached"),
        ({"delay": 3.0}, "did not answer in time"),
        ({"body": b" ", "endless": True, "delay": 0.1}, "did not answer in time"),
        ({"body": b"<html>", "headers": {"Content-Type": "text/html"}}, "with a web page"),
        ({"body": b'{"data": [{"score": null}]}'}, r"with JSON that is not OpenAI's \(data.0"),
        ({"status": 302, "body": b"", "headers": {"Location": "https://login.example"}}, "login.example"),
    ],
)
def test_a_failure_is_said_in_one_sentence(
    filled: LoopbackOpenAI, settings: Settings, wrong: dict[str, object], sentence: str
) -> None:
    settings.OPENAI_TIMEOUT_SECONDS = 0.5
    filled.fail("POST", SEARCH, times=2, **wrong)  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailable, match=sentence) as caught:
        search("fares")
    assert str(caught.value).endswith(".")


def test_an_expired_store_is_a_failure(filled: LoopbackOpenAI) -> None:
    (vector_store,) = filled.stores.values()
    vector_store.expired = True
    with pytest.raises(StoreUnavailable, match="expired"):
        search("fares")


def test_a_server_that_is_gone_is_a_failure(settings: Settings) -> None:
    settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "sk-x", "http://127.0.0.1:9/v1"
    settings.VECTOR_STORE_ID = "vs_1"
    with pytest.raises(StoreUnavailable, match="could not be reached"):
        search("fares")


def test_a_missing_store_id_is_said_with_the_remedy(settings: Settings) -> None:
    settings.OPENAI_API_KEY, settings.VECTOR_STORE_ID = "sk-x", ""
    with pytest.raises(StoreUnavailable, match="upload_transcripts"):
        search("fares")


def test_a_connection_that_was_cut_while_idle_is_opened_again(filled: LoopbackOpenAI) -> None:
    filled.fail("POST", SEARCH, dropped=True)
    assert slugs(search("fares rose"))[0] == "airlines"


@pytest.mark.parametrize("value", ["3600", "Wed, 21 Oct 2099 07:28:00 GMT"])
@pytest.mark.parametrize("status", [429, 503])
def test_a_store_that_wants_to_be_left_alone_is_not_waited_for(
    filled: LoopbackOpenAI, status: int, value: str
) -> None:
    filled.fail("POST", SEARCH, status=status, headers={"Retry-After": value}, times=9)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="try again in") as caught:
        search("fares")
    assert time.monotonic() - began < 2
    assert caught.value.retry_after >= 3000
    assert filled.count("POST", SEARCH) == 1


def test_two_questions_of_one_search_share_its_time(filled: LoopbackOpenAI, settings: Settings) -> None:
    settings.OPENAI_TIMEOUT_SECONDS = 1.0
    VectorStoreFile.objects.update(described_for="")  # as an earlier version left them
    (vector_store,) = filled.stores.values()
    for number in range(60):
        filled.add_file(vector_store, f"{number}.txt", "fares rose", {"slug": f"theirs-{number}"})
    filled.latency = 0.7
    with pytest.raises(StoreUnavailable, match="in time"):
        search("fares rose")


def test_no_more_calls_than_set_run_at_once_on_one_client(filled: LoopbackOpenAI, settings: Settings) -> None:
    settings.OPENAI_CONCURRENCY = 2
    filled.latency, filled.most_at_once = 0.1, 0

    async def ask() -> None:
        openai = OpenAIStore()
        await asyncio.gather(*(openai.search("fares", within=EVERYTHING, limit=5) for _ in range(8)))
        await openai.close()

    asyncio.run(ask())
    close_database_threads()
    assert filled.most_at_once == 2


def run(work: Callable[[], object]) -> None:
    try:
        asyncio.run(work())  # type: ignore[arg-type]
    finally:
        close_database_threads()


def test_index_sends_what_changed(filled: LoopbackOpenAI) -> None:
    hotels = Transcript.objects.get(slug="hotels")
    Transcript.objects.filter(pk=hotels.pk).update(text="Rates rose.")
    run(lambda: OpenAIStore().index([hotels.pk]))
    assert "Rates rose." in {file.content.decode() for file in filled.files.values()}
    assert len(filled.files) == 3


def test_index_says_why_a_transcript_could_not_be_indexed(filled: LoopbackOpenAI) -> None:
    filled.refusals["marker"] = ("unsupported_file", "The file type is not supported.")
    bad = make_transcript("bad", "marker")
    with pytest.raises(StoreUnavailable, match=r"bad\.txt could not be indexed: The file type"):
        run(lambda: OpenAIStore().index([bad.pk]))


def test_index_of_a_moved_transcript_costs_one_short_call(filled: LoopbackOpenAI) -> None:
    hotels = Transcript.objects.get(slug="hotels")
    Transcript.objects.filter(pk=hotels.pk).update(
        collection=Collection_.objects.create(name="Board", slug="board")
    )
    filled.requests.clear()
    run(lambda: OpenAIStore().index(list(Transcript.objects.values_list("pk", flat=True))))
    (vector_store,) = filled.stores.values()
    collections = {
        each.attributes["slug"]: each.attributes["collection"] for each in vector_store.files.values()
    }
    assert collections == {"airlines": "default", "cruises": "default", "hotels": "board"}
    assert len(filled.requests) == 1


def test_index_sends_a_file_that_the_store_has_lost(filled: LoopbackOpenAI) -> None:
    hotels = Transcript.objects.get(slug="hotels")
    filled.files.clear()
    next(iter(filled.stores.values())).files.clear()
    Transcript.objects.filter(pk=hotels.pk).update(title="Lodging")
    run(lambda: OpenAIStore().index([hotels.pk]))
    assert len(filled.files) == 1


def test_an_unpublished_transcript_is_not_indexed(filled: LoopbackOpenAI) -> None:
    secret = make_transcript("secret", published=False)
    run(lambda: OpenAIStore().index([secret.pk]))
    assert len(filled.files) == 3


def test_remove_takes_transcripts_out_of_the_store_and_of_storage(filled: LoopbackOpenAI) -> None:
    hotels = Transcript.objects.get(slug="hotels")
    run(lambda: OpenAIStore().remove([hotels.pk]))
    assert len(filled.files) == VectorStoreFile.objects.count() == 2
