"""Search in an OpenAI vector store, and what happens when it fails."""

import asyncio
from collections.abc import Callable, Collection, Sequence

import pytest
from pytest_django import Settings

from mcpsite.mcp.database import close_database_threads
from tests.loopback_openai import LoopbackOpenAI
from tests.transcripts.openai_fixtures import make_transcript, server
from transcripts.models import Passage, Transcript, VectorStoreFile
from transcripts.stores.base import Hit, StoreUnavailable, store
from transcripts.stores.openai import OpenAIStore
from transcripts.uploading import sync

__all__ = ["server"]

pytestmark = pytest.mark.django_db(transaction=True)

SEARCH = r"/vector_stores/\w+/search"


@pytest.fixture
def filled(server: LoopbackOpenAI, settings: Settings) -> LoopbackOpenAI:
    """A store with three transcripts."""
    make_transcript("airlines", "Analyst: And fares?\nExpert: Fares rose by 4%.")
    make_transcript("cruises", "Analyst: And berths?\nExpert: Capacity rose by 14%.")
    make_transcript("hotels", "Analyst: And rates?\nExpert: Rates fell near the interstate.")
    settings.VECTOR_STORE_ID = sync().store_id
    return server


def search(query: str, *, among: Collection[int] | None = None, limit: int = 10) -> Sequence[Hit]:
    async def ask() -> Sequence[Hit]:
        openai = OpenAIStore()
        try:
            return await openai.search(query, among=among, limit=limit)
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


def test_only_the_transcripts_asked_for_are_found(filled: LoopbackOpenAI) -> None:
    hotels = Transcript.objects.get(slug="hotels")
    assert slugs(search("fares rose", among={hotels.pk})) == ["hotels"]


def test_a_search_among_no_transcripts_asks_nobody(filled: LoopbackOpenAI) -> None:
    assert search("fares", among=[]) == []
    assert filled.count("POST", SEARCH) == 0


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


def test_what_is_wanted_is_found_behind_fifty_results_of_other_transcripts(filled: LoopbackOpenAI) -> None:
    for number in range(60):
        make_transcript(f"fares-{number}", "fares rose")
    sync()
    hotels = Transcript.objects.get(slug="hotels")
    assert slugs(search("fares rose", among={hotels.pk})) == ["hotels"]


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


def test_what_was_corrected_since_the_upload_is_not_shown_as_it_was(filled: LoopbackOpenAI) -> None:
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
        ({"status": 500}, "error of its own"),
        ({"status": 503}, "error of its own"),
        ({"dropped": True}, "could not be reached"),
        ({"delay": 3.0}, "did not answer in time"),
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


def test_no_more_calls_than_set_run_at_once_on_one_client(filled: LoopbackOpenAI, settings: Settings) -> None:
    settings.OPENAI_CONCURRENCY = 2
    filled.latency, filled.most_at_once = 0.1, 0

    async def ask() -> None:
        openai = OpenAIStore()
        await asyncio.gather(*(openai.search("fares", among=None, limit=5) for _ in range(8)))
        await openai.close()

    asyncio.run(ask())
    close_database_threads()
    assert filled.most_at_once == 2


def run(work: Callable[[], object]) -> None:
    try:
        asyncio.run(work())  # type: ignore[arg-type]
    finally:
        close_database_threads()


def test_index_uploads_what_changed(filled: LoopbackOpenAI) -> None:
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


def test_remove_takes_transcripts_out_of_the_store_and_of_storage(filled: LoopbackOpenAI) -> None:
    hotels = Transcript.objects.get(slug="hotels")
    run(lambda: OpenAIStore().remove([hotels.pk]))
    assert len(filled.files) == VectorStoreFile.objects.count() == 2
