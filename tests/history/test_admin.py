"""The history as a curator sees it in the admin, and the way back."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from airfare.models import FareRow
from mcpsite.datasets import curation
from mcpsite.datasets.models import Edit, SourceFile
from mcpsite.history import kinds
from mcpsite.history.models import Change
from tests.airfare.conftest import Load, fare, folder, load_folder, table
from tests.airfare.fares import DATA_SET, counted, counted_by_hand, event_of
from transcripts.models import Collection, Transcript

__all__ = ["folder", "load_folder"]

pytestmark = pytest.mark.django_db

CHANGES = "/admin/history/change/"


def staff(name: str, *permissions: str) -> User:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


@pytest.fixture
def alice(client: Client) -> User:
    """May change fare rows and transcripts."""
    user = staff(
        "alice",
        *("view_farerow", "change_farerow", "delete_farerow", "view_transcript", "change_transcript"),
        *("view_collection", "change_collection"),
    )
    client.force_login(user)
    return user


@pytest.fixture
def rows(load_folder: Load) -> None:
    fares = [fare(fare=1), fare(fare=2, airline="United"), fare(fare=3, airline="Breeze")]
    load_folder({"a.csv": table(*fares)})
    Change.objects.all().delete()


def row(airline: str) -> FareRow:
    found: FareRow = FareRow.objects.get(airline=airline)
    return found


def history(client: Client, pk: int, model: str = "airfare_farerow") -> str:
    response = client.get(reverse(f"admin:{model}_history", args=[pk]))
    assert response.status_code == 200
    return text(response)


def text(response: Any) -> str:
    """A page's words."""
    content = response.content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", content[content.index('id="content-main"') :]))


def revert(client: Client, change: Change, *, one: bool = False, reason: str = "") -> str:
    """Confirm a revert; the page that follows."""
    url = reverse("admin:history_change_revert", args=[change.pk])
    if one:
        url += f"?object={change.changed.get().pk}"
    page = client.get(url)
    assert page.status_code == 200
    return client.post(
        url, {"seen": page.context["plan"].seen, "reason": reason}, follow=True
    ).content.decode()


def test_a_row_tells_who_changed_what(client: Client, alice: User, rows: None) -> None:
    curation.edit(row("Delta"), {"avg_fare_usd": 7.0}, alice, reason="a typing error")
    page = history(client, row("Delta").key)
    assert "Edit by alice" in page
    assert "a typing error" in page
    assert "Average fare (USD) 1 7" in page
    assert "Edited" not in page
    assert "Revert…" in page


def test_an_edit_is_reverted_to_what_it_was(client: Client, alice: User, rows: None) -> None:
    curation.edit(row("Delta"), {"avg_fare_usd": 7.0, "airline": "Delta Air Lines"}, alice)
    page = revert(client, Change.objects.get(), one=True, reason="it was right")
    assert "1 object was reverted." in page
    assert row("Delta").avg_fare_usd == 1
    assert not Edit.objects.edited().exists()
    last = Change.objects.first()
    assert last is not None
    assert (last.action, last.username, last.reason, last.reverts) == (
        "revert",
        "alice",
        "it was right",
        Change.objects.last(),
    )
    assert "Revert by alice" in history(client, row("Delta").key)
    assert counted() == counted_by_hand()


def test_a_revert_can_be_reverted(client: Client, alice: User, rows: None) -> None:
    curation.edit(row("Delta"), {"avg_fare_usd": 7.0}, alice)
    revert(client, Change.objects.get())
    revert(client, Change.objects.get(action="revert"))
    assert row("Delta").avg_fare_usd == 7
    assert row("Delta").file_values == {"avg_fare_usd": 1.0}


def test_the_second_of_two_edits_is_reverted_to_the_first(client: Client, alice: User, rows: None) -> None:
    curation.edit(row("Delta"), {"avg_fare_usd": 7.0}, alice)
    curation.edit(row("Delta"), {"avg_fare_usd": 8.0}, alice)
    second = Change.objects.first()
    assert second is not None
    revert(client, second)
    assert row("Delta").avg_fare_usd == 7
    assert row("Delta").file_values == {"avg_fare_usd": 1.0}


def test_a_revert_says_that_the_row_was_changed_since(client: Client, alice: User, rows: None) -> None:
    curation.edit(row("Delta"), {"avg_fare_usd": 7.0}, alice)
    first = Change.objects.get()
    curation.edit(row("Delta"), {"avg_fare_usd": 8.0}, alice)
    page = text(client.get(reverse("admin:history_change_revert", args=[first.pk])))
    assert "It has changed since" in page
    assert "8 changed since 1" in page
    revert(client, first)
    assert row("Delta").avg_fare_usd == 1


