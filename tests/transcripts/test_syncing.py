"""`sync` against a server that behaves as OpenAI does, on good days and bad."""

import datetime
import itertools
import re
import threading
import time

import pytest
from django.db import connections
from pytest_django import Settings

from tests.loopback_openai import LoopbackOpenAI, VectorStore
from tests.transcripts.openai_fixtures import make_transcript, server
from transcripts.models import Transcript, VectorStoreFile
from transcripts.syncing import SyncLimits, SyncStopped, sync, withdraw_files

__all__ = ["server"]

pytestmark = pytest.mark.django_db

FILES = "/files"
ATTACH = r"/vector_stores/\w+/files"
POLL = r"/vector_stores/\w+/files/[\w-]+"


def limits(**changes: object) -> SyncLimits:
    given: dict[str, object] = {"call_seconds": 5.0, "attempts": 4, **changes}
    return SyncLimits(**given)  # type: ignore[arg-type]


def only_store(server: LoopbackOpenAI) -> VectorStore:
    (store,) = server.stores.values()
    return store


def held(server: LoopbackOpenAI) -> dict[str, str]:
    """The store's content, slug → text; asserts that each slug is there once."""
    files = only_store(server).files.values()
    texts = {str(each.attributes["slug"]): each.file.content.decode() for each in files}
    assert len(texts) == len(files), "a transcript is in the store twice"
    return texts


def assert_in_line(server: LoopbackOpenAI) -> None:
    """The store and the storage hold each transcript once, and nothing else; the record agrees."""
    assert held(server) == dict(Transcript.objects.values_list("slug", "text"))
    assert set(server.files) == set(only_store(server).files)
    rows = VectorStoreFile.objects.filter(status=VectorStoreFile.Status.COMPLETED)
    assert set(rows.values_list("file_id", flat=True)) == set(server.files)


def three() -> None:
    for slug in ("airlines", "cruises", "hotels"):
        make_transcript(slug)


def test_each_transcript_is_sent_once_into_a_new_store(server: LoopbackOpenAI) -> None:
    three()
    server.indexing = 0.05
    summary = sync(name="Calls", limits=limits())
    assert_in_line(server)
    assert (summary.store_id, only_store(server).name) == (only_store(server).id, "Calls")
    assert summary.added == ["airlines", "cruises", "hotels"]


def test_a_file_carries_what_the_transcript_is_about_as_attributes(
    server: LoopbackOpenAI, settings: Settings
) -> None:
    make_transcript("airlines", title="T" * 300, call_date=datetime.date(2026, 1, 2))
    sync(limits=limits())
    (attachment,) = only_store(server).files.values()
    sha256 = attachment.attributes.pop("sha256")
    assert len(sha256) == 64
    assert attachment.attributes == {
        "slug": "airlines",
        "title": "T" * 300,
        "date": "2026-01-02",
        "sector": "Airlines",
        "collection": "default",
        "site": settings.SITE_URL,
        "published": True,
        "day": 20260102,
    }


def test_a_second_run_changes_nothing(server: LoopbackOpenAI, settings: Settings) -> None:
    three()
    settings.VECTOR_STORE_ID = sync(limits=limits()).store_id
    before = set(server.files)
    summary = sync(limits=limits())
    assert set(server.files) == before
    assert (summary.added, len(summary.unchanged), summary.removed) == ([], 3, 0)


def test_a_run_without_a_store_id_finds_the_store_of_an_earlier_one(server: LoopbackOpenAI) -> None:
    three()
    first = sync(limits=limits())
    assert sync(limits=limits()).store_id == first.store_id
    assert_in_line(server)


def test_a_store_of_another_installation_is_not_taken(server: LoopbackOpenAI, settings: Settings) -> None:
    other = sync(limits=limits()).store_id
    settings.SECRET_KEY = "another installation's"
    assert sync(limits=limits()).store_id != other


def test_what_is_not_published_is_not_sent(server: LoopbackOpenAI) -> None:
    three()
    Transcript.objects.filter(slug="hotels").update(published=False)
    assert sync(limits=limits()).added == ["airlines", "cruises"]
    assert len(server.files) == VectorStoreFile.objects.count() == 2


def test_what_was_unpublished_is_taken_out_and_its_record_with_it(server: LoopbackOpenAI) -> None:
    three()
    sync(limits=limits())
    Transcript.objects.filter(slug="hotels").update(published=False)
    assert sync(limits=limits(), dry_run=True).removed == 1
    assert sync(limits=limits()).removed == 1
    assert set(held(server)) == {"airlines", "cruises"}
    assert set(server.files) == set(only_store(server).files)
    assert VectorStoreFile.objects.count() == 2
    assert sync(limits=limits()).removed == 0


