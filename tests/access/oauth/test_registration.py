"""Dynamic client registration (RFC 7591), open to anybody and so to attackers too."""

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from oauth2_provider.models import AccessToken, Application, RefreshToken
from pytest_django import Settings

from mcpsite.access import limits
from mcpsite.access.oauth import unused
from mcpsite.access.oauth.clients import InvalidMetadata, Metadata, clean_name, redirect_fault
from tests.access.oauth.flow import REDIRECT, Flow

pytestmark = pytest.mark.django_db


def register(metadata: object, **options: Any) -> Any:
    body = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
    return Client(enforce_csrf_checks=True).post(
        "/oauth/register", body, content_type="application/json", **options
    )


def test_a_client_registers_itself_without_a_login_and_is_told_what_was_kept() -> None:
    answer = register(
        {"client_name": "Inspector", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"}
    )
    assert answer.status_code == 201
    told = answer.json()
    assert told["client_name"] == "Inspector"
    assert told["redirect_uris"] == [REDIRECT]
    assert told["grant_types"] == ["authorization_code", "refresh_token"]
    assert told["response_types"] == ["code"]
    assert told["token_endpoint_auth_method"] == "none"
    assert told["client_id_issued_at"] > 1_700_000_000
    assert "client_secret" not in told
    assert Application.objects.get(client_id=told["client_id"]).user is None


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", None])
def test_a_client_that_can_keep_a_secret_gets_one_that_never_expires(method: str | None) -> None:
    told = register(
        {"redirect_uris": [REDIRECT]} | ({"token_endpoint_auth_method": method} if method else {})
    ).json()
    assert told["token_endpoint_auth_method"] == (method or "client_secret_basic")
    assert len(told["client_secret"]) > 60
    assert told["client_secret_expires_at"] == 0
    assert told["client_secret"] not in str(Application.objects.values())


@pytest.mark.parametrize(
    "redirects",
    [
        ["https://chatgpt.com/connector/oauth/abc123"],
        ["https://chatgpt.com/connector_platform_oauth_redirect"],
        ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"],
        ["https://vscode.dev/redirect", "http://127.0.0.1/", "http://127.0.0.1:33418/", "http://localhost/"],
        ["http://localhost:6274/oauth/callback", "http://[::1]:6274/oauth/callback"],
    ],
    ids=["ChatGPT", "ChatGPT before", "Claude", "VS Code", "Inspector"],
)
def test_the_redirects_of_real_clients_are_accepted(redirects: list[str]) -> None:  # contract [20]
    assert register({"redirect_uris": redirects, "token_endpoint_auth_method": "none"}).status_code == 201


@pytest.mark.parametrize(
    "redirect",
    [
        "javascript:alert(1)",
        "javascript://example.com/%0aalert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "blob:https://client.example.com/1",
        "about:blank",
        "intent://client.example.com/#Intent;end",
        "ms-settings://callback",
        "x-apple.systempreferences:/callback",
        "myapp://callback",
        "cursor://user:secret@vendor.example/callback",
        "cursor://vendor.example/callback#fragment",
        "cursor:",
        "cursor:callback",
        "cursor://",
        "cursor:///callback",
        "com.example.app:callback",
        "com.example.app:///callback",
        "com.example.app:/",
        "com.:/callback",
        "com..app:/callback",
        "http://client.example.com/callback",
        "http://localhost.evil.example.com/callback",
        "http://localhost@evil.example.com/callback",
        "http://127.0.0.1.evil.example.com/callback",
        "http://2130706433/callback",
        "https://user:secret@client.example.com/callback",
        "https://client.example.com/callback#fragment",
        "https://client.example.com/callback other",
        "https://client.example.com\\@evil.example.com/",
        "https://client.exаmple.com/callback",
        "https:///callback",
        "https://client.example.com:99999/callback",
        "https://[::1/callback",
        "https://client.example.com/\n",
        "https://client.example.com/" + "x" * 3000,
        "",
        7,
        None,
    ],
)
def test_a_redirect_to_nowhere_safe_is_left_out_and_refused_where_it_is_the_only_one(
    redirect: object,
) -> None:
    answer = register({"redirect_uris": [redirect]})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")
    assert not Application.objects.exists()
    told = register({"redirect_uris": [redirect, REDIRECT, redirect]}).json()
    assert told["redirect_uris"] == [REDIRECT]
    assert Application.objects.get().redirect_uris == REDIRECT


APPS = [
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "windsurf://vendor.windsurf/callback",
    "vscode://vendor.extension/callback",
    "vscode-insiders://vendor.extension/callback",
    "com.example.app:/oauth2redirect/provider",
    "com.example.app://callback",
    "com.googleusercontent.apps.123-abc:/oauth2redirect",
]


@pytest.mark.parametrize("redirect", APPS)
def test_the_redirect_of_an_application_on_the_persons_device_is_accepted(redirect: str) -> None:
    told = register({"redirect_uris": [redirect], "token_endpoint_auth_method": "none"})
    assert (told.status_code, told.json()["redirect_uris"]) == (201, [redirect])


def test_the_redirects_that_can_be_used_are_kept_in_their_order_and_once() -> None:
    redirects = [
        "cursor://vendor.editor-mcp/oauth/callback",
        "myapp://callback",
        "https://www.example.com/agents/mcp/oauth/callback",
        "http://client.example.com/callback",
        "http://localhost:8787/callback",
        "cursor://vendor.editor-mcp/oauth/callback",
    ]
    told = register({"redirect_uris": redirects, "application_type": "web"}).json()
    assert told["redirect_uris"] == [redirects[0], redirects[2], redirects[4]]


LEFT_OUT: list[object] = [None, "", [], {}]


@pytest.mark.parametrize("nothing", LEFT_OUT)
@pytest.mark.parametrize(
    "name",
    [
        *("grant_types", "response_types", "token_endpoint_auth_method", "client_name", "scope", "contacts"),
        *("client_uri", "logo_uri", "tos_uri", "policy_uri", "jwks_uri", "jwks", "software_statement"),
    ],
)
def test_a_member_that_is_null_or_empty_counts_as_left_out(name: str, nothing: object) -> None:
    without = register({"redirect_uris": [REDIRECT]}).json()
    told = register({"redirect_uris": [REDIRECT], name: nothing})
    assert told.status_code == 201
    own = {"client_id", "client_secret", "client_id_issued_at"}
    assert {name: told.json()[name] for name in told.json().keys() - own} == {
        name: without[name] for name in without.keys() - own
    }


def test_one_text_counts_as_a_list() -> None:
    told = register(
        {
            "redirect_uris": REDIRECT,
            "grant_types": "authorization_code",
            "response_types": "code",
            "token_endpoint_auth_method": "none",
        }
    )
    assert (told.status_code, told.json()["redirect_uris"]) == (201, [REDIRECT])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"null",
        b"\xff",
        b"[" * 5000,
        {},
        {"redirect_uris": []},
        {"redirect_uris": 7},
        {"redirect_uris": None},
        {"redirect_uris": ""},
        {"redirect_uris": [REDIRECT] * 21},
        {"redirect_uris": [REDIRECT], "grant_types": ["client_credentials"]},
        {"redirect_uris": [REDIRECT], "grant_types": "client_credentials"},
        {"redirect_uris": [REDIRECT], "grant_types": {"authorization_code": True}},
        {"redirect_uris": [REDIRECT], "response_types": ["token"]},
        {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "private_key_jwt"},
        {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": ["none"]},
    ],
)
def test_metadata_that_cannot_be_used_is_a_short_400(body: object) -> None:
    answer = register(body)
    assert answer.status_code == 400
    assert answer.json()["error"] in ("invalid_client_metadata", "invalid_redirect_uri")
    assert len(answer.content) < 300