def test_nothing_is_reverted_that_changed_after_the_page_was_shown(
    client: Client, alice: User, rows: None
) -> None:
    curation.edit(row("Delta"), {"avg_fare_usd": 7.0}, alice)
    url = reverse("admin:history_change_revert", args=[Change.objects.get().pk])
    seen = client.get(url).context["plan"].seen
    curation.edit(row("Delta"), {"avg_fare_usd": 8.0}, alice)
    page = client.post(url, {"seen": seen}).content.decode()
    assert "something has changed since this page was loaded" in page
    assert row("Delta").avg_fare_usd == 8


def test_after_a_reload_a_revert_gives_the_files_new_value(
    client: Client, alice: User, rows: None, load_folder: Load
) -> None:
    curation.edit(row("Delta"), {"avg_fare_usd": 7.0}, alice)
    load_folder({"a.csv": table(fare(fare=5))})
    change = Change.objects.get(action="edit")
    page = text(client.get(reverse("admin:history_change_revert", args=[change.pk])))
    assert "7 5 the file’s value; before a reload it was 1" in page
    revert(client, change)
    assert row("Delta").avg_fare_usd == 5
    assert not Edit.objects.edited().exists()


def remember(row: FareRow | Transcript, **before: Any) -> Change:
    """Let the history say that `row` held these values before, as older versions loaded them."""
    change = Change.objects.create(
        content_type=ContentType.objects.get_for_model(row), action="edit", username="alice", size=1
    )
    values = {name: [value, getattr(row, name)] for name, value in before.items()}
    change.changed.create(object_id=kinds.identity_of(row), label=str(row), values=values)
    return change


def test_a_revert_brings_back_nothing_that_no_file_may_hold(client: Client, alice: User, rows: None) -> None:
    kept = row("Delta")
    before = {"avg_fare_usd": 5e200, "notable_event": "Fuel\u202e\U000e0041", "airline": "Del\u200bta 2"}
    assert "1 object was reverted." in revert(client, remember(kept, **before))
    kept = FareRow.objects.get(key=kept.key)
    assert (kept.avg_fare_usd, event_of(kept), kept.airline) == (None, "Fuel", "Delta 2")


def test_a_revert_to_a_text_that_no_index_takes_is_refused(client: Client, alice: User, rows: None) -> None:
    page = revert(client, remember(row("Delta"), airline="x" * 5_000))
    assert "Nothing was reverted: airline has 5,000 characters, but at most 200 are possible." in page
    assert row("Delta").avg_fare_usd == 1


def test_a_row_that_is_gone_is_remembered(client: Client, alice: User, rows: None, load_folder: Load) -> None:
    key = row("Delta").key
    curation.edit(row("Delta"), {"avg_fare_usd": 7.0}, alice)
    load_folder({"a.csv": table(fare(fare=5, airline="United"))})
    assert "Vanished no yes" in history(client, key)
    client.post(reverse("admin:airfare_farerow_delete", args=[key]), {"post": "yes"})
    page = history(client, key)
    assert "This object no longer exists" in page
    assert "Delete by alice" in page
    assert "Revert…" not in page
    change = Change.objects.get(action="edit")
    assert "no longer exists" in text(client.get(reverse("admin:history_change_revert", args=[change.pk])))


def test_a_bulk_action_is_one_change_and_reverted_as_a_whole(client: Client, alice: User, rows: None) -> None:
    client.post(
        "/admin/airfare/farerow/",
        {"action": "hide", "_selected_action": [r.key for r in FareRow.objects.all()]},
    )
    change = Change.objects.get()
    assert "3 objects" in client.get(CHANGES).content.decode()
    page = text(client.get(reverse("admin:history_change_change", args=[change.pk])))
    assert "Hidden no yes" in page
    assert "3 fare rows" in page
    assert "3 objects were reverted." in revert(client, change)
    assert not FareRow.objects.filter(hidden=True).exists()
    assert counted() == counted_by_hand()


