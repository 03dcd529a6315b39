"""The pictures of the README: `make screenshots`.

Starts a server with the bundled data, opens the pages in Chromium, and writes docs/screenshots/*.png.
"""

from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.browsers import CHROMIUM, consent_page
from tests.site import ROOT, Site, running

SHOTS = ROOT / "docs" / "screenshots"
SIZE = {"width": 1120, "height": 760}
PASSWORD = "correct horse battery"


def main() -> None:
    """Take all pictures anew."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    # As a company would have it, with some calls to look at.
    with running({"DEBUG": "0", "SECRET_KEY": "of the screenshots " * 3, "SITE_NAME": "Acme Data"}) as site:
        prepare(site)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM.path, args=list(CHROMIUM.arguments))
            take(browser, site)
            browser.close()


def prepare(site: Site) -> None:
    """An analyst, a curator, and a morning's calls."""
    site.shell(
        "from django.contrib.auth.models import Group, User\n"
        f"alice = User.objects.create_user('alice', password={PASSWORD!r})\n"
        "alice.groups.add(Group.objects.get(name='readers'))\n"
        f"User.objects.create_superuser('claire', password={PASSWORD!r})"
    )
    token = site.token("alice")
    for route in ("JFK-LAX", "LHR", "BOS", "SEA", "DEN"):
        site.call(token, "airfare_trend_insights", {"route_contains": route})
        site.call(token, "airfare_fare_summary", {"route_contains": route, "group_by": "airline"})
        site.call(token, "search", {"query": f"fares {route}"})
    site.call(token, "airfare_trend_insights", {"limit": 500})


def take(browser: Browser, site: Site) -> None:
    """Each picture."""
    with_alice = signed_in(browser, site, "alice")
    shot(with_alice, "home", "/")
    shot(with_alice, "try-out", "/try/show_fare_trends/?route_contains=JFK-LAX")
    shot(with_alice, "citation", "/transcripts/2026-02-11-premium-cabin-demand-airline/?p=2#t-00-02")
    shot(with_alice, "consent", consent_page(site))
    with_claire = signed_in(browser, site, "claire")
    shot(with_claire, "dashboard", "/admin/")
    shot(with_claire, "curating", "/admin/airfare/farerow/1/change/")


def signed_in(browser: Browser, site: Site, who: str) -> Page:
    page = browser.new_context(base_url=site.origin, viewport=SIZE, color_scheme="light").new_page()  # type: ignore[arg-type]
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill(who)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("/")
    return page


def shot(page: Page, name: str, path: str) -> None:
    page.goto(path, wait_until="networkidle")
    page.screenshot(path=SHOTS / f"{name}.png", animations="disabled")
    print(f"docs/screenshots/{name}.png")  # noqa: T201 (a command's output)


if __name__ == "__main__":
    main()
