"""Alice and Bob have the same row open at the same time."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from airfare.models import FareRow
from mcpsite.history.models import Change
from tests.airfare.conftest import Load, fare, folder, load_folder, table
from tests.airfare.fares import event_of
from tests.history.test_admin import call, staff
from transcripts.models import Transcript

__all__ = ["call", "folder", "load_folder"]

pytestmark = pytest.mark.django_db

LIST = "/admin/airfare/farerow/"


class Open:
    """A page with a form that somebody has open: what its inputs hold, as a browser sends them."""

    def __init__(self, user: User, url: str) -> None:
        self.client, self.url = Client(), url
        self.client.force_login(user)
        self._show(self.client.get(url))

    def _show(self, response: Any) -> None:
        self.page = response.content.decode()
        context = response.context
        forms = context["cl"].formset.forms if "cl" in context else [context["adminform"].form]
        self.inputs: dict[str, Any] = {}
        for form in forms:
            for bound in form:
                value = bound.value()
                if value not in (None, False):
                    self.inputs[bound.html_name] = value
                if bound.field.show_hidden_initial:
                    hidden = re.search(r'value="([^"]*)"', bound.as_hidden(only_initial=True))
                    self.inputs[bound.html_initial_name] = hidden[1] if hidden else ""

    def save(self, **values: str) -> bool:
        """Change some inputs and press Save; whether that was accepted."""
        more = {"_save": "Save", "form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1"}
        inlines = {"store_files-TOTAL_FORMS": "0", "store_files-INITIAL_FORMS": "0"}
        response = self.client.post(self.url, {**inlines, **more, **self.inputs, **values})
        if response.status_code == 200:
            self._show(response)
        return response.status_code == 302


@pytest.fixture
def alice() -> User:
    return staff("alice", "view_farerow", "change_farerow", "view_transcript", "change_transcript")


@pytest.fixture
def bob() -> User:
    return staff("bob", "view_farerow", "change_farerow", "view_transcript", "change_transcript")


@pytest.fixture
def url(load_folder: Load) -> str:
    load_folder({"a.csv": table(fare(fare=1, note="Snow"))})
    return reverse("admin:airfare_farerow_change", args=[FareRow.objects.get().key])


def test_the_second_save_of_the_same_field_is_told_and_keeps_its_value(
    alice: User, bob: User, url: str
) -> None:
    first, second = Open(alice, url), Open(bob, url)
    assert first.save(avg_fare_usd="7")
    assert not second.save(avg_fare_usd="8")
    assert "alice changed this to “7.0” while you were editing" in second.page
    assert second.inputs["avg_fare_usd"] == "8"
    assert FareRow.objects.get().avg_fare_usd == 7
    assert second.save()
    assert FareRow.objects.get().avg_fare_usd == 8


def test_different_fields_of_two_people_both_stay(alice: User, bob: User, url: str) -> None:
    first, second = Open(alice, url), Open(bob, url)
    assert first.save(avg_fare_usd="7", notable_event="Ice\r\nand snow")
    assert second.save(load_factor_pct="80")
    row = FareRow.objects.get()
    assert (row.avg_fare_usd, row.load_factor_pct, event_of(row)) == (7, 80, "Ice\nand snow")
    last = Change.objects.first()
    assert last is not None
    assert set(last.changed.get().values or {}) == {"load_factor_pct", "edited"}


def test_the_same_value_of_two_people_is_no_conflict(alice: User, bob: User, url: str) -> None:
    first, second = Open(alice, url), Open(bob, url)
    assert first.save(hidden="on", avg_fare_usd="7")
    assert second.save(hidden="on", avg_fare_usd="7")


def test_the_list_tells_the_second_one_too(alice: User, bob: User, url: str) -> None:
    first, second = Open(alice, LIST), Open(bob, LIST)
    assert first.save(**{"form-0-avg_fare_usd": "7"})
    assert not second.save(**{"form-0-avg_fare_usd": "8"})
    assert "alice changed this to “7.0” while you were editing" in second.page
    assert FareRow.objects.get().avg_fare_usd == 7
    assert second.save()
    assert FareRow.objects.get().avg_fare_usd == 8


def test_a_list_that_was_open_while_its_file_was_loaded_is_saved(
    alice: User, load_folder: Load, url: str
) -> None:
    page = Open(alice, LIST)
    load_folder({"a.csv": table(fare(airline="Added"), fare(fare=1, note="Ice"))})
    assert page.save(**{"form-0-load_factor_pct": "7"})
    assert FareRow.objects.get(airline="Delta").load_factor_pct == 7


def test_a_list_with_a_row_that_is_gone_is_refused_with_a_sentence(
    alice: User, load_folder: Load, url: str
) -> None:
    page = Open(alice, LIST)
    load_folder({"a.csv": table(fare(airline="Added"))})
    assert not page.save(**{"form-0-load_factor_pct": "7"})
    assert "A row on this page no longer exists, so nothing was saved" in page.page


def test_a_transcripts_facts_of_two_people_both_stay(alice: User, bob: User, call: Transcript) -> None:
    url = reverse("admin:transcripts_transcript_change", args=[call.pk])
    first, second = Open(alice, url), Open(bob, url)
    assert first.save(title="Doors", participants="Ann\r\nBen")
    assert second.save(sector="Rail")
    call.refresh_from_db()
    assert (call.title, call.sector, call.participants) == ("Doors", "Rail", ["Ann", "Ben"])
    third, fourth = Open(alice, url), Open(bob, url)
    assert third.save(title="Gates")
    assert not fourth.save(title="Windows")
