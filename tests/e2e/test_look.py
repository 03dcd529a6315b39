"""Every page in a real browser, at 1280 and at 360 pixels, in light and in dark.

A page is a line in PAGES: whose it is, and its address. What is looked for is the same for all: axe-core
finds nothing serious, nothing scrolls sideways, the console is silent, the policy is kept, and no other
host is asked.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from tests.e2e.browsers import consent_page
from tests.e2e.looking import looked_at
from tests.site import Site, running

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse battery"
NOBODY = ""
CITED = "/transcripts/2026-02-11-premium-cabin-demand-airline/?p=3"


class Look(NamedTuple):
    """One page."""

    name: str
    who: str
    path: str
    status: int = 200


PAGES = [
    Look("home", NOBODY, "/"),
    Look("home-analyst", "alice", "/"),
    Look("home-without-rights", "charlie", "/"),
    Look("home-staff", "root", "/"),
    Look("tools", "alice", "/try/"),
    Look("tools-none", "charlie", "/try/"),
    Look("tool", "alice", "/try/airfare_fare_summary/"),
    Look("tool-rows", "alice", "/try/airfare_trend_insights/?route_contains=JFK"),
    Look("tool-chart", "alice", "/try/show_fare_trends/?route_contains=JFK-LAX"),
    Look("tool-limited", "alice", "/try/search_transcripts/?query=cabin", 429),
    Look("tool-error", "alice", "/try/airfare_trend_insights/?limit=300"),
    Look("tool-field-error", "alice", "/try/airfare_trend_insights/?limit=many"),
    Look("tool-citations", "alice", "/try/search/?query=premium+cabin"),
    Look("tool-document", "alice", "/try/fetch/?id=2026-02-11-premium-cabin-demand-airline"),
    Look("transcripts", "alice", "/transcripts/"),
    Look("transcripts-found", "alice", "/transcripts/?q=premium+cabin"),
    Look("transcript-cited", "alice", CITED),
    Look("consent", "alice", "{consent}"),
    Look("consent-without-rights", "charlie", "{consent}"),
    Look("consent-fault", "alice", "/oauth/authorize?client_id=nobody", 400),
    Look("connections", "alice", "/oauth/connections"),
    Look("login", NOBODY, "/accounts/login/"),
    Look("login-for-a-page", NOBODY, "/accounts/login/?next=/transcripts/"),
    Look("signed-out", NOBODY, "/accounts/signed-out/"),
    Look("not-staff", "alice", "/admin/", 403),
    Look("not-found", "alice", "/nothing/", 404),
    Look("admin", "root", "/admin/"),
    Look("admin-rows", "root", "/admin/airfare/farerow/"),
    Look("admin-row", "root", "/admin/airfare/farerow/1/change/"),
    Look("admin-files", "root", "/admin/datasets/sourcefile/"),
    Look("admin-transcripts", "root", "/admin/transcripts/transcript/"),
    Look("admin-transcript", "root", "/admin/transcripts/transcript/1/change/"),
    Look("admin-upload", "root", "/admin/uploads/upload/new/airfare/"),
    Look("admin-history", "root", "/admin/history/change/"),
    Look("admin-uploads", "root", "/admin/uploads/upload/"),
    Look("admin-calls", "root", "/admin/access/auditevent/"),
    Look("admin-file", "root", "/admin/datasets/sourcefile/1/change/"),
    Look("admin-turns", "root", "/admin/transcripts/transcript/1/read/"),
    Look("admin-transcript-history", "root", "/admin/transcripts/transcript/1/history/"),
    Look("admin-collection", "root", "/admin/transcripts/collection/1/change/"),
    Look("admin-people", "root", "/admin/auth/user/"),
    Look("admin-new-person", "root", "/admin/auth/user/add/"),
    Look("admin-person", "root", "/admin/auth/user/1/change/"),
    Look("admin-password", "root", "/admin/auth/user/1/password/"),
    Look("admin-group", "root", "/admin/auth/group/1/change/"),
    Look("admin-identities", "root", "/admin/access/identity/"),
    Look("admin-new-identity", "root", "/admin/access/identity/add/"),
    Look("admin-clients", "root", "/admin/oauth2_provider/application/"),
    Look("admin-new-client", "root", "/admin/oauth2_provider/application/add/"),
    Look("admin-tokens", "root", "/admin/oauth2_provider/accesstoken/"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Site]:
    """A site as in production, so that its own error pages are shown."""
    with running(
        {"DEBUG": "0", "SECRET_KEY": "of a test " * 5, "TOOL_RATE_LIMITS": "search_transcripts=1/day"}
    ) as site:
        site.shell(
            "from django.contrib.auth.models import Group, User\n"
            f"alice = User.objects.create_user('alice', password={PASSWORD!r})\n"
            "alice.groups.add(Group.objects.get(name='readers'))\n"
            f"User.objects.create_user('charlie', password={PASSWORD!r})\n"
            f"User.objects.create_superuser('root', password={PASSWORD!r})"
        )
        # So that the page which shows a limit shows it.
        site.call(site.token("alice"), "search_transcripts", {"query": "cabin"})
        yield site


@pytest.fixture(scope="module")
def consent(server: Site) -> str:
    return consent_page(server)


@pytest.fixture(scope="module")
def contexts(browser: Browser, server: Site) -> Iterator[dict[str, BrowserContext]]:
    """A browser for each person, signed in once."""
    made: dict[str, BrowserContext] = {}
    for who in sorted({look.who for look in PAGES}):
        made[who] = context = browser.new_context(base_url=server.origin, locale="en-GB", bypass_csp=False)
        if who:
            page = context.new_page()
            page.goto("/accounts/login/")
            page.get_by_label("Username").fill(who)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url("/")  # to close it on its way has made the browser hang
            page.close()
    yield made
    for context in made.values():
        context.close()


@pytest.mark.parametrize("look", PAGES, ids=lambda look: look.name)
def test_a_page_looks_as_it_should(
    look: Look, contexts: dict[str, BrowserContext], server: Site, consent: str
) -> None:
    page = contexts[look.who].new_page()
    complaints = watch(page, server.origin, look.status)
    try:
        answer = page.goto(look.path.format(consent=consent), wait_until="load")
        assert answer is not None
        assert answer.status == look.status
        complaints += looked_at(page, f"look/{look.name}", reload=True)
    finally:
        page.close()
    assert list(dict.fromkeys(complaints)) == []


def watch(page: Page, origin: str, status: int) -> list[str]:
    """What the page complains about from now on, and what it asks of other hosts."""
    complaints: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        # The browser itself notes a page's own status.
        expected = status >= 400 and f"status of {status}" in message.text
        if message.type in ("error", "warning") and not expected:
            complaints.append(f"console: {message.text}")

    def look(request: Request) -> None:
        if not request.url.startswith((f"{origin}/", "data:", "blob:")):
            complaints.append(f"asks {request.url}")

    page.on("console", complain)
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("request", look)
    return complaints
