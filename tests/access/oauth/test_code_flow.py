"""Authorization code with PKCE: what is issued, and what is refused."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from oauth2_provider.models import AccessToken, Grant, RefreshToken
from pytest_django import Settings

from mcpsite.access import signing, tokens
from mcpsite.access.oauth import grants
from tests.access.oauth.flow import REDIRECT, VERIFIER, Flow, challenge, returned

EVIL = "https://evil.example.com/callback"


def verified(token: str) -> Any:
    return asyncio.run(tokens.verifier().verify(token))


def test_the_access_token_passes_the_verifier_of_every_issuer_and_speaks_for_the_user(flow: Flow) -> None:
    answer = flow.tokens(scope="openid offline_access")
    claims = verified(answer["access_token"])
    assert claims.subject == signing.own_subject(flow.user)
    assert claims.client_id == flow.client_id
    assert claims.scopes == {"openid", "offline_access"}
    header = jwt.get_unverified_header(answer["access_token"])
    assert (header["typ"], header["alg"]) == ("at+jwt", "RS256")
    assert {"iss", "sub", "aud", "client_id", "scope", "jti", "iat", "exp"} <= claims.raw.keys()
    assert claims.raw["aud"] == settings.RESOURCE_SERVER_URL
    assert claims.raw["exp"] - claims.raw["iat"] == answer["expires_in"] == 3600


def test_the_refresh_token_is_no_access_token(flow: Flow) -> None:
    with pytest.raises(tokens.InvalidToken, match="opaque"):
        verified(flow.tokens()["refresh_token"])


def test_the_id_token_is_no_access_token(flow: Flow) -> None:
    with pytest.raises(tokens.InvalidToken):
        verified(flow.tokens()["id_token"])


def test_neither_token_nor_secret_is_kept_in_readable_form(flow: Flow) -> None:
    flow.register(token_endpoint_auth_method="client_secret_post")
    answer = flow.tokens()
    kept = json.dumps([list(AccessToken.objects.values()), list(RefreshToken.objects.values())], default=str)
    assert answer["access_token"] not in kept
    assert answer["refresh_token"] not in kept


def test_a_client_that_registered_itself_may_ask_for_openid_and_gets_a_signed_id_token(flow: Flow) -> None:
    answer = flow.tokens(scope="openid profile email", nonce="n-0S6")
    key = signing.private_keys()[0].public_key()
    claims = jwt.decode(answer["id_token"], key, ["RS256"], audience=flow.client_id, issuer=signing.issuer())
    assert claims["sub"] == str(flow.user.pk)
    assert claims["nonce"] == "n-0S6"
    assert (claims["name"], claims["email"]) == ("Alice", "alice@example.com")


def test_a_name_and_an_address_are_told_only_with_their_scopes(flow: Flow) -> None:
    token = flow.tokens(scope="openid")["id_token"]
    assert not {"name", "email"} & jwt.decode(token, options={"verify_signature": False}).keys()


def test_without_openid_there_is_no_id_token(flow: Flow) -> None:
    assert "id_token" not in flow.tokens(scope="offline_access")


def test_a_client_gets_a_refresh_token_though_it_did_not_ask_for_offline_access(flow: Flow) -> None:
    assert flow.tokens(scope="openid")["refresh_token"]


def test_a_client_that_asks_for_no_scope_gets_the_defaults_and_is_told_so(
    flow: Flow, settings: Settings
) -> None:
    settings.REQUIRED_SCOPES = ["data:read"]
    assert flow.tokens(scope=None)["scope"] == "data:read offline_access"


def test_a_scope_of_this_server_is_granted_and_explained(flow: Flow, settings: Settings) -> None:
    settings.OAUTH_SCOPES = ["transcripts:read"]
    assert (
        "use the scope “transcripts:read” of this server"
        in flow.authorize(scope="transcripts:read").content.decode()
    )
    assert flow.tokens(scope="transcripts:read")["scope"] == "transcripts:read"


def test_a_scope_that_nobody_knows_is_left_out_and_not_refused(flow: Flow) -> None:
    assert flow.tokens(scope="claudeai openid")["scope"] == "openid"


def test_state_and_issuer_come_back_with_the_code(flow: Flow) -> None:
    answer = returned(flow.consent(flow.authorize()))
    assert answer["state"] == "opaque-state"
    assert answer["iss"] == signing.issuer()


def test_a_refusal_tells_the_client_with_state_and_issuer(flow: Flow) -> None:
    answer = returned(flow.consent(flow.authorize(), allow=False))
    assert answer["error"] == "access_denied"
    assert (answer["state"], answer["iss"]) == ("opaque-state", signing.issuer())


def test_a_code_replayed_is_refused_and_ends_what_it_gave(flow: Flow) -> None:
    code = flow.code()
    first = flow.exchange(code).json()
    again = flow.exchange(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert flow.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert not grants.is_alive(grants.of_code(code))


def test_a_code_replayed_by_another_client_ends_nothing(flow: Flow, bob: User) -> None:
    code = flow.code()
    first = flow.exchange(code).json()
    other = Flow(bob)
    other.register()
    assert other.exchange(code).json()["error"] == "invalid_grant"
    assert flow.refresh(first["refresh_token"]).status_code == 200


def test_a_code_is_of_no_use_to_another_client(flow: Flow, bob: User) -> None:
    other = Flow(bob)
    other.register()
    code = flow.code()
    assert other.exchange(code).json()["error"] == "invalid_grant"
    assert flow.exchange(code).status_code == 200


@pytest.mark.parametrize("verifier", ["w" * 43, challenge(), None, ""])
def test_a_wrong_verifier_gets_nothing(flow: Flow, verifier: str | None) -> None:
    answer = flow.exchange(flow.code(), code_verifier=verifier)
    assert answer.status_code == 400
    assert "access_token" not in answer.json()
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize(
    "pkce",
    [
        {"code_challenge": VERIFIER, "code_challenge_method": "plain"},
        {"code_challenge": VERIFIER, "code_challenge_method": None},
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": None, "code_challenge_method": "S256"},
        {"code_challenge": "short", "code_challenge_method": "S256"},
        {"code_challenge": "x" * 300, "code_challenge_method": "S256"},
        {"code_challenge": challenge(), "code_challenge_method": "S512"},
    ],
    ids=["plain", "plain by default", "none", "no challenge", "short", "long", "unknown"],
)
def test_only_pkce_with_s256_is_accepted(flow: Flow, pkce: dict[str, Any]) -> None:
    answer = returned(flow.authorize(**pkce))
    assert answer["error"] == "invalid_request"
    assert answer["iss"] == signing.issuer()


def test_a_consent_form_changed_to_plain_gives_no_code(flow: Flow) -> None:
    answer = flow.consent(flow.authorize(), code_challenge=VERIFIER, code_challenge_method="plain")
    assert "code=" not in answer.get("Location", "")
    assert not Grant.objects.exists()


@pytest.mark.parametrize(
    "redirect",
    [
        EVIL,
        REDIRECT + "/more",
        REDIRECT + "?more=1",
        REDIRECT + "#fragment",
        "http://client.example.com/callback",
        "https://user@client.example.com/callback",
        "javascript:alert(1)",
        "//client.example.com/callback",
    ],
)
def test_a_foreign_redirect_is_shown_to_the_person_and_never_followed(flow: Flow, redirect: str) -> None:
    answer = flow.authorize(redirect_uri=redirect)
    assert answer.status_code == 400
    assert "Location" not in answer
    assert b"This connection cannot be made" in answer.content


@pytest.mark.parametrize("allow", [True, False])
@pytest.mark.parametrize("redirect", [EVIL, "javascript:alert(1)"])
def test_a_consent_form_changed_to_a_foreign_redirect_is_refused(
    flow: Flow, redirect: str, allow: bool
) -> None:
    answer = flow.consent(flow.authorize(), allow=allow, redirect_uri=redirect)
    assert answer.status_code == 400
    assert "Location" not in answer


def test_a_code_with_another_redirect_than_it_was_sent_to_gets_nothing(flow: Flow) -> None:
    flow.register(redirect_uris=[REDIRECT, "https://client.example.com/second"])
    answer = flow.exchange(flow.code(), redirect_uri="https://client.example.com/second")
    assert answer.status_code == 400
    assert "access_token" not in answer.json()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a_program_on_the_persons_machine_may_listen_on_any_port(flow: Flow, host: str) -> None:
    flow.register(redirect_uris=[f"http://{host}:6274/callback"])
    answer = flow.consent(flow.authorize(redirect_uri=f"http://{host}:51763/callback"))
    assert answer["Location"].startswith(f"http://{host}:51763/callback?code=")


@pytest.mark.parametrize("allow", [True, False])
@pytest.mark.parametrize(
    "redirect",
    [
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "com.example.app:/oauth2redirect",
        "com.example.app://callback?from=here",
    ],
)
def test_an_application_on_the_persons_device_is_opened_with_the_answer(
    flow: Flow, redirect: str, allow: bool
) -> None:
    flow.register(redirect_uris=[redirect, "https://www.example.com/callback"])
    page = flow.authorize(redirect_uri=redirect)
    assert f"form-action 'self' {redirect.partition(':')[0]}:;" in page["Content-Security-Policy"] + ";"
    answer = flow.consent(page, allow=allow)
    assert answer.status_code == 302
    assert answer["Location"].startswith(redirect)
    said = {name: value for name, [value] in parse_qs(urlsplit(answer["Location"]).query).items()}
    assert (said["state"], said["iss"]) == ("opaque-state", signing.issuer())
    if allow:
        assert flow.exchange(said["code"], redirect_uri=redirect).status_code == 200
    else:
        assert said["error"] == "access_denied"


def test_the_scheme_of_an_application_is_no_leave_for_its_other_addresses(flow: Flow) -> None:
    flow.register(redirect_uris=["cursor://vendor.example/callback"])
    for other in ("cursor://evil.example/callback", "cursor://vendor.example/callback/more", "vscode://x/y"):
        assert flow.authorize(redirect_uri=other).status_code == 400


def test_an_application_is_told_of_a_request_without_pkce(flow: Flow) -> None:
    flow.register(redirect_uris=["com.example.app:/callback"])
    answer = flow.authorize(redirect_uri="com.example.app:/callback", code_challenge=None)
    assert answer["Location"].startswith("com.example.app:/callback?error=invalid_request")


OTHER_RESOURCES = pytest.mark.parametrize(
    "resource",
    [
        "https://other.example.com/mcp",
        "http://localhost:8788/other",
        "http://localhost:8788",
        "not a url",
        ["http://localhost:8788/mcp", "https://other.example.com/mcp"],
    ],
    ids=["other", "path", "origin", "text", "two"],
)


@OTHER_RESOURCES
def test_another_resource_at_authorize_is_refused(flow: Flow, resource: Any) -> None:
    assert returned(flow.authorize(resource=resource))["error"] == "invalid_target"


@OTHER_RESOURCES
def test_another_resource_at_token_is_refused_and_the_code_lives(flow: Flow, resource: Any) -> None:
    code = flow.code()
    answer = flow.exchange(code, resource=resource)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")
    assert flow.exchange(code).status_code == 200


@OTHER_RESOURCES
def test_another_resource_at_refresh_is_refused_and_the_token_lives(flow: Flow, resource: Any) -> None:
    held = flow.tokens()["refresh_token"]
    assert flow.refresh(held, resource=resource).json()["error"] == "invalid_target"
    assert flow.refresh(held).status_code == 200


def test_parameters_without_a_value_count_as_left_out(flow: Flow) -> None:
    nothing = {"scope": "", "nonce": "", "prompt": "", "response_mode": "", "claims": "", "max_age": ""}
    code = flow.code(redirect_uri="", **nothing)
    held = flow.exchange(code, redirect_uri="", client_secret="", resource="", refresh_token="")
    assert held.json()["scope"] == flow.tokens(scope=None)["scope"]
    again = flow.refresh(held.json()["refresh_token"], scope="", client_secret="", resource="", code="")
    assert again.json()["scope"] == held.json()["scope"]
    body = {"token": again.json()["refresh_token"], "client_id": flow.client_id}
    empty = {"token_type_hint": "", "client_secret": ""}
    assert flow.machine.post("/oauth/revoke", body | empty).status_code == 200
    assert flow.refresh(again.json()["refresh_token"]).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("name", ["grant_type", "code", "client_id", "code_verifier"])
def test_what_has_to_be_there_has_to_have_a_value(flow: Flow, name: str) -> None:
    asked = {"grant_type": "authorization_code", "code": flow.code(), "code_verifier": VERIFIER}
    answer = flow.token(**{"redirect_uri": REDIRECT, **asked, name: ""})
    assert answer.status_code in (400, 401)
    assert not AccessToken.objects.exists()


def test_a_consent_form_changed_to_another_resource_gives_no_code(flow: Flow) -> None:
    answer = flow.consent(flow.authorize(), resource="https://other.example.com/mcp")
    assert returned(answer)["error"] == "invalid_target"


def test_a_name_of_this_server_behind_a_tunnel_is_its_own(flow: Flow, settings: Any) -> None:
    tunnel = "https://tunnels.example.com/v1/mcp/tunnel_0123"
    settings.JWT_AUDIENCES = [settings.RESOURCE_SERVER_URL, tunnel]
    answer = flow.exchange(flow.code(resource=tunnel), resource=tunnel).json()
    assert verified(answer["access_token"]).raw["aud"] == settings.RESOURCE_SERVER_URL
    assert flow.refresh(answer["refresh_token"], resource=tunnel).status_code == 200


def test_the_log_names_a_resource_that_was_refused_and_the_remedy(
    flow: Flow, caplog: pytest.LogCaptureFixture
) -> None:
    flow.authorize(resource="https://tunnels.example.com/v1/mcp\u202e" + "x" * 400)
    [told] = [record.message for record in caplog.records if record.name == "mcpsite.access.oauth.server"]
    assert told.startswith("Tokens were asked for https://tunnels.example.com/v1/mcp")
    assert told.isprintable()
    assert len(told) < 450
    assert "add it to JWT_AUDIENCES" in told


@pytest.mark.parametrize("resource", [None, ""])
def test_an_older_client_that_names_no_resource_gets_a_token_for_ours(
    flow: Flow, resource: str | None
) -> None:
    code = flow.code(resource=resource)
    answer = flow.exchange(code, resource=resource).json()
    assert verified(answer["access_token"]).raw["aud"] == settings.RESOURCE_SERVER_URL


@pytest.mark.parametrize("response_type", ["token", "id_token", "code token", "code id_token", "none", ""])
def test_no_token_is_ever_given_through_the_browser(flow: Flow, response_type: str) -> None:
    answer = flow.authorize(response_type=response_type)
    assert "access_token" not in answer.get("Location", "")
    assert "error=" in answer.get("Location", "") or answer.status_code == 400


@pytest.mark.parametrize(
    "grant_type",
    ["password", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code", "implicit", ""],
)
def test_other_grants_do_not_exist(flow: Flow, grant_type: str) -> None:
    answer = flow.token(grant_type=grant_type, username="alice", password="secret")
    assert answer.status_code == 400
    assert "access_token" not in answer.json()


def test_a_person_who_was_deactivated_after_consent_gets_nothing(flow: Flow) -> None:
    code = flow.code()
    flow.user.is_active = False
    flow.user.save()
    assert flow.exchange(code).json()["error"] == "invalid_grant"


def test_a_confidential_client_needs_its_secret(flow: Flow) -> None:
    flow.register(token_endpoint_auth_method="client_secret_post")
    code = flow.code()
    assert flow.exchange(code, client_secret="wrong").json()["error"] == "invalid_client"
    assert flow.exchange(code, client_secret=None).json()["error"] == "invalid_client"
    assert flow.exchange(code).status_code == 200


def test_a_nul_character_is_a_short_400(flow: Flow) -> None:
    assert flow.exchange("a\0b").status_code == 400
    assert flow.refresh("a\0b").status_code == 400


def test_tokens_are_never_cached(flow: Flow) -> None:
    assert flow.exchange(flow.code())["Cache-Control"] == "no-store"
