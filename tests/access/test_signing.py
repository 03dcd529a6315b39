"""The site's own signing keys."""

import asyncio
import base64
import hashlib
import stat
import subprocess
import sys
import time
from pathlib import Path

import jwt
import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from mcpsite.access import pem, signing
from mcpsite.access.keys import PAUSE, Keys, key_set
from tests.access.issuer import Clock, verifier


@pytest.fixture
def key_file(settings: Settings, tmp_path: Path) -> Path:
    settings.AUTH0_ISSUER = ""
    settings.SIGNING_KEY_FILE = tmp_path / "keys" / "signing.pem"
    return tmp_path / "keys" / "signing.pem"


def test_the_key_is_made_on_first_use_for_its_owners_eyes_only_and_stays(key_file: Path) -> None:
    first = signing.jwks()
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert signing.jwks() == first


def test_the_published_keys_hold_nothing_private(key_file: Path) -> None:
    assert [set(jwk) for jwk in signing.jwks()["keys"]] == [{"kty", "use", "alg", "kid", "n", "e"}]


def test_processes_that_start_at_once_agree_on_one_key(key_file: Path) -> None:
    code = (
        "import os, django; django.setup(); from pathlib import Path; from django.conf import settings;"
        "from mcpsite.access import signing; settings.SIGNING_KEY_FILE = Path(os.environ['KEY']);"
        "print(signing.jwks()['keys'][0]['kid'])"
    )
    environment = {
        "DJANGO_SETTINGS_MODULE": "mcpsite.settings",
        "STATE_DIR": str(key_file.parent),
        "KEY": str(key_file),
    }
    starting = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    kids = {process.communicate(timeout=60)[0].strip() for process in starting}
    assert kids == {signing.jwks()["keys"][0]["kid"]}


def test_the_first_key_signs_and_those_after_it_are_still_published(key_file: Path) -> None:
    old = signing.issue("1", lifetime=60, client_id="test")
    key_file.write_text(pem.new_key() + key_file.read_text())
    new = signing.issue("1", lifetime=60, client_id="test")
    kids = [jwk["kid"] for jwk in signing.jwks()["keys"]]
    assert [jwt.get_unverified_header(token)["kid"] for token in (new, old)] == kids
    assert len(key_set(signing.jwks()["keys"]).keys) == 2


def test_a_new_key_is_picked_up_by_a_running_verifier_without_refusing_live_tokens(key_file: Path) -> None:
    clock = Clock(time.time())
    keys = Keys(signing.own_keys, max_stale=3600, clock=clock)
    by = verifier(keys=keys, clock=clock, issuer=signing.issuer(), audiences=settings.JWT_AUDIENCES)

    async def story() -> None:
        old = signing.issue("1", lifetime=60, client_id="test")
        await by.verify(old)
        key_file.write_text(pem.new_key() + key_file.read_text())
        clock.now += PAUSE
        for token in (signing.issue("1", lifetime=60, client_id="test"), old):
            assert (await by.verify(token)).subject == "1"

    asyncio.run(story())


def test_the_kid_follows_from_the_public_key_as_in_rfc_7638(key_file: Path) -> None:
    jwk = signing.jwks()["keys"][0]
    canonical = f'{{"e":"{jwk["e"]}","kty":"RSA","n":"{jwk["n"]}"}}'
    digest = base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest())
    assert jwk["kid"] == digest.decode().rstrip("=")


@pytest.mark.parametrize(
    "content", ["", "nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]
)
def test_a_key_file_without_a_key_is_refused_with_the_remedy(key_file: Path, content: str) -> None:
    key_file.parent.mkdir()
    key_file.write_text(content)
    with pytest.raises(ImproperlyConfigured, match="move the file away and a new key is created"):
        signing.jwks()


@pytest.mark.parametrize("issuer", ["https://tenant.example.com/", "https://tenant.example.com"])
def test_the_issuer_in_force_is_the_setting_to_the_letter(settings: Settings, issuer: str) -> None:
    settings.AUTH0_ISSUER = issuer
    assert signing.issuer() == issuer
    assert not signing.is_own_issuer()


def test_without_an_issuer_the_site_is_its_own(settings: Settings) -> None:
    settings.AUTH0_ISSUER = ""
    settings.SITE_URL = "http://localhost:8788"
    assert signing.issuer() == "http://localhost:8788"
    assert signing.is_own_issuer()


def test_a_token_of_our_own_says_what_rfc_9068_asks_for(key_file: Path, settings: Settings) -> None:
    token = signing.issue("7", scopes=["a", "b"], lifetime=90, client_id="someone")
    payload = jwt.decode(token, options={"verify_signature": False})
    assert set(payload) == {"iss", "sub", "aud", "client_id", "scope", "jti", "iat", "exp"}
    assert (payload["aud"], payload["scope"]) == (settings.JWT_AUDIENCES[0], "a b")
    assert payload["exp"] - payload["iat"] == 90
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
