"""What curators do with transcripts, and what comes of it."""

import re

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils.html import strip_tags
from pytest_django import Settings

from mcpsite.history.models import Change
from tests.loopback_openai import LoopbackOpenAI
from tests.transcripts.conftest import AIRLINE, Load, transcript
from tests.transcripts.openai_fixtures import server
from transcripts.models import Collection, Transcript, VectorStoreFile
from transcripts.stores import local
from transcripts.syncing import sync

__all__ = ["server"]

pytestmark = pytest.mark.django_db

LIST = "/admin/transcripts/transcript/"


@pytest.fixture
def curator(db: None) -> Client:
    """The browser of somebody who may do everything with transcripts."""
    user = User.objects.create_user("carol", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="transcripts"))
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def act(client: Client, action: str, *chosen: Transcript) -> str:
    """What the admin says after the action."""
    data = {"action": action, "_selected_action": [str(each.pk) for each in chosen]}
    return client.post(LIST, data, follow=True).content.decode()


def form_of(known: Transcript, **changes: str) -> dict[str, str]:
    """The change form as a browser sends it."""
    return {
        "title": known.title,
        "call_date": str(known.call_date or ""),
        "sector": known.sector,
        "moderator": known.moderator,
        "duration": known.duration,
        "participants": "\n".join(known.participants),
        "collection": str(known.collection_id),
        "published": "on",
        "store_files-TOTAL_FORMS": "0",
        "store_files-INITIAL_FORMS": "0",
        **changes,
    }


def test_the_list_has_badges_and_filters(three: None, curator: Client, settings: Settings) -> None:
    settings.VECTOR_STORE_ID = "vs_1"
    failed = transcript("Airline")
    VectorStoreFile.objects.create(
        transcript=failed, store_id="vs_1", status="failed", error="The file was too large."
    )
    Transcript.objects.filter(slug="handler-notes").update(published=False)
    html = text(curator, LIST)
    for badge in ("badge-published", "badge-unpublished", "badge-failed", "badge-missing"):
        assert badge in html
    assert "The file was too large." in html
    for query, count in (
        ("sync=failed", 1),
        ("sync=missing", 2),
        ("sync=completed", 0),
        ("published__exact=0", 1),
        ("sector=Travel+-+Lodging", 1),
        ("call_date__year=2026&call_date__month=3", 1),
        (f"collection__id__exact={Collection.default().pk}", 3),
        ("q=wheelchair", 1),
    ):
        assert text(curator, f"{LIST}?{query}").count("field-publication") == count, query


def test_without_a_vector_store_the_list_says_searched_locally(three: None, curator: Client) -> None:
    html = text(curator, LIST)
    assert html.count("searched locally") == 3
    assert "By sync" not in html


def test_unpublishing_and_publishing_are_actions(three: None, curator: Client) -> None:
    chosen = list(Transcript.objects.all())
    assert "Unpublished 3 transcripts." in act(curator, "unpublish", *chosen)
    assert not Transcript.objects.filter(published=True).exists()
    assert "Published 1 transcript." in act(curator, "publish", chosen[0])
    assert Transcript.objects.get(published=True) == chosen[0]
    assert "Unpublish</strong> by" in text(curator, f"{LIST}{chosen[1].pk}/history/")


def test_a_correction_is_found_and_outlives_a_reload(three: None, curator: Client, load_folder: Load) -> None:
    known = transcript("Airline")
    page = f"{LIST}{known.pk}/change/"
    answer = curator.post(page, form_of(known, title="Seats up front", participants="Ann\n\n Bob "))
    assert answer.status_code == 302
    load_folder({"2026-02-11_Premium_Demand_Airline.txt": AIRLINE.replace("Airlines", "Rail")})
    known.refresh_from_db()
    assert (known.title, known.participants, known.sector) == (
        "Seats up front",
        ["Ann", "Bob"],
        "Travel - Rail",
    )
    assert known.corrected == ["participants", "title"]
    assert [hit.transcript_id for hit in local.search_database("seats up front", limit=1)] == [known.pk]
    assert "participants, title (kept when the file is loaded again)" in text(curator, page)


