"""What a person sees: the consent page, a connection that cannot be made, and their connections."""

import html
import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from oauth2_provider.models import Application, RefreshToken

from tests.access.oauth.flow import Flow, fields, returned


def text(page: object) -> str:
    """The words of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split())  # type: ignore[attr-defined]


def test_who_is_not_signed_in_is_asked_to_and_comes_back(flow: Flow) -> None:
    answer = Client().get(flow.authorization())
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=/oauth/authorize%3F")


def test_the_consent_page_says_who_asks_for_whom_and_where_one_is_sent(flow: Flow) -> None:
    page = text(flow.authorize())
    assert "An application that calls itself Test client asks" in page
    assert "signed in as alice" in page
    assert "sent back to client.example.com" in page


def test_the_consent_page_says_in_words_what_the_client_will_be_able_to_do(flow: Flow) -> None:
    flow.user.user_permissions.set(Permission.objects.filter(content_type__app_label="airfare"))
    page = text(flow.authorize(scope="openid email offline_access"))
    assert "search and read what you may read here: Airfare" in page
    assert "stay connected until you disconnect it" in page
    assert "know your e-mail address" in page
    assert "know your name" not in page
    assert "not be able to change data" in page


def test_the_consent_page_tells_somebody_who_may_read_nothing(flow: Flow) -> None:
    assert "Your account may not read anything yet" in text(flow.authorize())


def test_a_program_on_ones_own_machine_is_called_that(flow: Flow) -> None:
    flow.register(redirect_uris=["http://localhost:6274/callback"])
    page = text(flow.authorize(redirect_uri="http://localhost:6274/callback"))
    assert "a program on your own machine, at localhost:6274" in page


def test_an_application_on_ones_own_device_is_not_called_a_website(flow: Flow) -> None:
    flow.register(client_name="Bank", redirect_uris=["cursor://bank.example.com/callback"])
    page = text(flow.authorize(redirect_uri="cursor://bank.example.com/callback"))
    assert "whichever application on your device opens addresses that begin with cursor:" in page
    assert "bank.example.com" not in page


def test_a_clients_name_is_text_and_never_markup(flow: Flow) -> None:
    flow.register(client_name="<script>alert(1)</script>")
    assert b"<script>alert" not in flow.authorize().content


def test_consent_is_asked_for_each_time_whatever_the_client_says(flow: Flow) -> None:
    flow.tokens()
    for page in (flow.authorize(), flow.authorize(approval_prompt="auto")):
        assert "It will be able to" in text(page)


def test_a_consent_needs_the_page_and_not_only_the_cookie(flow: Flow) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(flow.user)
    page = strict.get(flow.authorization())
    body = {name: value for name, value in fields(page).items() if name != "csrfmiddlewaretoken"}
    assert strict.post(flow.authorization(), body | {"allow": "true"}).status_code == 403


def test_the_pages_cannot_be_framed_or_kept_and_can_answer_the_window_that_opened_them(flow: Flow) -> None:
    page = flow.authorize()
    assert page["X-Frame-Options"] == "DENY"
    assert "no-store" in page["Cache-Control"]
    assert page["Cross-Origin-Opener-Policy"] == "unsafe-none"


def test_only_pages_of_the_sign_in_may_answer_the_window_that_opened_them(flow: Flow) -> None:
    for path in ("/", "/oauth/connections", "/accounts/logout/", "/admin/login/"):
        assert flow.browser.get(path)["Cross-Origin-Opener-Policy"] == "same-origin"
    for path in ("/accounts/login/?another=1", flow.authorization(client_id="unknown")):
        assert flow.browser.get(path)["Cross-Origin-Opener-Policy"] == "unsafe-none"


def test_a_client_that_wants_no_page_is_told_that_one_is_needed(flow: Flow) -> None:
    assert returned(flow.authorize(prompt="none"))["error"] == "consent_required"
    assert "login_required" in Client().get(flow.authorization(prompt="none"))["Location"]


def test_a_client_that_wants_a_fresh_sign_in_gets_one(flow: Flow) -> None:
    answer = flow.authorize(prompt="login")
    assert answer["Location"].startswith("/accounts/login/?next=/oauth/authorize")
    assert "prompt" not in answer["Location"]
    page = flow.browser.get(answer["Location"])
    assert page.status_code == 200
    back = flow.browser.post(answer["Location"], {"username": "alice", "password": "secret"})["Location"]
    assert "signed in as alice" in text(flow.browser.get(back))


def test_an_address_signs_nobody_out(flow: Flow) -> None:
    flow.authorize(prompt="login")
    assert flow.authorize().status_code == 200


def test_who_is_signed_in_with_the_wrong_account_can_take_another(flow: Flow, bob: User) -> None:
    page = flow.authorize()
    found = re.search(r'href="([^"]+)">use another account', page.content.decode())
    assert found is not None
    flow.browser.get("/oauth/authorize" + html.unescape(found[1]))
    flow.browser.force_login(bob)
    assert "signed in as bob" in text(flow.authorize())


@pytest.mark.parametrize("client_id", ["unknown", "", "a\0b", "x" * 400, None])
def test_an_unknown_client_is_an_error_page(flow: Flow, client_id: str | None) -> None:
    for prompt in (None, "none"):
        page = flow.authorize(client_id=client_id, prompt=prompt)
        assert page.status_code == 400
        assert "This connection cannot be made" in text(page)


def test_a_consent_form_for_a_client_that_is_gone_is_an_error_page(flow: Flow) -> None:
    page = flow.authorize()
    Application.objects.all().delete()
    assert flow.consent(page).status_code == 400


def test_people_see_and_end_their_own_connections_only(flow: Flow, bob: User) -> None:
    held = flow.tokens()
    flow.refresh(held["refresh_token"])
    page = flow.browser.get("/oauth/connections")
    assert text(page).count("Test client") == 1
    grant = RefreshToken.objects.filter(revoked=None).get().token_family
    stranger = Flow(bob)
    assert "No application is connected" in text(stranger.browser.get("/oauth/connections"))
    stranger.browser.post("/oauth/connections", {"grant": str(grant)})
    assert RefreshToken.objects.filter(revoked=None).exists()
    flow.browser.post("/oauth/connections", {"grant": str(grant)})
    assert not RefreshToken.objects.filter(revoked=None).exists()
    assert "No application is connected" in text(flow.browser.get("/oauth/connections"))


def test_a_connection_that_is_none_is_no_error(flow: Flow) -> None:
    assert flow.browser.post("/oauth/connections", {"grant": "nonsense"}).status_code == 302


def test_the_admin_of_clients_has_its_pages(admin_client: Client, flow: Flow) -> None:
    flow.tokens()
    application = Application.objects.get()
    for path in ("application/", f"application/{application.pk}/change/", "accesstoken/", "refreshtoken/"):
        assert admin_client.get(f"/admin/oauth2_provider/{path}").status_code == 200
