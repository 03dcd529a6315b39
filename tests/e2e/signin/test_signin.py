"""People sign in and out in a real browser: with the company's provider, with a password, and in trouble."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import Error as PlaywrightError

from tests.e2e.looking import looked_at, shot
from tests.e2e.provider import Provider
from tests.e2e.signin.conftest import (
    PASSWORD,
    at_provider,
    end_sessions,
    let_time_pass,
    opened,
    sign_in,
    with_password,
)
from tests.site import Site

pytestmark = pytest.mark.e2e

ADD_GROUP = "/admin/auth/group/add/"


def test_somebody_of_the_staff_group_gets_into_the_admin_and_signs_out_of_both(page: Page) -> None:
    page.goto("/admin/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert looked_at(page, "sign-in/sign-in") == []
    sign_in(page, "alice")
    expect(page).to_have_url(re.compile("/admin/$"))
    page.goto("/accounts/logout/")
    assert looked_at(page, "sign-in/sign-out") == []
    page.get_by_role("button", name="Sign out").last.click()
    expect(page.get_by_role("heading", name="Sign out of the company?")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    assert looked_at(page, "sign-in/signed-out") == []
    page.get_by_role("link", name="Sign in again").click()
    page.get_by_role("link", name="Sign in with Acme").click()
    expect(page.get_by_role("heading", name="Company sign-in")).to_be_visible()


def test_somebody_without_the_group_is_told_so_and_whom_to_ask(page: Page) -> None:
    page.goto("/admin/")
    sign_in(page, "bob")
    expect(page.get_by_role("heading", name="No access to the admin")).to_be_visible()
    expect(page.get_by_role("link", name="data-desk@example.com")).to_be_visible()
    assert looked_at(page, "sign-in/not-staff") == []
    page.get_by_role("button", name="Sign in as somebody else").click()
    sign_in(page, "alice")
    expect(page).to_have_url(re.compile("/admin/$"))


def test_cancelling_at_the_provider_is_a_page_that_leads_back(page: Page) -> None:
    page.goto("/accounts/login/?next=/transcripts/")
    page.get_by_role("link", name="Sign in with Acme").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="You may not sign in here")).to_be_visible()
    assert looked_at(page, "sign-in/cancelled") == []
    page.get_by_role("link", name="Try again").click()
    sign_in(page, "bob")
    expect(page).to_have_url(re.compile("/transcripts/$"))


def test_a_wrong_state_is_a_page_that_leads_back(page: Page) -> None:
    page.goto("/accounts/oidc/callback/?code=stolen&state=guessed")
    expect(page.get_by_role("alert")).to_contain_text("started in another browser")
    assert looked_at(page, "sign-in/wrong-state") == []
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_while_the_provider_is_down_a_password_still_works(
    browser: Browser, company: Site, provider: Provider
) -> None:
    provider.go_away()
    try:
        # What was read of the provider a moment ago still counts as fresh.
        with opened(browser, company) as page:
            expect_down(page)
            assert looked_at(page, "sign-in/provider-down") == []
            page.get_by_role("link", name="Home").click()
            page.goto("/accounts/login/?next=/admin/")
            with_password(page)
            expect(page).to_have_url(re.compile("/admin/$"))
    finally:
        provider.come_back()
    with opened(browser, company) as page:
        expect_up(page)


def expect_up(page: Page) -> None:
    """The site looks for the provider again when the time is over that its page tells people to wait."""
    heading = page.get_by_role("heading", name="Company sign-in")
    for _ in range(60):
        page.goto("/accounts/oidc/start/")
        if heading.is_visible():
            break
        page.wait_for_timeout(1000)
    expect(heading).to_be_visible()


def expect_down(page: Page) -> None:
    page.goto("/accounts/login/")
    for _ in range(45):
        try:
            page.goto("/accounts/oidc/start/")
        except PlaywrightError:  # the browser's own page for a provider that is not there
            page.wait_for_timeout(1000)
        else:
            break
    expect(page.get_by_role("heading", name="Sign-in is unavailable")).to_be_visible()


def test_a_session_that_ends_while_somebody_types_gives_the_edit_back(page: Page, company: Site) -> None:
    page.goto(ADD_GROUP)
    sign_in(page, "alice")
    page.get_by_label("Name").fill("the desk")
    end_sessions(company)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".note")).to_contain_text("your changes are kept")
    assert looked_at(page, "sign-in/kept-sign-in") == []
    page.get_by_role("link", name="Sign in with Acme").click()
    expect(page.get_by_text("Your changes were restored; check and save them.")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("the desk")
    shot(page, "sign-in/kept-form")
    assert company.shell(GROUPS) == "0"
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    assert company.shell(GROUPS) == "1"


GROUPS = "from django.contrib.auth.models import Group\nprint(Group.objects.filter(name='the desk').count())"


def test_a_renewal_that_is_due_when_somebody_saves_gives_the_edit_back(page: Page, company: Site) -> None:
    page.goto("/admin/auth/group/add/")
    sign_in(page, "alice")
    page.get_by_label("Name").fill("renewed")
    let_time_pass(company, 1000)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Your changes were restored; check and save them.")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("renewed")


def test_somebody_demoted_at_the_provider_is_out_at_the_next_save(
    page: Page, company: Site, provider: Provider
) -> None:
    provider.account("carol", groups=["staff"])
    page.goto(ADD_GROUP)
    sign_in(page, "carol")
    page.get_by_label("Name").fill("carol's own")
    provider.account("carol", groups=[])
    let_time_pass(company, 1000)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", name="No access to the admin")).to_be_visible()


def test_an_edit_of_a_transcript_comes_back_too(browser: Browser, company: Site) -> None:
    with opened(browser, company) as page:
        page.goto("/admin/transcripts/transcript/1/change/")
        with_password(page)
        field = page.locator("input[name=title]")
        field.fill("A title that was typed for an hour")
        end_sessions(company)
        page.get_by_role("button", name="Save", exact=True).click()
        with_password(page)
        expect(page.get_by_text("Your changes were restored; check and save them.")).to_be_visible()
        expect(field).to_have_value("A title that was typed for an hour")


def test_without_a_provider_a_password_signs_in_and_out(browser: Browser, site: Site) -> None:
    site.shell(
        "from django.contrib.auth.models import User\n"
        f"User.objects.create_superuser('sign-in-test', password={PASSWORD!r})"
    )
    with opened(browser, site) as page:
        page.goto("/admin/")
        assert looked_at(page, "sign-in/password-only") == []
        page.get_by_label("Username").fill("sign-in-test")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(re.compile("/admin/$"))
        page.goto("/")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()


def test_the_consent_page_is_reached_by_way_of_the_provider(page: Page) -> None:
    """An unknown client gets no consent page, but only whoever is signed in learns that."""
    page.goto("/oauth/authorize?client_id=unknown&response_type=code")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_role("link", name="Sign in with Acme").click()
    at_provider(page, "bob")
    assert page.url.partition("?")[0].endswith("/oauth/authorize")


def test_too_many_wrong_passwords_are_a_page(page: Page) -> None:
    """The last of this module, for it uses up what this machine may try."""
    for _ in range(6):
        page.goto("/accounts/login/")
        with_password(page, "nobody", "wrong")
    expect(page.get_by_role("heading", name="Too many wrong passwords")).to_be_visible()
    assert looked_at(page, "sign-in/too-many") == []
