"""What keeps an unsafe server from starting."""

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from pytest_django import Settings

from mcpsite.access.oauth import conf


def check() -> None:
    call_command("check", databases=["default"])


@pytest.mark.django_db
@pytest.mark.parametrize("password", ["admin", "password", "demo", "root"])
def test_a_public_server_with_a_demo_password_is_refused(settings: Settings, password: str) -> None:
    settings.PUBLIC = True
    User.objects.create_superuser("root", "", password)
    with pytest.raises(SystemCheckError, match="changepassword root"):
        check()


@pytest.mark.django_db
def test_a_good_password_and_ones_own_machine_are_fine(settings: Settings) -> None:
    User.objects.create_superuser("root", "", "demo")
    check()
    settings.PUBLIC = True
    User.objects.filter(username="root").update(is_active=False)
    User.objects.create_superuser("admin", "", "thoroughly-unguessable")
    check()


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"access_token_seconds": 30 * 24 * 3600 + 1}, "JWT_MAX_LIFETIME_SECONDS"),
        ({"access_token_seconds": 0}, "OAUTH_ACCESS_TOKEN_SECONDS"),
        ({"refresh_token_seconds": 0}, "OAUTH_REFRESH_TOKEN_SECONDS"),
        ({"algorithms": ["ES256"]}, "RS256"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_with_the_remedy(
    changes: dict[str, object], remedy: str
) -> None:
    good = {
        "access_token_seconds": 3600,
        "refresh_token_seconds": 3600,
        "longest": 30 * 24 * 3600,
        "algorithms": ["RS256"],
    }
    conf.toolkit_setting("http://localhost:8788", **good)  # type: ignore[arg-type]
    with pytest.raises(ImproperlyConfigured, match=remedy):
        conf.toolkit_setting("http://localhost:8788", **good | changes)  # type: ignore[arg-type]