def test_what_is_published_again_is_sent_again(server: LoopbackOpenAI) -> None:
    three()
    Transcript.objects.filter(slug="hotels").update(published=False)
    sync(limits=limits())
    Transcript.objects.update(published=True)
    assert sync(limits=limits()).added == ["hotels"]
    assert_in_line(server)


def test_a_changed_transcript_replaces_its_file(server: LoopbackOpenAI) -> None:
    three()
    sync(limits=limits())
    Transcript.objects.filter(slug="hotels").update(text="Rates fell.")
    summary = sync(limits=limits())
    assert_in_line(server)
    assert (summary.added, summary.removed) == (["hotels"], 1)


def test_a_changed_title_changes_the_attributes_and_sends_nothing(server: LoopbackOpenAI) -> None:
    three()
    sync(limits=limits())
    Transcript.objects.filter(slug="hotels").update(title="Lodging")
    summary = sync(limits=limits())
    titles = {each.attributes["slug"]: each.attributes["title"] for each in only_store(server).files.values()}
    assert titles["hotels"] == "Lodging"
    assert summary.added == []


def test_a_deleted_transcript_leaves_the_store_and_the_storage(server: LoopbackOpenAI) -> None:
    three()
    sync(limits=limits())
    Transcript.objects.filter(slug="hotels").delete()
    assert sync(limits=limits()).removed == 1
    assert_in_line(server)


def test_files_of_others_are_left_alone(server: LoopbackOpenAI, settings: Settings) -> None:
    three()
    store = only_store_after_first_run(server, settings)
    foreign = server.add_file(store, "handbook.txt", "Somebody else's.")
    another_site = {"slug": "gone", "sha256": "1" * 64, "site": "https://other.example.com"}
    neighbour = server.add_file(store, f"gone.1111111111111111.{store.id}.txt", "Theirs.", another_site)
    assert sync(limits=limits()).removed == 0
    assert {foreign.id, neighbour.id} <= set(server.files)


def only_store_after_first_run(server: LoopbackOpenAI, settings: Settings) -> VectorStore:
    settings.VECTOR_STORE_ID = sync(limits=limits()).store_id
    return only_store(server)


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    server: LoopbackOpenAI, settings: Settings
) -> None:
    three()
    only_store_after_first_run(server, settings)
    Transcript.objects.filter(slug="hotels").update(text="Rates fell.")
    before = set(server.files)
    summary = sync(limits=limits(), dry_run=True)
    assert (summary.added, summary.removed) == (["hotels"], 1)
    assert set(server.files) == before


def test_a_dry_run_makes_no_store(server: LoopbackOpenAI) -> None:
    three()
    assert len(sync(limits=limits(), dry_run=True).added) == 3
    assert server.stores == {}


def test_only_the_transcripts_that_are_named_are_looked_after(
    server: LoopbackOpenAI, settings: Settings
) -> None:
    three()
    only_store_after_first_run(server, settings)
    Transcript.objects.update(text="Changed.")
    one = Transcript.objects.get(slug="hotels")
    assert sync(limits=limits(), only={one.pk}).added == ["hotels"]
    texts = held(server)
    assert len(texts) == 3
    assert [slug for slug, text in texts.items() if text == "Changed."] == ["hotels"]


def test_withdrawn_transcripts_are_deleted_from_the_store_and_the_record(
    server: LoopbackOpenAI, settings: Settings
) -> None:
    three()
    only_store_after_first_run(server, settings)
    withdraw_files({Transcript.objects.get(slug="hotels").pk})
    assert set(held(server)) == {"airlines", "cruises"}
    assert len(server.files) == VectorStoreFile.objects.count() == 2


def test_a_file_that_cannot_be_indexed_is_named_with_the_reason_and_the_others_are_done(
    server: LoopbackOpenAI,
) -> None:
    three()
    make_transcript("broken", "holds the marker")
    server.refusals["the marker"] = ("unsupported_file", "The file type is not supported.")
    summary = sync(limits=limits())
    assert [(each.name, each.reason) for each in summary.failures] == [
        ("broken.txt", "The file type is not supported.")
    ]
    assert set(held(server)) == {"airlines", "cruises", "hotels"}
    row = VectorStoreFile.objects.get(transcript__slug="broken")
    assert (row.status, row.error) == ("failed", "The file type is not supported.")


def test_a_file_that_failed_leaves_nothing_in_storage(server: LoopbackOpenAI) -> None:
    make_transcript("broken", "holds the marker")
    server.refusals["the marker"] = ("unsupported_file", "The file type is not supported.")
    sync(limits=limits())
    assert server.files == {}


