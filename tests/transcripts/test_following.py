"""The vector store follows what curators change, in the background."""

import time
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import Settings

from mcpsite.history.models import Change
from tests.loopback_openai import LoopbackOpenAI, VectorStore
from tests.transcripts.openai_fixtures import make_transcript, server
from transcripts import following
from transcripts.models import Collection, Transcript, VectorStoreFile
from transcripts.syncing import sync

__all__ = ["server"]

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/transcripts/transcript/"
UPDATE = r"/vector_stores/\w+/files/[\w-]+"


@pytest.fixture(autouse=True)
def _done(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No thread outlives its test."""
    monkeypatch.setattr(following, "PAUSES", (0.0, 0.1, 0.1))
    yield
    following.follower.wait(30)


@pytest.fixture
def curator(db: None) -> Client:
    user = User.objects.create_user("carol", is_staff=True)
    permissions = Permission.objects.filter(content_type__app_label__in=["transcripts", "history"])
    user.user_permissions.set(permissions)
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


@pytest.fixture
def store(server: LoopbackOpenAI, settings: Settings) -> VectorStore:
    """A store that holds three transcripts, whose requests are counted from here on."""
    for slug in ("airlines", "cruises", "hotels"):
        make_transcript(slug)
    settings.VECTOR_STORE_ID = sync().store_id
    server.requests.clear()
    return server.stores[settings.VECTOR_STORE_ID]


def act(client: Client, action: str, *slugs: str) -> None:
    chosen = Transcript.objects.filter(slug__in=slugs).values_list("pk", flat=True)
    data = {"action": action, "_selected_action": [str(pk) for pk in chosen], "post": "yes"}
    assert client.post(LIST, data).status_code == 302
    following.follower.wait(30)


def held(store: VectorStore, key: str = "slug") -> list[str]:
    return sorted(str(each.attributes.get(key)) for each in store.files.values())


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_an_unpublished_transcript_leaves_the_store_and_the_storage(
    server: LoopbackOpenAI, store: VectorStore, curator: Client
) -> None:
    act(curator, "unpublish", "hotels")
    assert held(store) == ["airlines", "cruises"]
    assert set(server.files) == set(store.files)
    assert VectorStoreFile.objects.count() == 2


def test_a_published_transcript_comes_back(
    server: LoopbackOpenAI, store: VectorStore, curator: Client
) -> None:
    act(curator, "unpublish", "hotels", "cruises")
    act(curator, "publish", "hotels")
    assert held(store) == ["airlines", "hotels"]
    assert set(server.files) == set(store.files)


def test_a_transcript_that_moves_costs_one_short_call(
    server: LoopbackOpenAI, store: VectorStore, curator: Client
) -> None:
    board = Collection.objects.create(name="Board", slug="board")
    hotels = Transcript.objects.get(slug="hotels")
    form = {
        "title": hotels.title,
        "call_date": str(hotels.call_date),
        "sector": hotels.sector,
        "collection": str(board.pk),
        "published": "on",
        "store_files-TOTAL_FORMS": "0",
        "store_files-INITIAL_FORMS": "0",
    }
    assert curator.post(f"{LIST}{hotels.pk}/change/", form).status_code == 302
    following.follower.wait(30)
    assert held(store, "collection") == ["board", "default", "default"]
    assert [(seen.method, "update" if "/files/" in seen.path else seen.path) for seen in server.requests] == [
        ("POST", "update")
    ]


def test_a_collection_that_is_called_otherwise_is_so_in_the_store(
    store: VectorStore, curator: Client
) -> None:
    default = Collection.default()
    form = {"name": "Default", "slug": "calls"}
    answer = curator.post(f"/admin/transcripts/collection/{default.pk}/change/", form)
    assert answer.status_code == 302
    following.follower.wait(30)
    assert held(store, "collection") == ["calls"] * 3


def test_a_deleted_transcript_leaves_the_store(
    server: LoopbackOpenAI, store: VectorStore, curator: Client
) -> None:
    act(curator, "delete_selected", "hotels")
    assert held(store) == ["airlines", "cruises"]
    assert set(server.files) == set(store.files)
    assert VectorStoreFile.objects.count() == 2


def test_a_change_that_is_reverted_is_followed_too(store: VectorStore, curator: Client) -> None:
    act(curator, "unpublish", "hotels")
    change = Change.objects.get(action="unpublish")
    page = f"/admin/history/change/{change.pk}/revert/"
    html = curator.get(page)
    data = {"seen": html.context["plan"].seen, "reason": ""}
    assert curator.post(page, data).status_code == 302
    following.follower.wait(30)
    assert held(store) == ["airlines", "cruises", "hotels"]


def test_a_store_that_is_away_is_tried_again(
    server: LoopbackOpenAI, store: VectorStore, curator: Client
) -> None:
    server.fail("*", ".*", status=401, times=2)
    act(curator, "unpublish", "hotels")
    assert held(store) == ["airlines", "cruises"]


def test_the_curator_does_not_wait_for_the_store(
    server: LoopbackOpenAI, store: VectorStore, curator: Client
) -> None:
    server.latency = 1.0
    began = time.monotonic()
    chosen = Transcript.objects.get(slug="hotels").pk
    curator.post(LIST, {"action": "unpublish", "_selected_action": [str(chosen)]})
    assert time.monotonic() - began < 1.0
    eventually(lambda: held(store) == ["airlines", "cruises"])


def test_without_a_store_nothing_is_started(curator: Client) -> None:
    make_transcript("hotels")
    act(curator, "unpublish", "hotels")
    assert following.follower._thread is None
