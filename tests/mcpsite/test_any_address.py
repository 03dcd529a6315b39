"""Whatever stands in an address of the admin, its pages answer: with an empty list or "not found"."""

from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from airfare.models import FareRow
from mcpsite.access.audit import write_events
from mcpsite.access.models import AuditEvent
from mcpsite.datasets.files import find
from mcpsite.datasets.models import SourceFile
from mcpsite.history.models import Change
from tests.access.test_audit import event
from tests.airfare.conftest import fare, table
from tests.airfare.fares import load

pytestmark = [
    pytest.mark.django_db,
    # Django says so of each day without a time that a filter names.
    pytest.mark.filterwarnings("ignore:DateTimeField"),
]

LISTS = list(admin.site._registry)
MEANINGLESS = ("\0", "99999999999999999999", "99999-01-01", "1,99999999999999999999", "")
HOSTILE = tuple(map(quote, (*MEANINGLESS[:4], "abc", "1e999", "2026-02-30", "[", "\u202e'", "x" * 6_000)))
HOSTILE += ("%ED%A0%80", "%FF", "")
"""As they stand in an address; among them half of a surrogate pair and what is no UTF-8."""
LOOKUPS = ("__id__exact", "__gte", "__in", "__isnull", "__range", "__year", "__contains", "__iregex", "__x")
"""Those that Django knows are served to whoever may see the list, whether the list offers them or not."""


def address(model: type[Model], page: str = "changelist") -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}")


def fields(model: type[Model]) -> list[str]:
    """Return what the list of `model` is filtered by, and its first column."""
    model_admin = admin.site.get_model_admin(model)
    names = {model._meta.pk.name, model_admin.date_hierarchy or "pk"}
    for each in model_admin.list_filter:
        field = each[0] if isinstance(each, tuple) else each
        names.add(field if isinstance(field, str) else str(getattr(field, "parameter_name", "")))
    return sorted(names)


def asked_of(model: type[Model]) -> Iterator[str]:
    """Yield addresses of the list of `model`: each field by a few of the lookups, each with another value."""
    values, lookups = cycle(HOSTILE), cycle(LOOKUPS)
    for name in fields(model):
        for lookup in ("", *islice(lookups, 3)):
            yield f"{name}{lookup}={next(values)}"
    for name in ("q", "o", "p"):
        yield from (f"{name}=%00", f"{name}=99999999999999999999")


@pytest.fixture
def client(tmp_path: Path, admin_client: Client) -> Client:
    (tmp_path / "a.csv").write_text(table(fare("2026-01-05"), fare("2026-02-05", airline="Delta")))
    list(load(find([tmp_path / "a.csv"])))
    write_events([event()])
    admin_client.raise_request_exception = False
    return admin_client


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model.__name__)
def test_no_parameter_of_a_list_makes_it_fail(model: type[Model], client: Client) -> None:
    answers = {asked: client.get(f"{address(model)}?{asked}").status_code for asked in asked_of(model)}
    assert [asked[:80] for asked, status in answers.items() if status not in (200, 302, 400)] == []


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model.__name__)
def test_no_key_makes_a_page_of_an_object_fail(model: type[Model], client: Client) -> None:
    keys = cycle(("%00", "99999999999999999999", "x", "%ED%A0%80"))
    for page in ("change", "history", "delete"):
        for key in islice(keys, 3):
            asked = f"{address(model)}{key}/{page}/"
            assert client.get(asked).status_code in (302, 403, 404), asked


@pytest.mark.parametrize("parameter", ["airline=%00", "load__file__id__exact=99999999999999999999"])
def test_a_filter_that_cannot_be_meant_lists_nothing(client: Client, parameter: str) -> None:
    assert client.get(f"{address(FareRow)}?{parameter}").context["cl"].result_count == 0


def test_an_empty_list_says_that_its_filter_cannot_be_meant(client: Client) -> None:
    response = client.get(f"{address(AuditEvent)}?time__year=99999999999999999999")
    assert response.context["cl"].result_count == 0
    assert "an invalid value" in response.content.decode()


def test_the_list_is_whole_again_without_the_filter(client: Client) -> None:
    client.get(f"{address(FareRow)}?load__file__id__exact=99999999999999999999")
    assert client.get(address(FareRow)).context["cl"].result_count == 2


@pytest.mark.parametrize("parameter", ["airline=%00", "selected=99999999999999999999", "selected=a,b"])
def test_an_export_of_what_cannot_be_meant_leads_back_to_the_list(client: Client, parameter: str) -> None:
    form = {"format": "0", "resource": "0", "fareRowColumns_id": "on"}
    response = client.post(f"{address(FareRow, 'export')}?{parameter}", form)
    assert response.status_code in (200, 302)
    assert client.get(f"{address(FareRow, 'export')}?{parameter}").status_code in (200, 302)


@pytest.mark.parametrize("term", MEANINGLESS)
def test_suggestions_for_what_cannot_be_meant_do_not_fail(client: Client, term: str) -> None:
    asked = {"app_label": "datasets", "model_name": "load", "field_name": "file", "term": term}
    response = client.get(reverse("admin:autocomplete"), asked)
    assert response.status_code == 200
    assert SourceFile.objects.exists()


@pytest.mark.parametrize(
    "path", ["of/99999999999999999999/1/", "of/1/99999999999999999999/", "99999999999999999999/revert/"]
)
def test_pages_of_the_history_that_are_not_there_are_not_found(client: Client, path: str) -> None:
    assert client.get(f"{address(Change)}{path}").status_code == 404