def test_the_version_before_stays_while_the_new_one_cannot_be_indexed(server: LoopbackOpenAI) -> None:
    three()
    sync(limits=limits())
    before = held(server)
    server.refusals["the marker"] = ("server_error", "Try again.")
    Transcript.objects.filter(slug="hotels").update(text="holds the marker")
    sync(limits=limits())
    assert held(server) == before


def test_a_failed_file_is_tried_again_by_the_next_run(server: LoopbackOpenAI) -> None:
    three()
    server.refusals["hotels"] = ("server_error", "Try again.")
    sync(limits=limits())
    server.refusals.clear()
    assert sync(limits=limits()).added == ["hotels"]
    assert_in_line(server)


@pytest.mark.parametrize("path", [FILES, ATTACH])
@pytest.mark.parametrize("performed", [False, True])
@pytest.mark.parametrize("wrong", [{"status": 500}, {"status": 503}, {"dropped": True}])
def test_a_post_that_fails_is_repeated_without_a_second_file(
    server: LoopbackOpenAI, path: str, performed: bool, wrong: dict[str, int]
) -> None:
    three()
    server.fail("POST", path, performed=performed, times=3, **wrong)  # type: ignore[arg-type]
    summary = sync(limits=limits())
    assert (summary.failures, summary.removed) == ([], 0)
    assert_in_line(server)


@pytest.mark.parametrize("path", [FILES, ATTACH])
def test_a_post_that_is_performed_after_the_time_out_leaves_no_second_file(
    server: LoopbackOpenAI, path: str
) -> None:
    three()
    server.fail("POST", path, delay=0.8)
    sync(limits=limits(call_seconds=0.4))
    sync(limits=limits())
    assert_in_line(server)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", FILES),
        ("POST", ATTACH),
        ("GET", FILES),
        ("GET", ATTACH),
        ("GET", POLL),
        ("POST", "/vector_stores"),
        ("GET", "/vector_stores"),
    ],
)
def test_too_many_requests_are_waited_out_as_long_as_the_server_says(
    server: LoopbackOpenAI, method: str, path: str
) -> None:
    make_transcript("airlines")
    server.fail(method, path, status=429, headers={"Retry-After": "1"})
    sync(limits=limits())
    assert_in_line(server)
    times = [seen.at for seen in server.requests if seen.method == method and re.fullmatch(path, seen.path)]
    assert times[1] - times[0] >= 1.0


@pytest.mark.parametrize("value", ["90", "86400", "Wed, 21 Oct 2099 07:28:00 GMT", "1e300"])
@pytest.mark.parametrize("path", [FILES, ATTACH])
@pytest.mark.parametrize("status", [429, 503])
def test_a_longer_wait_than_a_minute_stops_the_run_with_what_was_done_and_when_to_come_back(
    server: LoopbackOpenAI, status: int, path: str, value: str
) -> None:
    three()
    server.fail("POST", path, status=status, headers={"Retry-After": value}, skip=1, times=99)
    began = time.monotonic()
    with pytest.raises(SyncStopped, match=r"try again in \d+ (minutes|hours), after 2\d{3}-") as stopped:
        sync(limits=limits(concurrency=1))
    assert time.monotonic() - began < 5
    assert stopped.value.done is not None
    assert len(stopped.value.done.added) == 1
    server.recover()
    sync(limits=limits())
    assert_in_line(server)


@pytest.mark.parametrize("value", ["0", "-5", "nan", "inf", "soon", "Wed, 21 Oct 2015 07:28:00", ""])
def test_a_wait_that_says_nothing_is_one_of_our_own(server: LoopbackOpenAI, value: str) -> None:
    make_transcript("airlines")
    server.fail("POST", FILES, status=429, headers={"Retry-After": value}, times=2)
    began = time.monotonic()
    sync(limits=limits())
    assert 0.7 < time.monotonic() - began < 10
    assert_in_line(server)