def test_what_was_changed_since_stays_when_a_bulk_action_is_reverted(
    client: Client, alice: User, rows: None
) -> None:
    curation.edit_each(DATA_SET, [(each.key, {"avg_fare_usd": 9.0}) for each in FareRow.objects.all()], alice)
    change = Change.objects.get()
    curation.edit(row("United"), {"avg_fare_usd": 10.0}, alice)
    page = revert(client, change)
    assert "2 objects were reverted. Not reverted, because of later changes: 1." in page
    assert (row("Delta").avg_fare_usd, row("United").avg_fare_usd, row("Breeze").avg_fare_usd) == (1, 10, 3)


def test_one_row_of_a_bulk_action_is_reverted_alone(client: Client, alice: User, rows: None) -> None:
    curation.hide(FareRow.objects.all(), by=alice)
    change = Change.objects.get()
    one = change.changed.get(object_id=row("Delta").key)
    url = f"{reverse('admin:history_change_revert', args=[change.pk])}?object={one.pk}"
    client.post(url, {"seen": client.get(url).context["plan"].seen})
    assert list(FareRow.objects.filter(hidden=False)) == [row("Delta")]


def test_the_changes_are_filtered(client: Client, alice: User, rows: None) -> None:
    bob = staff("bob")
    curation.hide(FareRow.objects.filter(airline="Delta"), by=alice)
    curation.edit(row("United"), {"avg_fare_usd": 9.0}, bob)
    kind = ContentType.objects.get_for_model(FareRow).pk
    for query, expected in {
        "": 2,
        "?action__exact=hide": 1,
        f"?user__id__exact={bob.pk}": 1,
        f"?content_type__id__exact={kind}": 2,
        "?q=United": 1,
        "?q=nobody": 0,
        "?time__year=1999": 0,
    }.items():
        assert client.get(CHANGES + query).context["cl"].result_count == expected, query


def test_what_a_load_did_is_told_and_not_reverted(client: Client, load_folder: Load) -> None:
    client.force_login(User.objects.create_superuser("root"))
    load_folder({"a.csv": table(fare(fare=1))}, groups=[Group.objects.create(name="directors")])
    change = Change.objects.get()
    page = text(client.get(reverse("admin:history_change_change", args=[change.pk])))
    assert "Load by alice with load_airfare" in page
    assert "Groups – directors" in page
    assert "Revert" not in page
    assert client.post(reverse("admin:history_change_revert", args=[change.pk])).status_code == 403


# Who may


def test_who_may_only_look_sees_the_history_and_reverts_nothing(client: Client, rows: None) -> None:
    curation.edit(row("Delta"), {"avg_fare_usd": 7.0}, None)
    client.force_login(staff("reader", "view_farerow"))
    page = history(client, row("Delta").key)
    assert "Edit by unknown" in page
    assert "Revert…" not in page
    url = reverse("admin:history_change_revert", args=[Change.objects.get().pk])
    assert client.get(url).status_code == 403
    assert client.post(url).status_code == 403
    assert row("Delta").avg_fare_usd == 7


def test_who_may_not_see_the_object_sees_nothing_of_its_history(client: Client, rows: None) -> None:
    curation.edit(row("Delta"), {"avg_fare_usd": 7.0}, None)
    change = Change.objects.get()
    client.force_login(staff("charlie", "view_transcript"))
    assert client.get(CHANGES).context["cl"].result_count == 0
    kind = ContentType.objects.get_for_model(FareRow).pk
    for url in (
        reverse("admin:airfare_farerow_history", args=[row("Delta").key]),
        reverse("admin:history_change_of", args=[kind, row("Delta").key]),
        reverse("admin:history_change_change", args=[change.pk]),
        reverse("admin:history_change_revert", args=[change.pk]),
    ):
        assert client.get(url).status_code == 403, url


def test_who_sees_no_recorded_model_has_no_list(client: Client) -> None:
    client.force_login(staff("nobody"))
    assert client.get(CHANGES).status_code == 403


# Transcripts, collections, people


@pytest.fixture
def call() -> Transcript:
    said = "---\nModerator: Ann\n---\n\n[00:00] Ann: Hello.\n"
    return Transcript.objects.create(
        slug="gates",
        title="gates",
        text=said,
        digest="x",
        source_file="gates.txt",
        collection=Collection.default(),
    )


def save(client: Client, url: str, **values: Any) -> None:
    """Save the form at `url` with some other values."""
    form = client.get(url).context["adminform"].form
    data = {name: form[name].value() for name in form.fields}
    data = {name: value for name, value in {**data, **values}.items() if value not in (None, False)}
    inlines = {"store_files-TOTAL_FORMS": "0", "store_files-INITIAL_FORMS": "0"}
    response = client.post(url, {**inlines, **data})
    assert response.status_code == 302, response.context["errors"]