def test_what_cannot_be_seen_does_not_come_in_by_the_form(three: None, curator: Client) -> None:
    known = transcript("Airline")
    facts = {"title": "Se\u202eats\u200b ", "sector": "\U000e0041", "participants": "An\u00adn\n\u200b\n"}
    typed = form_of(known, **facts)
    assert curator.post(f"{LIST}{known.pk}/change/", typed).status_code == 302
    known.refresh_from_db()
    assert (known.title, known.sector, known.participants) == ("Seats", "", ["Ann"])


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("title", "\u200b", "This has no visible characters."),
        ("title", "x" * 301, "at most 300 characters"),
        ("title", "a\0b", "Null characters are not allowed."),
        ("participants", "a\0b", "Null characters are not allowed."),
        ("participants", "Ann\n" * 6_000, "at most 20000 characters"),
        ("call_date", "2026-02-30", "Enter a valid date."),
        ("collection", "99999999999999999999", "Select a valid choice."),
    ],
)
def test_what_no_call_can_be_called_is_refused_in_the_form(
    three: None, curator: Client, field: str, typed: str, told: str
) -> None:
    known = transcript("Airline")
    page = curator.post(f"{LIST}{known.pk}/change/", form_of(known, **{field: typed})).content.decode()
    assert told in page
    assert transcript("Airline").corrected == []


def test_saving_without_a_change_corrects_nothing(three: None, curator: Client) -> None:
    known = transcript("Airline")
    assert curator.post(f"{LIST}{known.pk}/change/", form_of(known)).status_code == 302
    known.refresh_from_db()
    assert known.corrected == []


def test_corrections_can_be_dropped(three: None, curator: Client) -> None:
    known = transcript("Airline")
    curator.post(f"{LIST}{known.pk}/change/", form_of(known, title="Wrong", sector="Wrong"))
    assert "Restored the facts of 1 transcript from the file." in act(curator, "restore_file_values", known)
    known.refresh_from_db()
    assert (known.title, known.sector, known.corrected) == ("Premium Demand Airline", "Travel - Airlines", [])
    assert local.search_database("wrong", limit=5) == []


def test_the_turns_can_be_read_published_or_not(three: None, curator: Client) -> None:
    known = transcript("Airline")
    Transcript.objects.update(published=False)
    assert f'href="{LIST}{known.pk}/read/"' in text(curator, f"{LIST}{known.pk}/change/")
    html = text(curator, f"{LIST}{known.pk}/read/")
    assert "Stronger than the headlines say." in html
    assert "This transcript is unpublished" in html
    assert curator.get(f"{LIST}999999/read/").status_code == 404


def test_reading_needs_the_right(three: None) -> None:
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_user("dave", is_staff=True))
    assert client.get(f"{LIST}{transcript('Airline').pk}/read/").status_code == 403
    assert client.get(LIST).status_code == 403


