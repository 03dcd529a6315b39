"""The admin in a browser: what people do there, by the site's policy."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.site import Site

pytestmark = pytest.mark.e2e

WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', each => violations.push(
    `${each.effectiveDirective} ${each.blockedURI} ${each.sourceFile}`));
"""


@pytest.fixture(scope="module")
def session(site: Site, token: str) -> str:
    """The key of a session of the first administrator; there are some calls to look at."""
    for limit in (1, 3):
        site.call(token, "airfare_trend_insights", {"limit": limit})
    return site.shell(
        "from django.contrib.auth.models import User\n"
        "from django.test import Client\n"
        "client = Client()\n"
        "client.force_login(User.objects.get(username='admin'))\n"
        "print(client.session.session_key)"
    ).splitlines()[-1]


@pytest.fixture
def context(browser: Browser, site: Site, session: str) -> Iterator[BrowserContext]:
    with signed_in(browser, site, session) as context:
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def signed_in(browser: Browser, site: Site, session: str, **options: Any) -> BrowserContext:
    context = browser.new_context(base_url=site.origin, **options)
    context.add_cookies([{"name": "sessionid", "value": session, "url": site.origin}])
    # These are not the page's own scripts, so its policy does not hold them.
    context.add_init_script(WATCH)
    return context


@pytest.mark.parametrize("path", ["/", "/admin/"])
def test_an_injected_script_does_not_run(page: Page, path: str) -> None:
    def inject(route: Route) -> None:
        response = route.fetch()
        evil = "<script>window.evil = 1</script><img src=x onerror='window.evil = 2'>"
        route.fulfill(response=response, body=response.text().replace("</body>", f"{evil}</body>"))

    page.route(lambda url: urlsplit(url).path == path, inject)
    page.goto(path)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("typeof window.evil") == "undefined"
    assert [each.split()[0] for each in page.evaluate("violations")] == ["script-src-elem", "script-src-attr"]


def test_a_route_is_chosen_and_its_table_leads_to_the_rows(page: Page) -> None:
    page.goto("/admin/")
    page.get_by_label("Route", exact=True).fill("sea-anc")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("img", name="Median fare and median premium fare on SEA-ANC")).to_be_visible()
    page.get_by_text("As a table").first.press("Enter")
    link = page.locator(".panel.wide tbody a").first
    number = link.inner_text()
    link.press("Enter")
    expect(page.get_by_text(f"{number} fare row", exact=False)).to_be_visible()


def test_the_dashboard_says_the_same_without_scripts(browser: Browser, site: Site, session: str) -> None:
    with signed_in(browser, site, session, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/admin/?route=SEA-ANC")
        assert "SEA-ANC" in page.content()
        expect(page.locator(".panel.wide tbody tr")).not_to_have_count(0)


def test_a_filter_is_typed_and_chosen_in_the_list_of_rows(page: Page) -> None:
    page.goto("/admin/airfare/farerow/")
    page.locator("#changelist a", has_text="Filters").click()
    page.get_by_label("By airline").fill("sunline")
    page.get_by_role("button", name="Apply filters").click()
    page.wait_for_url("**airline=sunline**")
    assert {each.inner_text() for each in page.locator("td.field-airline").all()} == {"Sunline"}
    assert page.evaluate("violations") == []


def test_a_fare_is_edited_in_the_list_by_the_policy(page: Page) -> None:
    page.goto("/admin/airfare/farerow/")
    fare = page.locator("#id_form-0-avg_fare_usd")
    before = fare.input_value()
    fare.fill("111")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("1 fare row was changed successfully.")).to_be_visible()
    page.locator("#id_form-0-avg_fare_usd").fill(before)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("1 fare row was changed successfully.")).to_be_visible()
    assert page.evaluate("violations") == []
