"""Clients that cannot register themselves, made by an operator in the admin (client-contract 46)."""

import re
from base64 import b64encode
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from oauth2_provider.models import Application

from tests.access.oauth.flow import REDIRECT, VERIFIER, Flow, returned

ADD = "/admin/oauth2_provider/application/add/"
GEMINI = "https://vertexaisearch.cloud.google.com/oauth-redirect"
WITHOUT_PKCE = {"code_challenge": None, "code_challenge_method": None}


def add(operator: Client, **changes: str) -> Any:
    form = {"name": "Gemini", "redirect_uris": REDIRECT, "client_type": "confidential"} | changes
    return operator.post(ADD, form)


def told(page: Any) -> dict[str, str]:
    """What the page after saving says of the client, by name."""
    found = re.findall(r"<dt[^>]*>([^<]+)</dt>\s*<dd[^>]*><code[^>]*>([^<]+)</code>", page.content.decode())
    assert page.status_code == 200, page.content
    return dict(found)


def errors(page: Any) -> str:
    assert page.status_code == 200
    assert not Application.objects.exists()
    return str(page.context["errors"])


def change(client: Application, operator: Client, **changes: str) -> Any:
    form = {"name": client.name, "redirect_uris": client.redirect_uris, "client_type": client.client_type}
    return operator.post(f"/admin/oauth2_provider/application/{client.pk}/change/", form | changes)


@pytest.fixture
def made(admin_client: Client, alice: User) -> Flow:
    """Alice, who connects a client that an operator has made."""
    facts = told(add(admin_client))
    return Flow(alice, client_id=facts["Client id"], secret=facts["Client secret"])


@pytest.fixture
def exempted(admin_client: Client, alice: User) -> Flow:
    facts = told(add(admin_client, without_pkce="on"))
    return Flow(alice, client_id=facts["Client id"], secret=facts["Client secret"])


def exchange_by_basic(flow: Flow, code: str, **changes: str) -> Any:
    """Exchange a code with the secret in the header (RFC 6749 §2.3.1)."""
    pair = b64encode(f"{quote(flow.client_id)}:{quote(flow.secret)}".encode()).decode()
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT} | changes
    return flow.machine.post("/oauth/token", form, headers={"Authorization": f"Basic {pair}"})


def test_the_page_after_saving_says_what_has_to_be_typed_into_the_client(admin_client: Client) -> None:
    page = add(admin_client, name="Gemini Enterprise", redirect_uris=GEMINI)
    facts = told(page)
    client = Application.objects.get()
    assert facts["Client id"] == client.client_id
    assert len(facts["Client secret"]) > 60
    assert facts["Endpoint"] == "http://localhost:8788/mcp"
    assert facts["Authorization URL"] == "http://localhost:8788/oauth/authorize"
    assert facts["Token URL"] == "http://localhost:8788/oauth/token"
    assert "offline_access" in facts["Scopes"]
    assert "no-store" in page["Cache-Control"]
    assert (client.name, client.redirect_uris) == ("Gemini Enterprise", GEMINI)
    assert (client.client_type, client.registration_source) == ("confidential", "manual")


def test_the_secret_is_shown_once_and_only_its_digest_is_kept(admin_client: Client) -> None:
    secret = told(add(admin_client))["Client secret"]
    client = Application.objects.get()
    assert secret not in str(Application.objects.values())
    for path in ("", f"{client.pk}/change/", f"{client.pk}/history/"):
        page = admin_client.get(f"/admin/oauth2_provider/application/{path}").content.decode()
        assert secret not in page
        assert client.client_secret not in page
    assert secret not in str(dict(admin_client.session))
    assert secret not in str(admin_client.cookies)


def test_the_client_connects_with_its_secret_in_the_form(made: Flow) -> None:
    held = made.exchange(made.code())
    assert held.status_code == 200
    assert made.refresh(held.json()["refresh_token"]).status_code == 200
    made.secret = "wrong"
    assert made.exchange(made.code()).json()["error"] == "invalid_client"


def test_the_client_connects_with_its_secret_in_the_header(made: Flow) -> None:
    assert exchange_by_basic(made, made.code(), code_verifier=VERIFIER).status_code == 200
    made.secret = "wrong"
    answer = exchange_by_basic(made, made.code(), code_verifier=VERIFIER)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_client_made_by_hand_needs_pkce_like_any_other(made: Flow) -> None:
    assert returned(made.authorize(**WITHOUT_PKCE))["error"] == "invalid_request"


def test_a_client_that_was_exempted_connects_without_pkce(exempted: Flow) -> None:
    assert exempted.exchange(exempted.code(**WITHOUT_PKCE), code_verifier=None).status_code == 200
    assert exchange_by_basic(exempted, exempted.code(**WITHOUT_PKCE)).status_code == 200


