"""Where the site's own signing keys are kept: a setting, a file, or the database."""

import asyncio
from datetime import timedelta
from io import StringIO
from pathlib import Path

import jwt
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from mcpsite.access import pem, private_keys, signing, tokens
from mcpsite.access.models import SigningKey

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = "o" * 60, "n" * 60


@pytest.fixture(autouse=True)
def _in_database(settings: Settings) -> None:
    settings.AUTH0_ISSUER, settings.SIGNING_KEYS, settings.SIGNING_KEY_FILE = "", "", None
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OLD, []


def token() -> str:
    return signing.issue("1", lifetime=3600, client_id="test")


def accepted(text: str) -> bool:
    """Whether a process that has just started takes the token."""
    tokens.verifier.cache_clear()
    return asyncio.run(tokens.verifier().verify(text)).subject == "1"


def rotate(*options: str) -> str:
    output = StringIO()
    call_command("rotate_signing_key", *options, stdout=output)
    return output.getvalue()


def test_the_key_in_the_database_is_made_once_and_signs() -> None:
    first = token()
    assert jwt.get_unverified_header(token())["kid"] == jwt.get_unverified_header(first)["kid"]
    assert accepted(first)
    assert SigningKey.objects.count() == 1


def test_a_copy_of_the_database_holds_no_key_that_can_be_read() -> None:
    token()
    assert "PRIVATE" not in SigningKey.objects.get().secret


def test_two_rows_that_sign_are_refused_by_the_database() -> None:
    token()
    with pytest.raises(Exception, match=r"(?i)unique"):
        SigningKey.objects.create(secret="x")


def test_tokens_of_a_key_that_was_rotated_stay_good() -> None:
    old = token()
    assert "1 older" in rotate()
    new = token()
    assert jwt.get_unverified_header(new)["kid"] != jwt.get_unverified_header(old)["kid"]
    assert accepted(old)
    assert accepted(new)


def test_a_key_goes_when_no_token_of_it_can_be_alive(settings: Settings) -> None:
    token()
    rotate()
    seconds = settings.JWT_MAX_LIFETIME_SECONDS + 2 * private_keys.RETIREMENT_MARGIN
    long_ago = timezone.now() - timedelta(seconds=seconds)
    SigningKey.objects.exclude(replaced_at=None).update(replaced_at=long_ago)
    assert "1 older" in rotate()
    assert SigningKey.objects.count() == 2


def test_a_running_process_takes_tokens_of_a_key_that_another_one_made() -> None:
    async def use() -> None:
        verifier = tokens.verifier()
        await verifier.verify(await asyncio.to_thread(token))
        await asyncio.sleep(1.1)  # A key set is read again once a second at most, for an unknown key.
        await asyncio.to_thread(rotate)
        assert (await verifier.verify(await asyncio.to_thread(token))).subject == "1"

    asyncio.run(use())


def test_keys_survive_a_change_of_the_secret_key(settings: Settings) -> None:
    old = token()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    assert accepted(old)
    assert private_keys.InDatabase.needs_fallback()
    rotate()
    settings.SECRET_KEY_FALLBACKS = []
    assert not private_keys.InDatabase.needs_fallback()
    assert accepted(old)


def test_keys_of_a_secret_key_that_is_lost_are_not_replaced_in_silence(settings: Settings) -> None:
    token()
    settings.SECRET_KEY = NEW
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY_FALLBACKS"):
        token()
    tokens.verifier.cache_clear()
    with pytest.raises(tokens.KeysUnavailable):
        asyncio.run(tokens.verifier().verify(_foreign_token()))
    assert "verybody has to sign in again" in rotate("--start-over")
    assert accepted(token())


def _foreign_token() -> str:
    key = pem.keys_in(pem.new_key(), where="", remedy="")[0]
    claims = {"iss": signing.issuer(), "sub": "1", "aud": "a", "iat": 0, "exp": 2**33}
    return jwt.encode(claims, key, "RS256", headers={"typ": "at+jwt", "kid": signing.key_id(key)})


def test_a_setting_comes_before_a_file_and_a_file_before_the_database(
    settings: Settings, tmp_path: Path
) -> None:
    in_database = signing.key_id(signing.private_keys()[0])
    settings.SIGNING_KEY_FILE = tmp_path / "key.pem"
    in_file = signing.key_id(signing.private_keys()[0])
    settings.SIGNING_KEYS = pem.new_key()
    in_setting = signing.key_id(signing.private_keys()[0])
    assert len({in_database, in_file, in_setting}) == 3


def test_keys_in_a_setting_may_stand_in_one_line_or_in_a_file(tmp_path: Path) -> None:
    text = pem.new_key() + pem.new_key()
    (tmp_path / "keys.pem").write_text(text)
    assert pem.setting(text.replace("\n", "\\n"), tmp_path) == text
    path = pem.setting("keys.pem", tmp_path)
    assert isinstance(path, Path)
    assert len(private_keys.InSetting(path).keys()) == 2


@pytest.mark.parametrize("value", ["no key", "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"])
def test_a_setting_that_holds_no_key_is_refused_with_a_remedy_and_not_shown(
    value: str, tmp_path: Path
) -> None:
    with pytest.raises(ImproperlyConfigured, match="openssl genpkey") as refused:
        pem.setting(value, tmp_path)
    assert value not in str(refused.value)


def test_keys_in_a_setting_are_rolled_by_whoever_writes_it(settings: Settings) -> None:
    settings.SIGNING_KEYS = pem.new_key()
    with pytest.raises(CommandError, match="SIGNING_KEYS, which this site does not change"):
        rotate()


def test_the_keys_of_a_file_can_be_moved_into_the_database(settings: Settings, tmp_path: Path) -> None:
    settings.SIGNING_KEY_FILE = tmp_path / "key.pem"
    old = token()
    rotate()
    signs = token()
    if connection.vendor != "postgresql":
        with pytest.raises(CommandError, match="a file beside the database"):
            rotate("--into-database")
        return
    assert "2 keys" in rotate("--into-database")
    assert not settings.SIGNING_KEY_FILE.exists()
    settings.SIGNING_KEY_FILE = None
    assert jwt.get_unverified_header(token())["kid"] == jwt.get_unverified_header(signs)["kid"]
    assert accepted(old)
