"""`import_vector_store` on a store that somebody else filled."""

import datetime
import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from tests.loopback_openai import LoopbackOpenAI, VectorStore
from tests.transcripts.openai_fixtures import make_transcript, server
from transcripts.models import Collection, Transcript, VectorStoreFile
from transcripts.syncing import sync, sync_summary

__all__ = ["server"]

pytestmark = pytest.mark.django_db

CALL = """---
Call Date: 2026-02-11
Sector: Airlines
---

[00:02] Analyst: How is the spring?
[00:06] Expert: Fares rose on every route.
"""


@pytest.fixture
def store(server: LoopbackOpenAI) -> VectorStore:
    return server.add_store("theirs")


def import_vector_store(*arguments: str) -> str:
    out = StringIO()
    call_command("import_vector_store", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_each_file_becomes_a_transcript_with_its_turns(server: LoopbackOpenAI, store: VectorStore) -> None:
    server.add_file(store, "2026-02-11_Spring_Outlook.txt", CALL)
    import_vector_store(store.id)
    transcript = Transcript.objects.get()
    assert (transcript.text, transcript.call_date) == (CALL, datetime.date(2026, 2, 11))
    assert [turn.speaker for turn in transcript.turns.all()] == ["Analyst", "Expert"]


def test_the_title_comes_from_the_attributes_else_from_the_file_name(
    server: LoopbackOpenAI, store: VectorStore
) -> None:
    server.add_file(store, "a.txt", CALL, {"title": "Spring outlook"})
    server.add_file(store, "2026-02-11_Hotel_Rates.txt", CALL + "[00:09] Expert: Rates too.\n")
    import_vector_store(store.id)
    assert set(Transcript.objects.values_list("title", flat=True)) == {"Spring outlook", "Hotel Rates"}


def test_the_text_of_all_pages_is_taken(server: LoopbackOpenAI, store: VectorStore) -> None:
    text = CALL + "".join(f"[01:{n % 60:02}] Expert: Number {n} was said.\n" for n in range(200))
    server.add_file(store, "long.txt", text)
    import_vector_store(store.id)
    assert Transcript.objects.get().text == text


def test_files_of_the_same_name_are_two_transcripts_also_in_two_runs(
    server: LoopbackOpenAI, store: VectorStore
) -> None:
    for number in range(3):
        server.add_file(store, "call.txt", f"{CALL}[00:09] Expert: Number {number}.\n")
        if number:
            import_vector_store(store.id)
    assert Transcript.objects.count() == 3


def test_a_second_import_adds_nothing(server: LoopbackOpenAI, store: VectorStore) -> None:
    server.add_file(store, "call.txt", CALL)
    import_vector_store(store.id)
    assert "0 added, 0 linked to a transcript with the same text, 1 known" in import_vector_store(store.id)
    assert Transcript.objects.count() == 1


def test_a_text_that_is_a_transcript_already_is_linked(server: LoopbackOpenAI, store: VectorStore) -> None:
    make_transcript("spring", CALL)
    file = server.add_file(store, "call.txt", CALL)
    import_vector_store(store.id)
    assert VectorStoreFile.objects.get().file_id == file.id
    assert Transcript.objects.get().slug == "spring"


def test_a_sync_after_an_import_sends_nothing_and_removes_nothing(
    server: LoopbackOpenAI, store: VectorStore, settings: Settings
) -> None:
    file = server.add_file(store, "call.txt", CALL)
    import_vector_store(store.id)
    settings.VECTOR_STORE_ID = store.id
    summary = sync()
    assert (summary.added, summary.removed, set(server.files)) == ([], 0, {file.id})


def test_a_sync_after_an_import_writes_what_search_filters_by_beside_what_the_owner_said(
    server: LoopbackOpenAI, store: VectorStore, settings: Settings
) -> None:
    server.add_file(store, "call.txt", CALL, {"title": "Spring outlook", "collection": "mine"})
    server.add_file(store, "full.txt", CALL + "[00:09] Expert: Rates.\n", {f"key{n}": n for n in range(15)})
    import_vector_store(store.id)
    settings.VECTOR_STORE_ID = store.id
    done = sync()
    described, full = [each.attributes for each in store.files.values()]
    assert described == {
        "title": "Spring outlook",
        "collection": "default",
        "slug": "call",
        "published": True,
        "site": settings.SITE_URL,
        "sector": "Airlines",
        "day": 20260211,
    }
    assert len(full) == 15
    assert "1 files that were added elsewhere have too many attributes" in " ".join(sync_summary(done).notes)


def test_an_import_that_is_not_published_stays_its_owners_and_is_not_said_to_be_ours(
    server: LoopbackOpenAI, store: VectorStore, settings: Settings
) -> None:
    file = server.add_file(store, "call.txt", CALL, {"title": "Spring outlook"})
    import_vector_store(store.id)
    settings.VECTOR_STORE_ID = store.id
    sync()
    for _ in range(2):
        Transcript.objects.update(published=False)
        assert sync(dry_run=True).removed == sync().removed == 0
        assert store.files[file.id].attributes.get("published") is not True
        Transcript.objects.update(published=True)
        assert sync().added == []
        assert store.files[file.id].attributes["published"] is True
    Transcript.objects.all().delete()
    sync()
    assert set(store.files) == {file.id}
    assert store.files[file.id].attributes["published"] is False
    assert VectorStoreFile.objects.count() == 0


def test_a_corrected_import_replaces_the_file_in_the_store_and_keeps_the_owners_file(
    server: LoopbackOpenAI, store: VectorStore, settings: Settings
) -> None:
    file = server.add_file(store, "call.txt", CALL)
    import_vector_store(store.id)
    settings.VECTOR_STORE_ID = store.id
    Transcript.objects.update(text="Corrected.")
    sync()
    assert [each.file.content for each in store.files.values()] == [b"Corrected."]
    assert file.id in server.files


def test_a_file_whose_indexing_failed_is_named_and_the_others_are_imported(
    server: LoopbackOpenAI, store: VectorStore
) -> None:
    server.refusals["marker"] = ("unsupported_file", "The file type is not supported.")
    server.add_file(store, "bad.txt", "marker")
    server.add_file(store, "good.txt", CALL)
    with pytest.raises(SystemExit):
        import_vector_store(store.id)
    assert Transcript.objects.get().source_file == f"{store.id}/good.txt"


def test_imports_may_wait_for_a_curator_in_a_collection(server: LoopbackOpenAI, store: VectorStore) -> None:
    Collection.objects.create(name="Bought", slug="bought")
    server.add_file(store, "call.txt", CALL)
    import_vector_store(store.id, "--collection", "bought", "--unpublished")
    transcript = Transcript.objects.get()
    assert (transcript.collection.slug, transcript.published) == ("bought", False)


def test_a_dry_run_imports_nothing(server: LoopbackOpenAI, store: VectorStore) -> None:
    server.add_file(store, "call.txt", CALL)
    assert "1 added" in import_vector_store(store.id, "--dry-run")
    assert not Transcript.objects.exists()


def test_an_import_outlasts_errors_of_the_server(server: LoopbackOpenAI, store: VectorStore) -> None:
    server.add_file(store, "call.txt", CALL)
    server.fail("GET", ".*", status=500, times=3)
    import_vector_store(store.id)
    assert Transcript.objects.count() == 1


@pytest.mark.parametrize("path", [r"/vector_stores/\w+/files", "/files/.*", ".*/content"])
def test_a_longer_wait_than_a_minute_ends_the_import_with_what_was_done(
    server: LoopbackOpenAI, store: VectorStore, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.add_file(store, "call.txt", CALL)
    server.fail("GET", path, status=429, headers={"Retry-After": "600"}, times=99)
    with pytest.raises(CommandError, match=r"The import stopped: .* try again in 10 minutes, after"):
        call_command("import_vector_store", store.id)
    assert "0 added" in capsys.readouterr().out


def test_a_content_that_leads_back_to_its_first_page_ends(server: LoopbackOpenAI, store: VectorStore) -> None:
    server.add_file(store, "call.txt", CALL)
    page = {
        "object": "vector_store.file_content.page",
        "data": [{"type": "text", "text": "x" * 1000}],
        "has_more": True,
        "next_page": "2",
    }
    server.fail("GET", ".*/content", body=json.dumps(page).encode(), times=99)
    import_vector_store(store.id)
    assert Transcript.objects.get().text == "x" * 2000


@pytest.mark.usefixtures("server")
def test_an_unknown_store_is_said_to_be_unknown() -> None:
    with pytest.raises(CommandError, match="has no vector store vs_none"):
        import_vector_store("vs_none")