def test_an_exempted_client_that_begins_with_pkce_has_to_go_on_with_it(exempted: Flow) -> None:
    assert exempted.exchange(exempted.code()).status_code == 200
    assert exempted.exchange(exempted.code(), code_verifier=None).status_code == 400
    assert exempted.exchange(exempted.code(), code_verifier="w" * 43).status_code == 400


def test_a_verifier_without_a_challenge_shows_that_somebody_took_it_away(exempted: Flow) -> None:
    answer = exempted.exchange(exempted.code(**WITHOUT_PKCE))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_an_exemption_can_be_taken_back(exempted: Flow, admin_client: Client) -> None:
    assert change(Application.objects.get(), admin_client).status_code == 302
    assert returned(exempted.authorize(**WITHOUT_PKCE))["error"] == "invalid_request"


@pytest.mark.parametrize(
    "changes",
    [
        {"client_type": "public"},
        {"redirect_uris": "cursor://vendor.example/callback"},
        {"redirect_uris": f"{REDIRECT} http://localhost:8080/callback"},
    ],
)
def test_only_a_service_with_a_secret_can_be_exempted(admin_client: Client, changes: dict[str, str]) -> None:
    assert "PKCE is only optional for a confidential client" in errors(
        add(admin_client, without_pkce="on", **changes)
    )


def test_a_client_that_registered_itself_cannot_be_exempted(flow: Flow, admin_client: Client) -> None:
    flow.register(token_endpoint_auth_method="client_secret_post")
    change(Application.objects.latest("pk"), admin_client, without_pkce="on")
    assert returned(flow.authorize(**WITHOUT_PKCE))["error"] == "invalid_request"


def test_a_new_secret_takes_the_place_of_the_old_one_and_people_stay_connected(
    made: Flow, admin_client: Client
) -> None:
    held = made.tokens()
    button = {"oauth2_provider_application_make_new_secret": "on"}
    page = change(Application.objects.get(), admin_client, **button)
    assert made.refresh(held["refresh_token"]).json()["error"] == "invalid_client"
    made.secret = told(page)["Client secret"]
    assert "no-store" in page["Cache-Control"]
    assert made.refresh(held["refresh_token"]).status_code == 200


def test_saving_a_client_leaves_its_secret_alone(made: Flow, admin_client: Client) -> None:
    assert change(Application.objects.get(), admin_client, name="Renamed").status_code == 302
    assert made.exchange(made.code()).status_code == 200
    assert Application.objects.get().name == "Renamed"


def test_a_public_client_has_no_secret_and_may_be_an_application_on_a_device(
    admin_client: Client, alice: User
) -> None:
    redirects = (
        "http://127.0.0.1:33418/\r\nhttps://vscode.dev/redirect\r\n\r\ncursor://vendor.example/callback"
    )
    facts = told(add(admin_client, client_type="public", redirect_uris=redirects))
    assert "Client secret" not in facts
    flow = Flow(alice, client_id=facts["Client id"])
    for redirect in redirects.split():
        answer = flow.consent(flow.authorize(redirect_uri=redirect))
        assert answer["Location"].startswith(f"{redirect}?code=")


@pytest.mark.parametrize(
    "redirect", ["http://client.example.com/cb", "javascript:alert(1)", "myapp://callback", "nonsense", "  "]
)
def test_the_rules_for_redirects_are_those_of_every_client(admin_client: Client, redirect: str) -> None:
    said = errors(add(admin_client, redirect_uris=f"{REDIRECT}\n{redirect}" if redirect.strip() else ""))
    assert ("redirect URI" in said) or ("required" in said)


def test_the_form_can_be_opened_with_what_is_known(admin_client: Client) -> None:
    page = admin_client.get(ADD, {"name": "Gemini Enterprise", "redirect_uris": GEMINI}).content.decode()
    assert 'value="Gemini Enterprise"' in page
    assert GEMINI in page
    assert re.search(r'<input[^>]*value="confidential"[^>]*checked', page)


def test_what_a_client_said_of_itself_is_not_changed_for_it(flow: Flow, admin_client: Client) -> None:
    client = Application.objects.get()
    evil = "https://evil.example.com/callback"
    assert change(client, admin_client, redirect_uris=evil, client_type="confidential").status_code == 302
    client.refresh_from_db()
    assert (client.redirect_uris, client.client_type) == (REDIRECT, "public")


def test_who_may_only_look_makes_no_client_and_no_secret(made: Flow, bob: User) -> None:
    bob.is_staff = True
    bob.save()
    bob.user_permissions.set(Permission.objects.filter(codename="view_application"))
    looking = Client()
    looking.force_login(bob)
    assert add(looking).status_code == 403
    button = {"oauth2_provider_application_make_new_secret": "on"}
    assert change(Application.objects.get(), looking, **button).status_code == 403
    assert made.exchange(made.code()).status_code == 200