def test_a_client_that_lists_more_grants_than_there_are_is_accepted() -> None:
    told = register(
        {
            "client_name": "Visual Studio Code",
            "redirect_uris": ["http://127.0.0.1:33418/"],
            "grant_types": [
                "authorization_code",
                "refresh_token",
                "urn:ietf:params:oauth:grant-type:device_code",
            ],
            "token_endpoint_auth_method": "none",
            "application_type": "native",
        }
    )
    assert told.json()["grant_types"] == ["authorization_code", "refresh_token"]


def test_a_name_cannot_turn_the_page_around() -> None:
    told = register(
        {"client_name": "Chat\u202eTPG\n\x00 Inc " + "x" * 500, "redirect_uris": [REDIRECT]}
    ).json()
    assert told["client_name"].startswith("Chat TPG Inc xxx")
    assert len(told["client_name"]) == 100


def test_metadata_over_sixteen_kibibytes_is_refused() -> None:
    assert register({"redirect_uris": [REDIRECT], "software_id": "x" * 20_000}).status_code == 413


def test_a_flood_of_registrations_from_one_address_is_stopped_and_others_go_on(settings: Settings) -> None:
    settings.OAUTH_REGISTRATIONS_PER_HOUR = 3
    statuses = [register({"redirect_uris": [REDIRECT]}).status_code for _ in range(5)]
    assert statuses == [201, 201, 201, 429, 429]
    refused = register({"redirect_uris": [REDIRECT]})
    assert 1 <= int(refused["Retry-After"]) <= 3600
    assert register({"redirect_uris": [REDIRECT]}, REMOTE_ADDR="192.0.2.7").status_code == 201
    assert Application.objects.count() == 4