@pytest.mark.parametrize("value", ["", "junk", "1e9", "9" * 5000, "-1"])
def test_a_pause_that_is_none_is_one_of_our_own(
    server: LoopbackOpenAI, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setattr("transcripts.syncing.LONGEST_PAUSE", 0.1)
    make_transcript("airlines")
    server.indexing, server.poll_after_ms = 0.1, value
    sync(limits=limits())
    assert_in_line(server)


def test_a_store_made_twice_by_a_lost_answer_is_kept_once(server: LoopbackOpenAI) -> None:
    three()
    server.fail("POST", "/vector_stores", status=500, performed=True)
    sync(limits=limits())
    assert_in_line(server)


def test_a_store_made_after_the_time_out_is_taken_away_again(server: LoopbackOpenAI) -> None:
    three()
    server.fail("POST", "/vector_stores", delay=0.8)
    sync(limits=limits(call_seconds=0.4))
    sync(limits=limits())
    assert_in_line(server)


def test_a_refused_key_stops_the_run_with_the_remedy(server: LoopbackOpenAI, settings: Settings) -> None:
    three()
    settings.OPENAI_API_KEY = "sk-other"
    with pytest.raises(SyncStopped, match="check OPENAI_API_KEY"):
        sync(limits=limits())


def test_a_run_without_a_key_is_stopped(settings: Settings) -> None:
    settings.OPENAI_API_KEY = ""
    with pytest.raises(SyncStopped, match="OPENAI_API_KEY is not set"):
        sync(limits=limits())


def test_a_full_quota_stops_the_run_and_the_next_one_finishes(server: LoopbackOpenAI) -> None:
    three()
    server.quota_bytes = 100
    with pytest.raises(SyncStopped, match="quota"):
        sync(limits=limits())
    server.quota_bytes = None
    sync(limits=limits())
    assert_in_line(server)


def test_a_network_that_is_gone_stops_the_run_and_the_next_one_finishes(server: LoopbackOpenAI) -> None:
    three()
    server.fail("*", ".*", dropped=True, skip=5, times=1000)
    with pytest.raises(SyncStopped, match="could not be reached"):
        sync(limits=limits(attempts=2))
    server.recover()
    sync(limits=limits())
    assert_in_line(server)


def test_an_unknown_store_is_named_with_the_remedy(server: LoopbackOpenAI, settings: Settings) -> None:
    settings.VECTOR_STORE_ID = "vs_none"
    with pytest.raises(SyncStopped, match="has no vector store vs_none; correct VECTOR_STORE_ID"):
        sync(limits=limits())


def test_an_expired_store_is_named_with_the_remedy(server: LoopbackOpenAI, settings: Settings) -> None:
    settings.VECTOR_STORE_ID = server.add_store(expired=True).id
    with pytest.raises(SyncStopped, match="has expired; leave VECTOR_STORE_ID empty"):
        sync(limits=limits())


def test_a_file_has_a_time_limit_and_the_next_run_goes_on_with_it(
    server: LoopbackOpenAI, settings: Settings
) -> None:
    three()
    server.indexing = 1.0
    summary = sync(limits=limits(file_seconds=0.5))
    settings.VECTOR_STORE_ID = summary.store_id
    assert [each.reason for each in summary.failures] == [
        "It was not done within 0.5 seconds; run the command again."
    ] * 3
    sent = server.count("POST", FILES)
    sync(limits=limits())
    assert server.count("POST", FILES) == sent
    assert_in_line(server)


def test_no_more_files_than_allowed_are_transferred_at_once(server: LoopbackOpenAI) -> None:
    for number in range(20):
        make_transcript(f"call-{number}")
    server.latency = 0.03
    sync(limits=limits(concurrency=3))
    assert 1 < server.most_at_once <= 12
    assert_in_line(server)


def test_waiting_for_a_place_among_the_attaches_of_a_minute_is_no_time_out(
    server: LoopbackOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transcripts.stores.openai_client.MINUTE", 1.0)
    three()
    summary = sync(limits=limits(attaches_per_minute=1, file_seconds=0.9))
    assert summary.failures == []
    attached = [
        seen.at for seen in server.requests if seen.method == "POST" and re.fullmatch(ATTACH, seen.path)
    ]
    gaps = [later - sooner for sooner, later in itertools.pairwise(attached)]
    # A request may take longer than the next to arrive; together they cannot.
    assert min(gaps) >= 0.95
    assert sum(gaps) / len(gaps) >= 0.99


def test_lists_of_many_pages_are_read_to_the_end(server: LoopbackOpenAI) -> None:
    for number in range(7):
        make_transcript(f"call-{number}")
    server.page_size = 2
    sync(limits=limits())
    assert len(sync(limits=limits()).unchanged) == 7
    assert_in_line(server)


@pytest.mark.django_db(transaction=True)
def test_a_transcript_deleted_during_the_run_is_not_left_in_the_store(server: LoopbackOpenAI) -> None:
    for number in range(8):
        make_transcript(f"call-{number}")

    def delete_the_last() -> None:
        Transcript.objects.get(slug="call-7").delete()
        connections.close_all()

    def progress(done: int, _all: int) -> None:
        if done == 1:
            # Another thread, as the admin is.
            admin = threading.Thread(target=delete_the_last)
            admin.start()
            admin.join()

    summary = sync(limits=limits(concurrency=1), progress=progress)
    assert_in_line(server)
    assert len(summary.added) == 7
