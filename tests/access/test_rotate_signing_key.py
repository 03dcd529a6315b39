"""`manage.py rotate_signing_key`: a new key signs, and the tokens of the older ones stay good."""

import asyncio
import stat
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import jwt
import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from mcpsite.access import private_keys, signing, tokens


@pytest.fixture
def key_file(settings: Settings, tmp_path: Path) -> Path:
    settings.AUTH0_ISSUER = ""
    settings.SIGNING_KEY_FILE = tmp_path / "signing.pem"
    return tmp_path / "signing.pem"


def rotate() -> str:
    output = StringIO()
    call_command("rotate_signing_key", stdout=output)
    return output.getvalue()


def token() -> str:
    return signing.issue("1", lifetime=3600, client_id="test")


def test_new_tokens_have_the_new_key_and_old_tokens_stay_good(key_file: Path) -> None:
    async def use() -> None:
        verifier = tokens.verifier()
        old = token()
        await verifier.verify(old)
        # A key set is read again once a second at most, for an unknown key.
        await asyncio.sleep(1.1)
        await asyncio.to_thread(rotate)
        new = token()
        assert jwt.get_unverified_header(new)["kid"] != jwt.get_unverified_header(old)["kid"]
        assert (await verifier.verify(new)).subject == "1"
        assert (await verifier.verify(old)).subject == "1"

    asyncio.run(use())


def test_the_command_names_the_new_key_and_counts_the_older_ones(key_file: Path) -> None:
    rotate()
    said = rotate()
    assert signing.jwks()["keys"][0]["kid"] in said
    assert "2 older" in said
    assert len(signing.jwks()["keys"]) == 3


def test_a_key_goes_when_no_token_of_it_can_be_alive(key_file: Path, settings: Settings) -> None:
    first = token()
    rotate()
    kept = key_file.read_text()
    long_ago = datetime.now(UTC) - timedelta(
        seconds=settings.JWT_MAX_LIFETIME_SECONDS + 2 * private_keys.RETIREMENT_MARGIN
    )
    noted = next(line for line in kept.splitlines() if line.startswith("# replaced"))
    key_file.write_text(kept.replace(noted, f"# replaced {long_ago.isoformat()}"))
    assert "1 older" in rotate()
    assert jwt.get_unverified_header(first)["kid"] not in [key["kid"] for key in signing.jwks()["keys"]]


def test_the_file_stays_for_its_owners_eyes_only(key_file: Path) -> None:
    rotate()
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600


def test_a_file_that_is_no_key_is_not_written_over(key_file: Path) -> None:
    key_file.write_text("not a key")
    with pytest.raises(CommandError, match="contains no key"):
        rotate()
    assert key_file.read_text() == "not a key"


def test_the_keys_of_an_identity_provider_are_rolled_there(settings: Settings) -> None:
    settings.AUTH0_ISSUER = "https://tenant.example.com/"
    with pytest.raises(CommandError, match="AUTH0_ISSUER"):
        rotate()


def test_more_keys_than_verifiers_take_are_refused(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_keys, "MOST_KEYS", 2)
    rotate()
    with pytest.raises(CommandError, match="still needed"):
        rotate()
