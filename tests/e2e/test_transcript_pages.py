"""The transcript pages in a real browser, against a real server: read, search, cite, keyboard, phone."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect

from tests.e2e.looking import shot
from tests.site import Site

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse battery"
AIRLINE = "/transcripts/2026-02-11-premium-cabin-demand-airline/"


@pytest.fixture(scope="module")
def alice(site: Site) -> str:
    """The name of somebody who may read what `readers` may."""
    site.shell(
        "from django.contrib.auth.models import Group, User\n"
        f"user = User.objects.create_user('alice', password={PASSWORD!r})\n"
        "user.groups.add(Group.objects.get(name='readers'))"
    )
    return "alice"


@pytest.fixture
def page(browser: Browser, site: Site, alice: str) -> Iterator[Page]:
    """A page of a browser without JavaScript; whatever the page complains about fails the test."""
    context = browser.new_context(base_url=site.origin, java_script_enabled=False, locale="en-GB")
    fresh = context.new_page()
    complaints: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def look(response: Response) -> None:
        if response.status >= 400:
            complaints.append(f"{response.status} {response.url}")

    fresh.on("console", complain)
    fresh.on("response", look)
    yield fresh
    context.close()
    assert complaints == []


def sign_in(page: Page) -> None:
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_a_citation_opens_after_sign_in_at_its_passage_and_highlights_it(
    page: Page, site: Site, token: str
) -> None:
    found = site.call(token, "search_transcripts", {"query": "upgrade income incremental", "limit": 1})
    url = found["structuredContent"]["passages"][0]["url"]
    page.goto(url)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    shot(page, "transcripts/sign-in")
    sign_in(page)
    # The server never sees what follows #, so the page may open at its top: it leads to the passage.
    assert page.url.partition("#")[0] == url.partition("#")[0]
    page.get_by_role("link", name="Go to the cited passage").click()
    expect(page.get_by_role("region", name="Cited passage")).to_be_in_viewport()
    page.goto("/transcripts/")
    page.goto(url)
    anchor = url.partition("#")[2]
    cited = page.get_by_role("region", name="Cited passage")
    expect(cited).to_be_in_viewport()
    expect(cited.locator(f"#{anchor}")).to_be_in_viewport()
    plain = page.locator(".turn").first.evaluate("e => getComputedStyle(e).backgroundColor")
    assert cited.evaluate("e => getComputedStyle(e).backgroundColor") != plain
    shot(page, "transcripts/passage")


def test_list_search_and_a_result_lead_to_the_passage(page: Page) -> None:
    page.goto("/transcripts/")
    sign_in(page)
    expect(page.get_by_role("heading", name="Transcripts", level=1)).to_be_visible()
    assert page.locator(".results > li").count() >= 10
    shot(page, "transcripts/list")
    page.get_by_label("Search what was said").fill("Who pays for premium cabin seats?")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("status")).to_contain_text("best first")
    shot(page, "transcripts/results")
    page.get_by_role("link", name="Premium Cabin Demand Airline").click()
    expect(page).to_have_url(re.compile(re.escape(AIRLINE) + r"\?p=\d+&v=\w{8}&q=.*#t-\d\d-\d\d$"))
    expect(page.get_by_role("region", name="Cited passage")).to_be_in_viewport()


def test_all_of_it_works_by_keyboard(page: Page) -> None:
    page.goto("/transcripts/")
    page.get_by_label("Username").press_sequentially("alice")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Transcripts", level=1)).to_be_visible()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    shot(page, "transcripts/skip-link")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    field = page.get_by_label("Search what was said")
    expect(field).to_be_focused()
    assert field.evaluate("e => getComputedStyle(e).outlineStyle") != "none"
    page.keyboard.type("wheelchair")
    page.keyboard.press("Enter")
    link = page.locator(".results a").first
    for _ in range(20):
        page.keyboard.press("Tab")
        if link.evaluate("e => e === document.activeElement"):
            break
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Cited passage")).to_be_in_viewport()
    page.get_by_role("link", name="Transcripts for “wheelchair”").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Transcripts", level=1)).to_be_visible()


def test_one_steps_from_hit_to_hit(page: Page) -> None:
    page.goto(f"{AIRLINE}?q=premium+cabin")
    sign_in(page)
    hits = page.get_by_role("navigation", name="Passages found")
    for number in (1, 2, 3):
        hits.get_by_role("link", name="Next").click()
        expect(hits).to_contain_text(f"Passage {number} of")
        expect(hits).to_be_in_viewport()
        expect(page.locator(".cited mark").first).to_be_in_viewport()
    middle = "e => { const box = e.getBoundingClientRect(); return [box.x + 20, box.y + box.height / 2]; }"
    over = "([x, y]) => document.elementFromPoint(x, y).closest('.hits') !== null"
    assert page.evaluate(over, hits.evaluate(middle))  # and nothing of the talk lies over it
    shot(page, "transcripts/hits")
    hits.get_by_role("link", name="Previous").click()
    expect(hits).to_contain_text("Passage 2 of")


def test_quote_and_link_are_copied_and_the_link_leads_back(browser: Browser, site: Site, alice: str) -> None:
    context = browser.new_context(
        base_url=site.origin, permissions=["clipboard-read", "clipboard-write"], locale="en-GB"
    )
    page = context.new_page()
    page.goto(f"{AIRLINE}?p=3")
    sign_in(page)
    turn = page.locator(".cited .turn").first
    words, speaker = turn.locator(".said").inner_text(), turn.locator("strong").inner_text()
    turn.hover()
    turn.get_by_role("button", name="Copy quote and link").click()
    quote, source, link = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert quote == f"“{words}”"
    assert source == f"— {speaker}, Premium Cabin Demand Airline, 11 February 2026, 00:24"
    page.goto("/transcripts/")
    page.goto(link)
    expect(page.locator(".cited .said")).to_have_text(words)
    page.goto(f"{AIRLINE}?p=3")
    page.locator(".copy-passage").get_by_role("button").click()
    lines = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert lines[0] == f"{speaker}: {words}"
    page.goto(lines[-1])
    expect(page.locator(".cited .said").first).to_have_text(words)
    context.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_fit_a_phone(page: Page, dark: bool) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme="dark" if dark else "light")
    page.goto("/")
    fits(page, f"phone-home-{dark}")
    page.goto("/transcripts/")
    fits(page, f"phone-sign-in-{dark}")
    sign_in(page)
    fits(page, f"phone-list-{dark}")
    page.goto("/transcripts/?q=premium+cabin")
    fits(page, f"phone-results-{dark}")
    page.goto(f"{AIRLINE}?p=3")
    fits(page, f"phone-passage-{dark}")


def fits(page: Page, name: str) -> None:
    """Nothing is wider than the screen, and what is touched is not tiny."""
    shot(page, f"transcripts/{name}")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    small = page.evaluate(
        "() => [...document.querySelectorAll('button, input:not([type=hidden]), select')]"
        ".filter(e => e.getBoundingClientRect().height < 24).map(e => e.outerHTML.slice(0, 80))"
    )
    assert small == []


def test_the_words_stand_out_enough(page: Page) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 between text and what is behind it, in both colour schemes."""
    page.goto(f"{AIRLINE}?p=3")
    sign_in(page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for path in (
            "/transcripts/?q=premium",
            f"{AIRLINE}?p=3",
            f"{AIRLINE}?q=premium&p=3",
            f"{AIRLINE}?p=99",
        ):
            page.goto(path)
            assert page.evaluate(CONTRAST) == []


CONTRAST = """() => {
  const part = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = c => 0.2126 * part(c[0]) + 0.7152 * part(c[1]) + 0.0722 * part(c[2]);
  const rgb = s => s.match(/[\\d.]+/g).map(Number);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${e.tagName} ${e.className} ${e.id}`);
  }
  return poor;
}"""
