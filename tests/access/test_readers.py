"""What the group `readers` is given by `migrate`, and what it is not given again."""

import importlib

import pytest
from django.apps import AppConfig, apps
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command

from mcpsite.access import readers
from mcpsite.access.models import DefaultGrant
from mcpsite.access.readers import READERS, grant_new_permissions, published

pytestmark = pytest.mark.django_db


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> AppConfig:
    """An app that publishes reports and forecasts, on a database where nothing has been granted yet."""
    monkeypatch.setattr(readers, "_sources", [lambda: ["published.view_report", "published.view_forecast"]])
    Group.objects.all().delete()
    DefaultGrant.objects.all().delete()
    model("report")
    model("draft")
    return AppConfig("tests.access.published", importlib.import_module("tests.access.published"))


def model(name: str) -> None:
    """The permissions that Django makes for a model of the app."""
    content_type = ContentType.objects.create(app_label="published", model=name)
    for action in ("add", "change", "delete", "view"):
        Permission.objects.create(content_type=content_type, codename=f"{action}_{name}", name=action)


def granted() -> set[str]:
    return set(Permission.objects.filter(group__name=READERS).values_list("codename", flat=True))


def migrate(app: AppConfig) -> None:
    grant_new_permissions(app, using="default")


def test_readers_may_view_what_tools_need_and_no_more(app: AppConfig) -> None:
    migrate(app)
    assert granted() == {"view_report"}


def test_what_the_installed_data_apps_publish_is_readable_after_migrate() -> None:
    call_command("migrate", verbosity=0)
    assert granted() == {"view_farerow", "view_hotelrate", "view_transcript"}


@pytest.mark.parametrize("label", ["auth", "admin", "access", "sessions"])
def test_an_app_without_tools_publishes_nothing(label: str) -> None:
    assert published(apps.get_app_config(label)) == set()


def test_a_permission_that_was_taken_away_is_not_given_back(app: AppConfig) -> None:
    migrate(app)
    Group.objects.get(name=READERS).permissions.clear()
    migrate(app)
    assert granted() == set()


def test_a_new_model_is_readable_after_the_next_migrate(app: AppConfig) -> None:
    migrate(app)
    Group.objects.get(name=READERS).permissions.clear()
    model("forecast")
    migrate(app)
    assert granted() == {"view_forecast"}


def test_a_group_that_was_deleted_is_not_made_again(app: AppConfig) -> None:
    migrate(app)
    Group.objects.all().delete()
    model("forecast")
    migrate(app)
    assert not Group.objects.exists()


def test_what_an_operator_added_to_the_group_stays(app: AppConfig) -> None:
    migrate(app)
    Group.objects.get(name=READERS).permissions.add(Permission.objects.get(codename="change_report"))
    migrate(app)
    assert granted() == {"view_report", "change_report"}
