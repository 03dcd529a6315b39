"""A site that people sign in to with the company's provider, and their browsers."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.e2e.provider import Provider, password
from tests.site import Site, running

PASSWORD = "correct horse battery"
# Only refusals are meant to have these, and a browser reports them as errors of its own.
EXPECTED = ("status of 403", "status of 503", "status of 400", "status of 429")


@pytest.fixture(scope="module")
def company(provider: Provider) -> Iterator[Site]:
    """A site with the provider: its group `staff` are the superusers. Bob is in no group."""
    settings = {
        "OIDC_ISSUER": provider.issuer,
        "OIDC_RP_CLIENT_ID": "site",
        "OIDC_RP_CLIENT_SECRET": "s3cret:&",
        "OIDC_SUPERUSER_GROUP": "staff",
        "OIDC_SIGN_IN_NAME": "Acme",
        "SUPPORT_CONTACT": "data-desk@example.com",
        "FAILED_SIGN_IN_RATE_LIMIT": "5/minute",
    }
    with running(settings) as site:
        provider.application(
            "site",
            "s3cret:&",
            redirect_uris=[f"{site.origin}/accounts/oidc/callback/"],
            post_logout_redirect_uris=[f"{site.origin}/accounts/signed-out/"],
        )
        site.shell(
            "from django.contrib.auth.models import User\n"
            f"User.objects.create_superuser('curator', password={PASSWORD!r})"
        )
        yield site


@pytest.fixture
def page(browser: Browser, company: Site) -> Iterator[Page]:
    with opened(browser, company) as fresh:
        yield fresh


@contextmanager
def opened(browser: Browser, site: Site) -> Iterator[Page]:
    """A browser of one's own; what its console complains about fails the test."""
    context = browser.new_context(base_url=site.origin, locale="en-GB")
    fresh = context.new_page()
    complaints: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        ours = str(message.location["url"]).startswith(site.origin)
        if message.type == "error" and ours and not any(words in message.text for words in EXPECTED):
            complaints.append(message.text)

    fresh.on("console", complain)
    yield fresh
    context.close()
    assert complaints == []


def sign_in(page: Page, login: str) -> None:
    """From the site's sign-in page by way of the provider."""
    page.get_by_role("link", name="Sign in with Acme").click()
    at_provider(page, login)


def at_provider(page: Page, login: str) -> None:
    page.get_by_role("heading", name="Company sign-in").wait_for()
    page.get_by_label("Username").fill(login)
    page.get_by_label("Password").fill(password(login))
    page.get_by_role("button", name="Sign in").click()


def with_password(page: Page, username: str = "curator", word: str = PASSWORD) -> None:
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(word)
    page.get_by_role("button", name="Sign in with a password").click()


def end_sessions(site: Site) -> None:
    """All sessions are over, as after their time; the browsers keep their cookies."""
    site.shell("from django.contrib.sessions.models import Session\nSession.objects.all().delete()")


def let_time_pass(site: Site, seconds: int) -> None:
    """So many seconds since the provider vouched for anybody."""
    site.shell(
        "from django.contrib.sessions.backends.db import SessionStore\n"
        "from django.contrib.sessions.models import Session\n"
        "for held in Session.objects.all():\n"
        "    store = SessionStore(held.session_key)\n"
        "    if 'oidc_renewed_at' in store:\n"
        f"        store['oidc_renewed_at'] -= {seconds}\n"
        "        store.save()"
    )
