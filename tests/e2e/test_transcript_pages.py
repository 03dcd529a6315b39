"""The pages that citations lead to, in a browser without JavaScript."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.site import Site

pytestmark = pytest.mark.e2e

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PASSWORD = "reading-is-fun-7"
SLUG = "2026-02-11-premium-cabin-demand-airline"
QUESTION = "What is the real risk of adding premium seats?"
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def people(site: Site) -> Site:
    """Alice may read transcripts; Charlie has an account and no rights."""
    site.shell(
        "from django.contrib.auth.models import User, Permission\n"
        f"alice = User.objects.create_user('alice', password='{PASSWORD}')\n"
        "alice.user_permissions.add(Permission.objects.get(codename='view_transcript'))\n"
        f"User.objects.create_user('charlie', password='{PASSWORD}')"
    )
    return site


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"There is no browser at {CHROMIUM}; set CHROMIUM.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@contextmanager
def opened(browser: Browser, site: Site, size: dict[str, int]) -> Iterator[Page]:
    """A page of a fresh browser; whatever it asks another host for fails the test."""
    context: BrowserContext = browser.new_context(
        java_script_enabled=False,
        viewport={"width": size["width"], "height": size["height"]},
        base_url=site.origin,
    )
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    yield page
    context.close()
    assert {urlsplit(url).netloc for url in asked} <= {urlsplit(site.origin).netloc}


@pytest.fixture
def desk(people: Site, browser: Browser) -> Iterator[Page]:
    with opened(browser, people, DESK) as page:
        yield page


@pytest.fixture
def phone(people: Site, browser: Browser) -> Iterator[Page]:
    with opened(browser, people, PHONE) as page:
        yield page


def sign_in(page: Page, name: str = "alice", path: str = "/transcripts/") -> None:
    page.goto(path)
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()


def citation(site: Site) -> str:
    """The link of a search result, as a client is given it."""
    results = site.call(site.token("alice"), "search", {"query": QUESTION})["structuredContent"]["results"]
    return str(next(result["url"] for result in results if result["id"] == SLUG))


def shot(page: Page, name: str) -> None:
    """Keep a picture where SHOTS names a folder: for a person to look at."""
    folder = os.environ.get("SHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=name.endswith("whole"))


def test_a_citation_leads_through_the_sign_in_to_the_passage_and_highlights_it(
    people: Site, desk: Page
) -> None:
    url = citation(people)
    desk.goto(url)
    expect(desk.get_by_role("heading", name="Sign in")).to_be_visible()
    shot(desk, "sign-in")
    desk.get_by_label("Username").fill("alice")
    desk.get_by_label("Password").fill(PASSWORD)
    desk.locator("main").get_by_role("button", name="Sign in").click()
    cited = desk.get_by_role("region", name="Cited passage")
    expect(cited).to_contain_text("Every airline is adding premium seats")
    expect(cited.locator(".turn").first).to_be_in_viewport()
    ground = "getComputedStyle(document.querySelector('.cited')).backgroundColor"
    assert desk.evaluate(ground) != desk.evaluate(ground.replace(".cited", "body"))
    shot(desk, "citation")


def test_a_wrong_password_is_told_and_nothing_else(desk: Page) -> None:
    desk.goto("/accounts/login/")
    desk.get_by_label("Username").fill("alice")
    desk.get_by_label("Password").fill("wrong")
    desk.locator("main").get_by_role("button", name="Sign in").click()
    expect(desk.get_by_role("alert")).to_contain_text("correct username and password")
    shot(desk, "sign-in-wrong")


def test_the_list_shows_the_calls_latest_first(desk: Page) -> None:
    sign_in(desk)
    shot(desk, "list")
    shot(desk, "list-whole")
    days = desk.locator("main time").evaluate_all("each => each.map(time => time.dateTime)")
    assert len(days) >= 10
    assert days == sorted(days, reverse=True)


def test_a_search_on_the_list_leads_to_the_passage(desk: Page) -> None:
    sign_in(desk)
    desk.get_by_label("Search what was said").fill(QUESTION)
    desk.get_by_role("button", name="Search").click()
    shot(desk, "search")
    desk.get_by_role("link", name="Premium Cabin Demand Airline").click()
    cited = desk.get_by_role("region", name="Cited passage")
    expect(cited).to_contain_text("premium seats")
    expect(cited.locator(".turn").first).to_be_in_viewport()


def test_a_search_without_a_result_says_so(desk: Page) -> None:
    sign_in(desk)
    desk.get_by_label("Search what was said").fill("<b>zygote</b>")
    desk.get_by_role("button", name="Search").click()
    expect(desk.get_by_role("status")).to_contain_text("Nothing was found for “<b>zygote</b>”")
    shot(desk, "nothing")


def test_the_page_has_the_facts_and_the_turns_with_their_stamps(desk: Page) -> None:
    sign_in(desk, path=f"/transcripts/{SLUG}/")
    shot(desk, "transcript-whole")
    expect(desk.get_by_role("heading", level=1)).to_have_text("Premium Cabin Demand Airline")
    expect(desk.locator("dl")).to_contain_text("11 February 2026")
    expect(desk.locator("#t-00-06")).to_contain_text("Stronger than the headlines say")


def test_everything_is_reached_with_the_keyboard_alone(desk: Page) -> None:
    sign_in(desk)
    desk.goto("/transcripts/")
    desk.keyboard.press("Tab")
    expect(desk.get_by_role("link", name="Skip to the content")).to_be_focused()
    shot(desk, "skip")
    desk.keyboard.press("Enter")
    desk.keyboard.press("Tab")
    expect(desk.get_by_label("Search what was said")).to_be_focused()
    desk.keyboard.type("private islands")
    desk.keyboard.press("Enter")
    link = desk.get_by_role("link", name="Private Islands And Yield Cruise")
    expect(link).to_be_visible()
    for _ in range(30):
        desk.keyboard.press("Tab")
        if link.evaluate("element => element === document.activeElement"):
            break
    expect(link).to_be_focused()
    shot(desk, "keyboard-focus")
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("heading", level=1)).to_have_text("Private Islands And Yield Cruise")


@pytest.mark.parametrize(
    "path", ["/transcripts/", "/transcripts/?q=premium+seats", f"/transcripts/{SLUG}/?p=3", "/"]
)
def test_nothing_is_wider_than_a_phone(phone: Page, path: str) -> None:
    sign_in(phone, path=path if path != "/" else "/transcripts/")
    phone.goto(path)
    shot(phone, "phone" + "-".join(part for part in path.split("/") if part).replace("?", "-"))
    width = phone.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]


def test_the_sign_in_fits_a_phone(phone: Page) -> None:
    phone.goto("/transcripts/")
    shot(phone, "phone-sign-in")
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_without_the_right_there_is_no_such_page(desk: Page) -> None:
    sign_in(desk, name="charlie")
    answer = desk.goto(f"/transcripts/{SLUG}/")
    assert answer is not None
    assert answer.status == 404
    shot(desk, "missing")
    expect(desk.locator("body")).not_to_contain_text("Stronger than the headlines")


def test_what_is_unpublished_is_gone_at_once(people: Site, desk: Page) -> None:
    slug = "2026-03-04-private-islands-and-yield-cruise"
    sign_in(desk, path=f"/transcripts/{slug}/")
    expect(desk.get_by_role("heading", level=1)).to_be_visible()
    chosen = f"from transcripts.models import Transcript\nTranscript.objects.filter(slug='{slug}')"
    publish = chosen + ".update(published={})"
    people.shell(publish.format(False))
    try:
        answer = desk.reload()
        assert answer is not None
        assert answer.status == 404
        desk.goto("/transcripts/?q=private+islands")
        expect(desk.get_by_role("link", name="Private Islands And Yield Cruise")).to_have_count(0)
    finally:
        people.shell(publish.format(True))


@pytest.mark.parametrize("path", ["/transcripts/", f"/transcripts/{SLUG}/?p=3", "/accounts/login/"])
def test_no_page_holds_a_script_or_a_style_of_its_own(desk: Page, path: str) -> None:
    sign_in(desk)
    desk.goto(path)
    assert desk.locator("script, style, [style], [onclick]").count() == 0
