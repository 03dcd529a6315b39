"""Tokens as real providers make them, and tokens as attackers make them."""

import asyncio
import base64
import json
import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from mcpsite.access import signing
from mcpsite.access import tokens as access_tokens
from mcpsite.access.caller import Claims
from mcpsite.access.tokens import MAX_TOKEN_BYTES, InvalidToken, Verifier, scopes_of
from tests.access.issuer import (
    AUDIENCE,
    ISSUER,
    NOW,
    Clock,
    claims,
    ec_key,
    ed_key,
    mint,
    public_jwk,
    rsa_key,
    verifier,
)


def verify(token: str, by: Verifier | None = None) -> Claims:
    return asyncio.run((by or verifier()).verify(token))


def refused(token: str, by: Verifier | None = None) -> InvalidToken:
    with pytest.raises(InvalidToken) as error:
        verify(token, by)
    return error.value


def unsigned(header: Mapping[str, object], content: object, signature: str = "") -> str:
    parts = [json.dumps(part).encode() for part in (header, content)]
    encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, signature])


TIMES = {"iat": NOW - 10, "exp": NOW + 3600}

# Shapes of access tokens as the providers document them; every value is made up.
SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any], set[str], str]] = {
    "RFC 9068": ({"typ": "at+jwt"}, claims(scope="read write"), {"read", "write"}, "client"),
    "RFC 9068, long type": ({"typ": "application/at+jwt"}, claims(), {"read"}, "client"),
    "Auth0": (
        {"typ": "JWT"},
        {
            **TIMES,
            "iss": ISSUER,
            "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
            "aud": [AUDIENCE, "https://tenant.example.com/userinfo"],
            "azp": "my_client_id",
            "scope": "openid profile email",
            "permissions": ["read:trends"],
        },
        {"openid", "profile", "email", "read:trends"},
        "my_client_id",
    ),
    "Auth0, machine to machine": (
        {"typ": "JWT"},
        {
            **TIMES,
            "iss": ISSUER,
            "sub": "abc@clients",
            "aud": AUDIENCE,
            "azp": "abc",
            "gty": "client-credentials",
        },
        set(),
        "abc",
    ),
    "Okta": (
        {"typ": None},
        {
            **TIMES,
            "ver": 1,
            "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
            "iss": ISSUER,
            "sub": "someone@example.com",
            "aud": AUDIENCE,
            "cid": "0oa2hl2inow5Uqc6c357",
            "uid": "00uid4BxXw6I6TV4m0g3",
            "scp": ["openid", "read"],
        },
        {"openid", "read"},
        "0oa2hl2inow5Uqc6c357",
    ),
    "Entra v2": (
        {"typ": "JWT", "x5t": "kg2LYs2T0CTjIfj4rt6JIynen38"},
        {
            **TIMES,
            "nbf": NOW - 10,
            "iss": ISSUER,
            "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
            "aud": AUDIENCE,
            "azp": "6e74172b-be56-4843-9ff4-e66a39bb12e3",
            "azpacr": "0",
            "scp": "access_as_user read",
            "ver": "2.0",
        },
        {"access_as_user", "read"},
        "6e74172b-be56-4843-9ff4-e66a39bb12e3",
    ),
    "Entra v2, an application calling its own API": (
        {"typ": "JWT"},
        claims(aud=AUDIENCE, azp=AUDIENCE, client_id=None, scope=None, roles=["Reader"], ver="2.0"),
        set(),
        AUDIENCE,
    ),
    "Keycloak": (
        {"typ": "JWT"},
        {
            **TIMES,
            "jti": "d1f3e5b0",
            "iss": ISSUER,
            "aud": [AUDIENCE, "account"],
            "sub": "f9d5f0c8-5d3b-4b7c-9a58-0a0f2e1d3c4b",
            "typ": "Bearer",
            "azp": "web",
            # Keycloak before 24 put the nonce into access tokens too.
            "nonce": "n-0S6_WzA2Mj",
            "realm_access": {"roles": ["offline_access"]},
            "scope": "openid email",
        },
        {"openid", "email"},
        "web",
    ),
    "Cognito with a bound resource": (
        {"typ": None},
        claims(token_use="access", aud=AUDIENCE, client_id="4hf8", scope="read", version=2),
        {"read"},
        "4hf8",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_access_token_of_each_provider_is_accepted(shape: str) -> None:
    header, content, scopes, client = SHAPES[shape]
    said = verify(mint(content, header=header))
    assert (said.issuer, said.subject, said.client_id) == (ISSUER, content["sub"], client)
    assert said.scopes == scopes
    assert said.expires_at == content["exp"]


@pytest.mark.parametrize(
    ("alg", "key"), [("PS256", rsa_key()), ("ES256", ec_key()), ("EdDSA", ed_key()), ("RS512", rsa_key())]
)
def test_another_asymmetric_algorithm_works_once_it_is_allowed(alg: str, key: Any) -> None:
    token = mint(key=key, alg=alg)
    assert verify(token, verifier(public_jwk(key), algorithms=[alg])).scopes == {"read"}


def test_an_algorithm_that_is_not_allowed_is_refused_before_the_key_is_looked_at() -> None:
    error = refused(mint(alg="PS256"))
    assert "PS256" in error.reason
    assert "JWT_ALGORITHMS allows RS256" in error.reason


@pytest.mark.parametrize("names", [["none"], ["RS256", "HS256"], ["rs256"], []])
def test_unsafe_or_unknown_algorithms_cannot_be_configured(names: list[str]) -> None:
    with pytest.raises(ImproperlyConfigured, match="JWT_ALGORITHMS"):
        verifier(algorithms=names)


def test_a_token_without_a_kid_is_accepted_while_only_one_key_fits() -> None:
    token = mint(header={"kid": None})
    assert verify(token).subject
    two = verifier(public_jwk(rsa_key()), public_jwk(rsa_key("second"), "second"))
    assert "names no key" in refused(token, two).reason


# Attacks, and tokens meant for somebody else


PUBLIC_PEM = (
    rsa_key()
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
)


def hs256_with_the_public_key() -> str:
    from jwt.api_jws import PyJWS  # PyJWT itself refuses to do this

    signing_input = unsigned({"alg": "HS256", "typ": "at+jwt", "kid": "first"}, claims())[:-1]
    algorithm = PyJWS().get_algorithm_by_name("HS256")
    signature = algorithm.sign(signing_input.encode(), PUBLIC_PEM)
    return f"{signing_input}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def swapped_signature() -> str:
    header, _, signature = mint().split(".")
    payload = mint(claims(sub="root")).split(".")[1]
    return f"{header}.{payload}.{signature}"


# What the log has to say → the tokens of which it says so.
REFUSALS: dict[str, dict[str, str]] = {
    "JWT_ALGORITHMS allows RS256": {
        "no algorithm": unsigned({"alg": "none", "typ": "at+jwt"}, claims()),
        "no algorithm, spelled otherwise": unsigned({"alg": "nOnE", "typ": "at+jwt"}, claims(), "x"),
        "no alg header": unsigned({"typ": "at+jwt", "kid": "first"}, claims(), "x"),
        "alg is a list": unsigned({"alg": ["RS256"], "kid": "first"}, claims(), "x"),
        "HS256 with the public key": hs256_with_the_public_key(),
    },
    "signature is not valid": {
        "the key's own jwk in the header": mint(
            key=rsa_key("attacker"), header={"jwk": public_jwk(rsa_key("attacker"))}
        ),
        "a jku in the header": mint(
            key=rsa_key("attacker"), header={"jku": "http://127.0.0.1:9/keys", "x5u": "http://127.0.0.1:9/"}
        ),
        "another key under a known kid": mint(key=rsa_key("attacker")),
        "the payload of another token": swapped_signature(),
        "no signature": mint().rpartition(".")[0] + ".",
    },
    "that the issuer does not publish": {
        "an unknown kid": mint(key=rsa_key("attacker"), header={"kid": "attacker"}),
    },
    "header that this server does not know": {
        "a critical header": mint(header={"crit": ["exp"]}),
        "an empty crit": mint(header={"crit": []}),
        "an unencoded payload": unsigned({"alg": "RS256", "kid": "first", "b64": False}, claims(), "x"),
    },
    "kid is not a text": {
        "kid is a number": unsigned({"alg": "RS256", "typ": "at+jwt", "kid": 7}, claims(), "x"),
        "kid is empty": unsigned({"alg": "RS256", "typ": "at+jwt", "kid": ""}, claims(), "x"),
        "kid is too long": mint(header={"kid": "k" * 257}),
        "kid is null": unsigned({"alg": "RS256", "typ": "at+jwt", "kid": None}, claims(), "x"),
    },
    "an access token's is at+jwt": {
        "a type of its own": mint(header={"typ": "dpop+jwt"}),
    },
    "JWT_AUDIENCES is": {
        "another audience": mint(claims(aud="https://other.example.com/mcp")),
        "an audience with a slash more": mint(claims(aud=AUDIENCE + "/")),
        "an audience that begins like ours": mint(claims(aud=AUDIENCE + ".evil.example")),
        "audience is an object": mint(claims(aud={AUDIENCE: 1})),
        "no audience": mint(claims(aud=None)),
    },
    "exactly equal": {
        "another issuer": mint(claims(iss="https://evil.example.com/")),
        "an issuer with a slash less": mint(claims(iss=ISSUER.rstrip("/"))),
        "an issuer in capitals": mint(claims(iss=ISSUER.upper())),
        "no issuer": mint(claims(iss=None)),
    },
    "token expired": {
        "expired": mint(claims(exp=NOW - 1)),
        "expiring this second": mint(claims(exp=NOW)),
    },
    "no usable exp or iat": {
        "no exp": mint(claims(exp=None)),
        "exp is a text": mint(claims(exp=str(NOW + 60))),
        "exp is true": mint(claims(exp=True)),
        "exp is not a number": mint(claims(exp=float("nan"))),
        "exp is infinite": mint(claims(exp=float("inf"))),
        "exp is beyond all time": mint(claims(exp=10**400)),
        "no iat": mint(claims(iat=None)),
    },
    "lies in the future": {
        "iat in the future": mint(claims(iat=NOW + 61)),
        "nbf in the future": mint(claims(nbf=NOW + 61)),
        "nbf is a text": mint(claims(nbf="now")),
    },
    "JWT_MAX_LIFETIME_SECONDS allows": {
        "a life of a year": mint(claims(exp=NOW + 365 * 86_400)),
    },
    "sub is missing or not a text": {
        "no subject": mint(claims(sub=None)),
        "an empty subject": mint(claims(sub="")),
        "a subject that is too long": mint(claims(sub="s" * 256)),
        "a subject with a line break": mint(claims(sub="a\nb")),
        "a subject with NUL": mint(claims(sub="a\0b")),
        "a subject with half a character": mint(claims(sub="\ud800")),
    },
    "not a JSON object": {
        "claims are a list": unsigned({"alg": "RS256", "kid": "first"}, [1], "x"),
        "not base64": "a!.b!.c!",
        "empty parts": "..",
        "a nest of brackets": unsigned({"alg": "RS256"}, 1).replace("MQ", "W1tb" * 1500),
    },
    "a JWT has three parts": {
        "two parts": "a.b",
    },
    "is not ASCII": {
        "not ASCII": mint() + "é",
    },
}
ATTACKS = {name: token for attacks in REFUSALS.values() for name, token in attacks.items()}


@pytest.mark.parametrize(
    ("reason", "attack"), [(reason, attack) for reason, attacks in REFUSALS.items() for attack in attacks]
)
def test_a_forged_foreign_or_spoilt_token_is_refused(reason: str, attack: str) -> None:
    error = refused(ATTACKS[attack])
    assert reason in error.reason
    assert re.fullmatch(r"[ !#-\[\]-~]+\.", error.description)


@pytest.mark.parametrize("kind", ["wrong alg in the key", "an encryption key", "another type of key"])
def test_a_key_is_used_for_nothing_but_what_it_is_for(kind: str) -> None:
    published = {
        "wrong alg in the key": public_jwk(rsa_key(), alg="RS512"),
        "an encryption key": public_jwk(rsa_key(), use="enc"),
        "another type of key": public_jwk(ec_key()),
    }[kind]
    other = public_jwk(rsa_key("second"), "second")
    refused(mint(), verifier(published, other, algorithms=["RS256", "ES256"]))


ID_TOKENS: dict[str, dict[str, Any]] = {
    "with a nonce": claims(nonce="n", scope=None, azp="client", client_id=None),
    "with the hash of an access token": claims(at_hash="h"),
    "with the hash of a code": claims(c_hash="h"),
    "whose audience is its client": claims(client_id=AUDIENCE, scope=None),
    "whose audience is a list of its client": claims(
        aud=[AUDIENCE], azp=AUDIENCE, client_id=None, scope=None
    ),
    "of Keycloak": claims(typ="ID", azp="web"),
    "of Cognito": claims(token_use="id"),
    "a refresh token of Keycloak": claims(typ="Refresh"),
}


@pytest.mark.parametrize("kind", ID_TOKENS)
def test_an_id_token_is_no_access_token(kind: str) -> None:
    assert "not an access token" in refused(mint(ID_TOKENS[kind], header={"typ": "JWT"})).description


def test_the_issuers_clock_may_be_a_minute_ahead() -> None:
    assert verify(mint(claims(iat=NOW + 60, nbf=NOW + 60))).subject


def of_length(size: int, number: int = 0) -> str:
    """A good token of at most `size` characters, and hardly fewer."""
    padding = (size - len(mint(claims(jti=number, x="")))) * 3 // 4
    token = mint(claims(jti=number, x="x" * padding))
    assert size - 10 < len(token) <= size
    return token


def test_a_token_of_exactly_32_kibibytes_is_read() -> None:
    assert verify(of_length(MAX_TOKEN_BYTES)).subject


@pytest.mark.parametrize("made", [of_length, lambda size: "x" * size, lambda size: "." * size])
def test_a_longer_one_is_refused_with_its_length_and_the_remedy(made: Callable[[int], str]) -> None:
    token = made(MAX_TOKEN_BYTES + 50)
    error = refused(token)
    for said in (error.description, error.reason):
        assert f"{len(token):,} bytes" in said
        assert "32,768" in said
        assert "fewer groups" in said
    assert error.code == "too-long"


def test_what_is_remembered_of_long_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcpsite.access.tokens.REMEMBERED_BYTES", 100_000)
    checking = verifier()
    for number in [*range(9), 0]:
        assert asyncio.run(checking.verify(of_length(MAX_TOKEN_BYTES, number))).subject
    assert len(checking._remembered) == 3
    assert checking._remembered_bytes <= 100_000


# What the log says


def test_an_encrypted_token_is_named_in_the_log_with_the_remedy(caplog: pytest.LogCaptureFixture) -> None:
    refused("eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..iv.text.tag")
    assert "encrypted (JWE)" in caplog.text
    assert "Resource Parameter Compatibility Profile" in caplog.text


def test_an_opaque_token_is_named_in_the_log_with_the_remedy(caplog: pytest.LogCaptureFixture) -> None:
    refused("v2_local_3f9a1b2c")
    assert "opaque" in caplog.text
    assert "API identifier equal to the resource URL" in caplog.text


def test_a_cognito_token_without_audience_is_refused_with_a_helpful_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refused(mint(claims(aud=None, token_use="access"), header={"typ": None}))
    assert "has no aud" in caplog.text
    assert f"JWT_AUDIENCES is {AUDIENCE}" in caplog.text
    assert "Cognito" in caplog.text


def test_an_issuer_that_differs_by_a_slash_is_shown_beside_the_right_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refused(mint(claims(iss=ISSUER.rstrip("/"))))
    assert "'https://tenant.example.com'" in caplog.text
    assert f"'{ISSUER}'" in caplog.text


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_part_of_a_refused_token_is_logged_or_told(attack: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = ATTACKS[attack]
    error = refused(token)
    told = f"{caplog.text} {error.description} {error.reason}"
    assert not [part for part in token.split(".") if len(part) > 8 and part in told]


def test_a_claim_cannot_forge_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    refused(mint(claims(iss="x\n2026-11-23 WARNING forged " + "y" * 1000)))
    assert "\n2026" not in caplog.text
    assert "y" * 300 not in caplog.text


# Remembered tokens


def test_a_remembered_token_ends_when_it_expires() -> None:
    clock = Clock()
    by = verifier(clock=clock)
    token = mint()
    assert verify(token, by) is verify(token, by)
    clock.now = NOW + 3600
    assert "expired" in refused(token, by).description


def test_a_refused_token_is_refused_again() -> None:
    by = verifier()
    verify(mint(), by)
    for _ in range(2):
        refused(swapped_signature(), by)


def test_the_memory_of_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_tokens, "REMEMBERED_TOKENS", 3)
    by = verifier()
    for number in range(5):
        verify(mint(claims(jti=str(number))), by)
    assert len(by._remembered) == 3


# Properties


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CLAIM = st.sampled_from(
    ["iss", "sub", "aud", "exp", "iat", "nbf", "azp", "client_id", "typ", "token_use", "nonce"]
)


@hypothesis_settings(deadline=None)
@given(st.dictionaries(CLAIM, JSON, min_size=1, max_size=4))
def test_claims_of_any_type_are_read_or_refused_in_words(changes: dict[str, Any]) -> None:
    try:
        said = verify(jwt.encode(claims() | changes, rsa_key(), "RS256", headers={"kid": "first"}))
    except (InvalidToken, TypeError):  # PyJWT itself signs no issuer that is not a text.
        return
    assert said.issuer == ISSUER
    assert NOW < said.expires_at <= NOW + 86_400 + 60


@hypothesis_settings(deadline=None)
@given(st.text(alphabet=st.characters(codec="ascii"), max_size=200))
def test_any_text_in_place_of_a_token_is_refused_in_words(text: str) -> None:
    refused(text)


@hypothesis_settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["scope", "scp", "permissions"]), JSON))
def test_scopes_are_texts_whatever_the_claims_hold(content: dict[str, Any]) -> None:
    assert all(isinstance(scope, str) for scope in scopes_of(content))


# The site's own tokens


def test_a_token_of_our_own_goes_through_the_same_verifier(settings: Settings, tmp_path: Path) -> None:
    settings.AUTH0_ISSUER = ""
    settings.SIGNING_KEY_FILE = tmp_path / "key.pem"
    token = signing.issue("7", scopes=["read"], lifetime=60, client_id="test")
    said = verify(token, access_tokens.verifier())
    assert (said.issuer, said.subject, said.client_id) == (settings.SITE_URL, "7", "test")
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"


def test_a_token_of_our_own_is_worth_nothing_under_an_external_issuer(
    settings: Settings, tmp_path: Path
) -> None:
    settings.SIGNING_KEY_FILE = tmp_path / "key.pem"
    token = signing.issue("7", lifetime=60, client_id="test")
    settings.AUTH0_ISSUER = ISSUER
    assert ISSUER in refused(token, access_tokens.verifier()).reason


def test_the_verifier_is_made_once_and_anew_when_a_setting_changes(settings: Settings) -> None:
    first = access_tokens.verifier()
    assert access_tokens.verifier() is first
    settings.JWT_AUDIENCES = ["https://elsewhere.example.com/mcp"]
    assert access_tokens.verifier() is not first