def test_a_transcripts_facts_and_collection_have_a_history_and_come_back(
    client: Client, alice: User, call: Transcript
) -> None:
    board = Collection.objects.create(name="Board", slug="board")
    url = reverse("admin:transcripts_transcript_change", args=[call.pk])
    save(client, url, title="Doors", collection=board.pk)
    page = history(client, call.pk, "transcripts_transcript")
    assert "Title gates Doors" in page
    assert "Collection Default Board" in page
    revert(client, Change.objects.get())
    call.refresh_from_db()
    assert (call.title, call.collection.name, call.corrected) == ("gates", "Default", [])
    assert "gates" in call.passages.get().text


def test_a_revert_brings_back_nothing_that_cannot_be_seen(
    client: Client, alice: User, call: Transcript
) -> None:
    revert(client, remember(call, title="Do\u202eors\U000e0041", participants=["An\u200bn"]))
    call.refresh_from_db()
    assert (call.title, call.participants) == ("Doors", ["Ann"])


def test_a_transcript_is_unpublished_and_published_again_by_a_revert(
    client: Client, alice: User, call: Transcript
) -> None:
    client.post(
        reverse("admin:transcripts_transcript_changelist"),
        {"action": "unpublish", "_selected_action": [call.pk]},
    )
    change = Change.objects.get()
    assert (change.action, change.username, change.values) == (
        "unpublish",
        "alice",
        {"published": [True, False]},
    )
    revert(client, change)
    call.refresh_from_db()
    assert call.published


def test_who_may_read_a_collection_has_a_history(client: Client, alice: User) -> None:
    board = Collection.objects.create(name="Board", slug="board")
    group = Group.objects.create(name="directors")
    save(client, reverse("admin:transcripts_collection_change", args=[board.pk]), groups=[group.pk])
    assert "Groups – directors" in history(client, board.pk, "transcripts_collection")
    revert(client, Change.objects.get())
    assert not board.groups.exists()


def test_who_may_read_a_file_has_a_history(client: Client, load_folder: Load) -> None:
    client.force_login(User.objects.create_superuser("root"))
    load_folder({"a.csv": table(fare())})
    source, group = SourceFile.objects.get(), Group.objects.create(name="directors")
    url = reverse("admin:datasets_sourcefile_change", args=[source.pk])
    for groups in ([group.pk], []):
        assert client.post(url, {"groups": groups}).status_code == 302
    opened, limited, _ = Change.objects.all()
    told = [change.changed.get().values for change in (limited, opened)]
    directors = [{"id": group.pk, "label": "directors"}]
    assert told == [{"groups": [[], directors]}, {"groups": [directors, []]}]
    assert "Groups directors –" in history(client, source.pk, "datasets_sourcefile")
    revert(client, opened)
    assert list(source.groups.all()) == [group]


def test_a_revert_says_what_is_no_longer_there(client: Client, alice: User, call: Transcript) -> None:
    gone = Collection.objects.create(name="Gone", slug="gone")
    Transcript.objects.update(collection=gone)
    url = reverse("admin:transcripts_transcript_change", args=[call.pk])
    save(client, url, collection=Collection.default().pk)
    gone.delete()
    page = revert(client, Change.objects.get(content_type__model="transcript"))
    assert "Nothing was reverted: The collection “Gone” no longer exists." in page


def test_who_became_staff_and_joined_a_group_is_remembered(client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    bob = User.objects.create_user("bob")
    group = Group.objects.create(name="directors")
    url = reverse("admin:auth_user_change", args=[bob.pk])
    when = {f"date_joined_{n}": v for n, v in enumerate(["2026-01-01", "00:00:00"])}
    data = {"username": "bob", "is_active": "on", "is_staff": "on", "groups": [group.pk], **when}
    assert client.post(url, data).status_code == 302
    page = history(client, bob.pk, "auth_user")
    assert "Staff status no yes" in page
    assert "Groups – directors" in page
    assert "Revert…" not in page


def test_a_list_of_changes_asks_the_database_no_more_for_many(
    client: Client, alice: User, rows: None
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(CHANGES).status_code == 200
        return len(captured)

    curation.edit(row("United"), {"avg_fare_usd": 100.0}, by=alice)
    of_one = statements()
    for number in range(5):
        curation.edit(row("United"), {"avg_fare_usd": 200.0 + number}, by=alice)
    assert statements() == of_one