def test_who_may_only_view_has_no_actions_that_change(three: None) -> None:
    user = User.objects.create_user("erin", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_transcript"))
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    act(client, "unpublish", *Transcript.objects.all())
    assert Transcript.objects.filter(published=True).count() == 3


def test_syncing_again_mends_what_failed(
    three: None, curator: Client, server: LoopbackOpenAI, settings: Settings
) -> None:
    server.fail("POST", r"/vector_stores/\w+/files", status=400, message="It is no text.", times=3)
    settings.VECTOR_STORE_ID = sync().store_id
    assert text(curator, LIST).count("It is no text.") == 3
    known = transcript("Airline")
    assert "Synced 1 transcript; 0 were up to date." in act(curator, "sync_again", known)
    assert known.store_files.get().status == "completed"
    assert "badge-completed" in text(curator, f"{LIST}{known.pk}/change/")


def test_a_sync_that_fails_again_says_why(
    three: None, curator: Client, server: LoopbackOpenAI, settings: Settings
) -> None:
    settings.VECTOR_STORE_ID = sync().store_id
    settings.OPENAI_API_KEY = "sk-wrong"
    html = act(curator, "sync_again", transcript("Airline"))
    assert "The sync stopped:" in html
    assert "sk-wrong" not in html


def test_without_a_vector_store_syncing_tells_what_to_do(three: None, curator: Client) -> None:
    assert "This site searches transcripts in its own database." in act(
        curator, "sync_again", transcript("Airline")
    )


def test_collections_tell_who_reads_them(three: None, curator: Client) -> None:
    html = text(curator, "/admin/transcripts/collection/")
    assert "everybody who may read transcripts" in html


def test_only_what_is_published_links_to_its_page(three: None, curator: Client) -> None:
    known = transcript("Airline")
    link = f'href="{known.get_absolute_url()}"'
    assert link in text(curator, f"{LIST}{known.pk}/change/")
    Transcript.objects.update(published=False)
    assert link not in text(curator, f"{LIST}{known.pk}/change/")


# Deleting


def delete_selected(client: Client, *chosen: Transcript, **data: str) -> str:
    """The page that comes of the action, for these transcripts."""
    data = {"action": "delete_selected", **data}
    pks = [str(each.pk) for each in chosen]
    return client.post(LIST, {"_selected_action": pks, **data}, follow=True).content.decode()


def test_a_transcript_is_deleted_with_its_turns_and_its_index(three: None, curator: Client) -> None:
    known = transcript("Airline")
    page = text(curator, f"{LIST}{known.pk}/delete/")
    assert "Premium Demand Airline (2026-02-11_Premium_Demand_Airline.txt)" in page
    assert re.search(r"turns\s*:?\s*4", strip_tags(page), re.IGNORECASE)
    assert "Files of a data folder stay in it" in page
    curator.post(f"{LIST}{known.pk}/delete/", {"post": "yes"})
    assert not Transcript.objects.filter(pk=known.pk).exists()
    assert local.search_database("hedging", limit=5) == []
    change = Change.objects.get(action="delete")
    assert (change.author, change.changed.get().label) == ("carol", "Premium Demand Airline")


def test_several_transcripts_are_deleted_as_one_action(three: None, curator: Client) -> None:
    chosen = [transcript("Airline"), transcript("Hotel")]
    assert "Premium Demand Airline" in delete_selected(curator, *chosen)
    assert Transcript.objects.count() == 3
    assert "Successfully deleted 2 transcripts." in delete_selected(curator, *chosen, post="yes")
    assert Transcript.objects.get() == transcript("Notes")
    assert Change.objects.get(action="delete").size == 2


def test_what_was_corrected_is_told_before_it_is_lost(three: None, curator: Client) -> None:
    known = transcript("Airline")
    curator.post(f"{LIST}{known.pk}/change/", form_of(known, title="Seats up front"))
    assert "its corrections are lost: title" in text(curator, f"{LIST}{known.pk}/delete/")


def test_a_limited_transcript_that_was_deleted_comes_back_for_its_groups_alone(
    three: None, curator: Client, load_folder: Load
) -> None:
    board = Collection.objects.create(name="Board", slug="board")
    board.groups.add(Group.objects.create(name="directors"))
    known = transcript("Airline")
    Transcript.objects.filter(pk=known.pk).update(collection=board)
    assert "if the file is loaded again, only directors may read it" in text(
        curator, f"{LIST}{known.pk}/delete/"
    )
    curator.post(f"{LIST}{known.pk}/delete/", {"post": "yes"})
    load_folder()
    assert transcript("Airline").collection == board
    assert transcript("Airline").published


def test_deleting_needs_the_permission(three: None) -> None:
    user = User.objects.create_user("erin", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_transcript", "change_transcript"])
    )
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    assert client.post(f"{LIST}{transcript('Airline').pk}/delete/", {"post": "yes"}).status_code == 403
    delete_selected(client, transcript("Hotel"), post="yes")
    assert Transcript.objects.count() == 3
