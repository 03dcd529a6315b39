"""The home page and the try-out in a real browser: with scripts and without."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.site import Site

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def vera(site: Site) -> str:
    site.shell(
        "from django.contrib.auth.models import Group, User\n"
        f"user = User.objects.create_user('vera', password={PASSWORD!r})\n"
        "user.groups.add(Group.objects.get(name='readers'))"
    )
    return "vera"


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def page(request: pytest.FixtureRequest, browser: Browser, site: Site, vera: str) -> Iterator[Page]:
    context = browser.new_context(base_url=site.origin, java_script_enabled=request.param)
    page = context.new_page()
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill(vera)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    yield page
    context.close()


def test_from_the_home_page_to_an_answer_and_on_to_a_citation(page: Page, site: Site) -> None:
    page.get_by_role("link", name="Search transcripts search", exact=True).click()
    page.get_by_label("Query").fill("premium cabin")
    page.get_by_role("button", name="Call the tool").click()
    expect(page).to_have_url(f"{site.origin}/try/search/?query=premium+cabin#answer")
    page.get_by_role("link", name="Premium Cabin Demand Airline").click()
    expect(page.get_by_role("heading", name="Premium Cabin Demand Airline")).to_be_visible()


def test_rows_of_fares_lead_to_their_chart_and_a_table_without_scripts(
    page: Page, request: pytest.FixtureRequest
) -> None:
    page.goto("/try/airfare_trend_insights/?route_contains=JFK-LAX")
    page.get_by_role("link", name="See this as a chart").click()
    expect(page.get_by_role("region", name="Series")).to_be_visible()
    if "without" not in request.node.name:
        expect(page.get_by_role("heading", name="Fares by airline: route JFK-LAX")).to_be_visible()


def test_the_endpoint_is_copied(browser: Browser, site: Site) -> None:
    context = browser.new_context(base_url=site.origin, permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto("/")
    page.get_by_role("button", name=f"Copy {site.url}").first.click()
    expect(page.get_by_role("status")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == site.url
    context.close()
