"""Settings that contradict each other: each check is produced by the settings that it is about."""

from pathlib import Path
from typing import Any

import pytest
from django.core import checks as django_checks
from pytest_django import Settings

from mcpsite.core.checks import CLIENTS
from tests.site import Site

ISSUER = "https://tenant.example.com/"
PUBLIC = "https://data.example.com/mcp"


def messages() -> list[django_checks.CheckMessage]:
    found = django_checks.run_checks(tags=[CLIENTS], include_deployment_checks=True)
    # The tools of the example app, which is installed here, make the list long.
    return [message for message in found if message.id != "datasets.W003"]


def found() -> list[str | None]:
    return [message.id for message in messages()]


@pytest.fixture(autouse=True)
def sound(settings: Settings, tmp_path: Path) -> None:
    settings.SIGNING_KEY_FILE = tmp_path / "key.pem"


def test_the_defaults_agree_with_each_other() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"RESOURCE_SERVER_URL": "http://data.example.com/mcp", "PUBLIC": True}, "access.E001"),
        ({"AUTH0_ISSUER": "https://tenant.eu.auth0.com"}, "access.E002"),
        ({"JWT_ALGORITHMS": ["ES256"]}, "access.E003"),
        ({"JWT_MAX_LIFETIME_SECONDS": 600}, "access.E004"),
        ({"OAUTH_ACCESS_TOKEN_SECONDS": 60}, "access.W005"),
        ({"JWT_AUDIENCES": ["other"]}, "access.E006"),
        ({"JWT_AUDIENCES": ["other"], "AUTH0_ISSUER": ISSUER}, "access.W006"),
        ({"REQUIRED_SCOPES": ["read", "openid"]}, "access.W007"),
        ({"ACCESS_GROUPS_CLAIM": "groups"}, "access.W008"),
        ({"ACCESS_DEFAULT_GROUP": "", "AUTH0_ISSUER": ISSUER}, "access.W009"),
        ({"MIRROR_ISSUER_METADATA": True}, "access.W010"),
        (
            {"INTROSPECTION_ENDPOINT": "https://i.example/", "INTROSPECTION_REQUIRE_AUDIENCE": False},
            "access.W011",
        ),
        ({"TRANSCRIPT_STORE": "openai"}, "access.W013"),
        ({"VECTOR_STORE_ID": "vs_1"}, "access.W014"),
        ({"TOOL_RATE_LIMITS": {"serach": "5/minute"}}, "access.W030"),
        ({"TOOL_SCOPES": {"fetched": "transcripts:read"}}, "access.W030"),
        (
            {"RESOURCE_SERVER_URL": PUBLIC, "PUBLIC": True, "AUTH0_ISSUER": "http://localhost:9000"},
            "access.E015",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_named(
    settings: Settings, changes: dict[str, Any], expected: str
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    if "RESOURCE_SERVER_URL" in changes:
        settings.JWT_AUDIENCES = [changes["RESOURCE_SERVER_URL"]]
    [message] = messages()
    assert message.id == expected
    assert message.hint


@pytest.mark.parametrize(("mode", "expected"), [(0o644, ["access.W012"]), (0o600, [])])
def test_a_signing_key_that_others_can_read_is_named(
    settings: Settings, mode: int, expected: list[str]
) -> None:
    path = Path(settings.SIGNING_KEY_FILE)
    path.touch()
    path.chmod(mode)
    assert found() == expected


def test_they_are_part_of_check_deploy_and_of_no_other_command(settings: Settings) -> None:
    settings.ACCESS_GROUPS_CLAIM = "groups"
    with_deploy = django_checks.run_checks(include_deployment_checks=True)
    assert "access.W008" in [message.id for message in with_deploy]
    assert "access.W008" not in [message.id for message in django_checks.run_checks()]


def test_check_deploy_prints_the_number_and_the_remedy(site: Site) -> None:
    done = site.manage("check", "--deploy", check=False, REQUIRED_SCOPES="openid")
    assert "(access.W007)" in done.stderr
    assert "Remove them from REQUIRED_SCOPES" in done.stderr
