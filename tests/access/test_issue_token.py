"""`manage.py issue_token`."""

import asyncio
from io import StringIO
from pathlib import Path

import jwt
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from pytest_django import Settings

from mcpsite.access.caller import Claims
from mcpsite.access.identities import caller_for
from mcpsite.access.tokens import verifier


@pytest.fixture(autouse=True)
def alice(db: None, settings: Settings, tmp_path: Path) -> User:
    settings.AUTH0_ISSUER = ""
    settings.SIGNING_KEY_FILE = tmp_path / "key.pem"
    return User.objects.create_user("alice")


def issue(*arguments: str) -> str:
    out = StringIO()
    call_command("issue_token", *arguments, stdout=out)
    return out.getvalue()


def verify(token: str) -> Claims:
    return asyncio.run(verifier().verify(token))


def test_it_prints_a_token_that_the_site_accepts_and_nothing_else(alice: User) -> None:
    printed = issue("alice", "--scope", "a b")
    assert printed.count("\n") == 1
    claims = verify(printed.strip())
    assert claims.scopes == {"a", "b"}
    assert caller_for(claims).user_id == alice.pk


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1h", 3600), ("7d", 604_800)]
)
def test_it_lives_as_long_as_asked(text: str, seconds: int) -> None:
    payload = jwt.decode(issue("alice", "--ttl", text).strip(), options={"verify_signature": False})
    assert payload["exp"] - payload["iat"] == seconds


def test_it_carries_the_required_scopes_unless_told_otherwise(settings: Settings) -> None:
    settings.REQUIRED_SCOPES = ["read"]
    assert verify(issue("alice").strip()).scopes == {"read"}
    assert verify(issue("alice", "--scope", "").strip()).scopes == set()


@pytest.mark.parametrize("text", ["0", "-5", "1y", "", "1.5h", "99999999999999"])
def test_a_duration_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="not a duration"):
        issue("alice", f"--ttl={text}")


def test_it_issues_nothing_that_its_own_verifier_would_refuse(settings: Settings) -> None:
    settings.JWT_MAX_LIFETIME_SECONDS = 3600
    with pytest.raises(CommandError, match="3600 seconds at most"):
        issue("alice", "--ttl", "2h")
    settings.JWT_ALGORITHMS = ["ES256"]
    with pytest.raises(CommandError, match="add it to JWT_ALGORITHMS"):
        issue("alice")


def test_an_unknown_user_is_refused() -> None:
    with pytest.raises(CommandError, match="There is no user 'bob'"):
        issue("bob")


def test_an_inactive_user_is_refused(alice: User) -> None:
    User.objects.update(is_active=False)
    with pytest.raises(CommandError, match="not active"):
        issue("alice")


@pytest.mark.parametrize("scope", ['a"b', "a\\b", "é"])
def test_a_scope_that_cannot_be_one_is_refused(scope: str) -> None:
    with pytest.raises(CommandError, match="printable ASCII"):
        issue("alice", "--scope", scope)


def test_with_an_external_issuer_it_says_where_tokens_come_from(settings: Settings) -> None:
    settings.AUTH0_ISSUER = "https://tenant.example.com/"
    with pytest.raises(CommandError, match=r"Tokens come from https://tenant\.example\.com/"):
        issue("alice")