def test_a_flood_from_many_addresses_is_stopped_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "COMMON", 10)
    settings.OAUTH_REGISTRATIONS_PER_HOUR = 1
    statuses = [
        register({"redirect_uris": [REDIRECT]}, REMOTE_ADDR=f"192.0.2.{host}").status_code
        for host in range(12)
    ]
    assert statuses.count(201) == 10


def test_the_addresses_of_one_subscriber_count_as_one(settings: Settings) -> None:
    settings.OAUTH_REGISTRATIONS_PER_HOUR = 1
    assert register({"redirect_uris": [REDIRECT]}, REMOTE_ADDR="2001:db8:1:2::1").status_code == 201
    assert register({"redirect_uris": [REDIRECT]}, REMOTE_ADDR="2001:db8:1:2::2").status_code == 429
    assert register({"redirect_uris": [REDIRECT]}, REMOTE_ADDR="2001:db8:1:3::1").status_code == 201


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "redirect_uris",
                        "client_name",
                        "grant_types",
                        "response_types",
                        "token_endpoint_auth_method",
                    ]
                )
                | st.text(),
                inner,
            )
        ),
    )
)
def test_any_json_is_metadata_or_refused(document: object) -> None:
    with suppress(InvalidMetadata):
        metadata = Metadata.from_json(json.dumps(document).encode())
        assert metadata.redirect_uris
        assert not any(redirect_fault(uri) for uri in metadata.redirect_uris)


@given(st.text())
def test_a_name_is_one_printable_line(name: str) -> None:
    shown = clean_name(name)
    assert shown.isprintable()
    assert len(shown) <= 100


def test_the_registration_of_one_client_is_out_of_reach_for_another(alice: User) -> None:
    flow = Flow(alice)
    flow.register()
    for method in ("get", "put", "delete"):
        assert getattr(flow.machine, method)(f"/oauth/register/{flow.client_id}").status_code == 404


def test_a_client_that_never_got_a_token_is_deleted_after_a_day_and_others_stay(alice: User) -> None:
    used, never = Flow(alice), Flow(alice)
    for flow in (used, never):
        flow.register()
    used.tokens()
    by_hand = Application.objects.create(
        name="gateway", client_type="confidential", authorization_grant_type="authorization-code"
    )
    assert unused.delete_unused() == 0
    past = timedelta(days=2)
    Application.objects.update(created=F("created") - past, updated=F("updated") - past)
    # What the used one held has expired and was cleared.
    RefreshToken.objects.all().delete()
    AccessToken.objects.all().delete()
    Flow(alice).register()
    left = set(Application.objects.values_list("client_id", flat=True))
    assert never.client_id not in left
    assert {used.client_id, by_hand.client_id} <= left
