"""A session that ends in the middle of an edit does not lose the edit, and gives it to nobody else."""

import re
from html import unescape
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django import Settings

from mcpsite.access.admin import PersonAdmin
from mcpsite.access.models import Identity
from mcpsite.access.signin import stored_edits
from tests.access.signin.conftest import Browser

ADD = "/admin/auth/group/add/"
ORIGIN = {"Origin": "http://testserver"}


@pytest.fixture
def curator(client: Client, db: None) -> User:
    user = User.objects.create_superuser("curator", password="secret")
    client.force_login(user)
    return user


def fields_of(answer: Any) -> dict[str, str]:
    """The hidden and text fields of a page's form."""
    page = answer.content.decode()
    found = {}
    for tag in re.findall(r"<input\b[^>]*>", page):
        attributes = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
        if attributes.get("type") not in ("checkbox", "submit", "radio") and "name" in attributes:
            found[attributes["name"]] = unescape(attributes.get("value", ""))
    return found


def expire(client: Client) -> None:
    """The session is over, as after its time; the browser has all its cookies."""
    Session.objects.all().delete()


def sign_in(client: Client, location: str, username: str = "curator") -> Any:
    next_page = fields_of(client.get(location))["next"]
    return client.post("/accounts/login/", {"username": username, "password": "secret", "next": next_page})


def send(client: Client, **changes: str) -> Any:
    """Open the form for a new group, let the session end, and save."""
    fields = fields_of(client.get(ADD))
    expire(client)
    return client.post(ADD, fields | {"name": "desk"} | changes)


def test_an_edit_comes_back_with_a_note_and_nothing_is_saved(client: Client, curator: User) -> None:
    answer = send(client)
    assert answer["Location"].startswith("/accounts/login/?next=%2Fadmin%2Fauth%2Fgroup%2Fadd%2F%3Fkept%3D")
    assert "your changes are kept" in client.get(answer["Location"]).content.decode()
    back = sign_in(client, answer["Location"])["Location"]
    form = client.get(back)
    page = form.content.decode()
    assert fields_of(form)["name"] == "desk"
    assert stored_edits.NOTE in page
    assert "Please correct" not in page
    assert not Group.objects.filter(name="desk").exists()
    assert client.post(back, fields_of(form)).status_code == 302
    assert Group.objects.filter(name="desk").exists()


def test_after_it_is_saved_nothing_is_kept(client: Client, curator: User) -> None:
    back = sign_in(client, send(client)["Location"])["Location"]
    client.post(back, fields_of(client.get(back)))
    assert fields_of(client.get(back))["name"] == ""
    assert not client.session["kept_edits"]


def test_looking_twice_shows_it_twice(client: Client, curator: User) -> None:
    back = sign_in(client, send(client)["Location"])["Location"]
    assert fields_of(client.get(back))["name"] == fields_of(client.get(back))["name"] == "desk"


def test_the_page_without_the_address_of_the_edit_is_as_ever(client: Client, curator: User) -> None:
    sign_in(client, send(client)["Location"])
    assert fields_of(client.get(ADD))["name"] == ""


def test_somebody_else_who_signs_in_does_not_see_it(client: Client, curator: User) -> None:
    User.objects.create_superuser("other", password="secret")
    back = sign_in(client, send(client)["Location"], "other")["Location"]
    form = client.get(back)
    assert fields_of(form)["name"] == ""
    assert stored_edits.NOTE not in form.content.decode()


def test_another_browser_does_not_see_it(client: Client, curator: User) -> None:
    back = sign_in(client, send(client)["Location"])["Location"]
    elsewhere = Client()
    elsewhere.force_login(curator)
    assert fields_of(elsewhere.get(back))["name"] == ""


@pytest.mark.parametrize("editor", ["", "forged", "1", None])
def test_a_form_that_names_no_editor_is_not_kept(client: Client, curator: User, editor: str | None) -> None:
    fields = fields_of(client.get(ADD))
    assert fields.pop("_editor")
    expire(client)
    answer = client.post(ADD, fields | {"name": "desk"} | ({} if editor is None else {"_editor": editor}))
    assert answer["Location"] == "/accounts/login/?next=%2Fadmin%2Fauth%2Fgroup%2Fadd%2F"
    assert "was not carried out" in client.get(answer["Location"]).content.decode()
    assert "kept_edits" not in client.session


def test_a_stranger_keeps_nothing_here(client: Client, db: None) -> None:
    client.post(ADD, {"name": "desk"})
    assert "kept_edits" not in client.session


def test_passwords_and_tokens_are_not_kept(client: Client, curator: User) -> None:
    path = "/admin/auth/user/add/"
    fields = fields_of(client.get(path))
    expire(client)
    answer = client.post(path, fields | {"username": "new", "password1": "s3cret", "password2": "s3cret"})
    (edit,) = client.session["kept_edits"].values()
    assert "username=new" in edit["fields"]
    for word in ("s3cret", "csrf", "_editor"):
        assert word not in edit["fields"]
    back = sign_in(client, answer["Location"])["Location"]
    form = fields_of(client.get(back))
    assert form["username"] == "new"
    assert form.get("password1", "") == ""
    assert not User.objects.filter(username="new").exists()


def test_what_is_too_long_is_not_kept(client: Client, curator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_edits, "MAX_BYTES", 1000)
    answer = send(client, name="x" * 1000)
    assert "kept" not in answer["Location"]


def test_the_oldest_edit_goes_where_there_are_too_many(
    client: Client, curator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_edits, "MAX_BYTES", 700)
    fields = fields_of(client.get(ADD))
    expire(client)
    for name in ("first", "second", "third"):
        client.post(ADD, fields | {"name": name + "x" * 300})
    held = client.session["kept_edits"].values()
    assert [each["fields"].partition("name=")[2][:5] for each in held] == ["secon", "third"]


def test_an_edit_is_not_kept_for_ever(client: Client, curator: User) -> None:
    back = sign_in(client, send(client)["Location"])["Location"]
    session = client.session
    for edit in session["kept_edits"].values():
        edit["at"] -= stored_edits.LONGEST + 1
    session.save()
    assert fields_of(client.get(back))["name"] == ""


def test_what_is_kept_cannot_be_shown_on_another_form(client: Client, curator: User) -> None:
    back = sign_in(client, send(client)["Location"])["Location"]
    other = client.get(back.replace("/auth/group/", "/access/identity/"))
    assert stored_edits.NOTE not in other.content.decode()


def test_somebody_who_may_no_longer_edit_gets_no_form(client: Client, curator: User) -> None:
    back = sign_in(client, send(client)["Location"])["Location"]
    User.objects.update(is_superuser=False)
    assert client.get(back).status_code == 403


def test_values_that_are_not_right_come_back_with_what_is_wrong(client: Client, curator: User) -> None:
    Group.objects.create(name="taken")
    back = sign_in(client, send(client, name="taken")["Location"])["Location"]
    form = client.get(back)
    assert fields_of(form)["name"] == "taken"
    assert "already exists" in form.content.decode()


class Identities(admin.TabularInline):  # type: ignore[type-arg]
    model = Identity
    extra = 0
    fields = ("issuer", "subject")


def test_rows_of_an_inline_come_back_changed_and_new(
    client: Client, curator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PersonAdmin, "inlines", [Identities])
    held = Identity.objects.create(issuer="https://a.example.com", subject="held", user=curator)
    path = f"/admin/auth/user/{curator.pk}/change/"
    fields = fields_of(client.get(path))
    changes = {
        "first_name": "Curious",
        "identities-TOTAL_FORMS": "2",
        "identities-0-subject": "changed",
        "identities-1-issuer": "https://b.example.com",
        "identities-1-subject": "new",
        "identities-1-user": str(curator.pk),
        "is_active": "on",
        "is_staff": "on",
        "is_superuser": "on",
    }
    expire(client)
    answer = client.post(path, fields | changes)
    back = sign_in(client, answer["Location"])["Location"]
    form = fields_of(client.get(back))
    assert form["first_name"] == "Curious"
    assert (form["identities-0-subject"], form["identities-1-subject"]) == ("changed", "new")
    assert form["identities-0-id"] == str(held.pk)
    assert Identity.objects.get().subject == "held"
    sent = form | {"is_active": "on", "is_staff": "on", "is_superuser": "on"}
    assert client.post(back, sent).status_code == 302
    assert set(Identity.objects.values_list("subject", flat=True)) == {"changed", "new"}


def test_signing_out_forgets_what_was_kept(client: Client, curator: User) -> None:
    sign_in(client, send(client)["Location"])
    client.post("/accounts/logout/")
    assert "kept_edits" not in client.session


def test_a_form_of_before_a_sign_in_elsewhere_is_shown_again(curator: User) -> None:
    """Signed in anew in another tab: the form of the first tab has an old CSRF token."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(curator)
    fields = fields_of(browser.get(ADD))
    expire(browser)
    browser.post(
        "/accounts/login/",
        fields_of(browser.get("/accounts/login/")) | {"username": "curator", "password": "secret"},
    )
    answer = browser.post(ADD, fields | {"name": "desk"}, headers=ORIGIN)
    assert answer["Location"].startswith(f"{ADD}?kept=")
    form = browser.get(answer["Location"])
    assert fields_of(form)["name"] == "desk"
    assert browser.post(answer["Location"], fields_of(form), headers=ORIGIN).status_code == 302
    assert Group.objects.filter(name="desk").exists()


def test_a_form_of_somebody_elses_session_is_not_handed_over(curator: User) -> None:
    User.objects.create_superuser("other", password="secret")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(curator)
    fields = fields_of(browser.get(ADD))
    expire(browser)
    credentials = {"username": "other", "password": "secret"}
    browser.post("/accounts/login/", fields_of(browser.get("/accounts/login/")) | credentials)
    answer = browser.post(ADD, fields | {"name": "desk"}, headers=ORIGIN)
    assert answer.status_code == 403
    assert "This page has expired" in answer.content.decode()
    assert "kept_edits" not in browser.session


@pytest.mark.parametrize("origin", [{"Origin": "https://attacker.example"}, {"Origin": "null"}, {}])
def test_a_forged_form_of_another_site_is_not_kept(curator: User, origin: dict[str, str]) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(curator)
    fields = fields_of(browser.get(ADD))
    del fields["csrfmiddlewaretoken"]
    answer = browser.post(ADD, fields | {"name": "desk"}, headers=origin)
    assert answer.status_code == 403
    assert "Open the page again" in answer.content.decode()
    assert "kept_edits" not in browser.session


# With the provider


def test_a_renewal_in_the_middle_of_an_edit_gives_it_back(browser: Browser) -> None:
    browser.sign_in(groups=["operators"])
    fields = fields_of(browser.client.get(ADD))
    browser.session_age(901)
    page = browser.client.post(ADD, fields | {"name": "desk"}).content.decode()
    start = unescape(page.partition('content="0; url=')[2].partition('"')[0])
    back = browser.renew(start, groups=["operators"])["Location"]
    form = browser.client.get(back)
    assert fields_of(form)["name"] == "desk"
    assert browser.client.post(back, fields_of(form)).status_code == 302
    assert Group.objects.filter(name="desk").exists()


def test_a_refused_renewal_keeps_the_edit_for_the_next_sign_in(browser: Browser) -> None:
    browser.sign_in(groups=["operators"])
    fields = fields_of(browser.client.get(ADD))
    browser.session_age(901)
    page = browser.client.post(ADD, fields | {"name": "desk"}).content.decode()
    start = unescape(page.partition('content="0; url=')[2].partition('"')[0])
    to_provider = browser.client.get(start)["Location"]
    answer = browser.come_back(browser.op.refuse(to_provider, "login_required"))
    page = browser.client.get(answer["Location"]).content.decode()
    assert "your changes are kept" in page
    start = unescape(page.partition('href="/accounts/oidc/start/')[2].partition('"')[0])
    back = browser.renew(f"/accounts/oidc/start/{start}", groups=["operators"])["Location"]
    assert fields_of(browser.client.get(back))["name"] == "desk"


def test_an_edit_of_an_outage_is_kept_until_it_is_over(browser: Browser, settings: Settings) -> None:
    browser.sign_in(groups=["operators"])
    fields = fields_of(browser.client.get(ADD))
    issuer, settings.OIDC_ISSUER = settings.OIDC_ISSUER, "http://127.0.0.1:9"
    browser.session_age(1801)
    answer = browser.client.post(ADD, fields | {"name": "desk"})
    assert answer.status_code == 503
    page = answer.content.decode()
    assert "Your changes are kept" in page
    settings.OIDC_ISSUER = issuer
    again = unescape(page.partition('class="button primary" href="')[2].partition('"')[0])
    assert "kept=" in again
    back = browser.renew(browser.client.get(again)["Location"], groups=["operators"])["Location"]
    assert fields_of(browser.client.get(back))["name"] == "desk"
