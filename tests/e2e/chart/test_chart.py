"""The chart of fares and of hotel rates in a browser: in a chat's frame over the real bridge, on a page."""

import json
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tests.docs.documents import blocks_of
from tests.e2e.looking import shot, violations
from tests.site import LEGACY, ROOT, Site, running

pytestmark = pytest.mark.e2e

ROUTE = {"route_contains": "JFK-LAX"}
AIRLINES = ["Atlantic Crown", "Hightide Airways", "Meridian Airways", "Northstar Air"]

Shows = Callable[..., FrameLocator]


@pytest.fixture
def page(browser: Browser, files: tuple[Path, str]) -> Iterator[Page]:
    """The host's page; whatever it or the view complains about fails the test."""
    context = browser.new_context(viewport={"width": 800, "height": 900}, bypass_csp=False)
    fresh = context.new_page()
    complaints: list[str] = []
    # The older client asks for a stream first, and hears that there is none.
    fresh.on(
        "console",
        lambda said: (
            complaints.append(said.text) if said.type == "error" and "405" not in said.text else None
        ),
    )
    fresh.on("pageerror", lambda error: complaints.append(str(error)))
    fresh.goto(f"{files[1]}/host.html")
    yield fresh
    context.close()
    assert complaints == []


def show(
    page: Page,
    site: Site,
    token: str,
    name: str,
    args: dict[str, Any] | None = None,
    *,
    modern: bool = True,
    **more: Any,
) -> FrameLocator:
    """Open the view for a call of the tool; return the frame it stands in."""
    page.wait_for_function("Boolean(window.open_view)")
    server = {"url": site.url, "token": token, "modern": modern}
    wanted = {"site": server, "name": name, "args": args or {}, **more}
    page.evaluate("wanted => window.open_view(wanted)", wanted)
    return page.frame_locator("iframe")


@pytest.fixture
def shows(page: Page, site: Site, token: str) -> Shows:
    return partial(show, page, site, token, "show_fare_trends")


@pytest.fixture(scope="module")
def hotels() -> Iterator[tuple[Site, str]]:
    """A site with the hotel rates of examples/, and a token of its admin."""
    with running({"APPS_DIR": "own,examples"}) as site:
        site.manage("migrate", "-v0")
        site.manage("load_data", "hotel_rates", str(ROOT / "examples" / "hotel_rates" / "data"))
        yield site, site.token()


@pytest.fixture
def shows_hotels(page: Page, hotels: tuple[Site, str]) -> Shows:
    return partial(show, page, *hotels, "show_hotel_rates")


@pytest.mark.parametrize("modern", [True, False], ids=["modern", "legacy"])
def test_a_chat_shows_a_line_for_each_airline(shows: Shows, modern: bool) -> None:
    view = shows(ROUTE, modern=modern)
    expect(view.get_by_role("heading", name="Fares by airline: route JFK-LAX")).to_be_visible()
    assert (
        view.get_by_role("list", name="Lines by airline").get_by_role("button").all_inner_texts() == AIRLINES
    )
    assert view.locator("svg.plot").count() == 3
    assert view.locator("svg.plot >> nth=0").locator("path.line").count() == 4


def test_the_table_holds_every_figure_of_the_answer(shows: Shows, site: Site, token: str) -> None:
    answer = site.call(token, "show_fare_trends", ROUTE)["structuredContent"]
    view = shows(ROUTE)
    view.get_by_role("tab", name="Table").click()
    rows = view.locator(".scroll tbody tr")
    assert rows.count() == len(answer["dates"]) * len(answer["series"])
    first = answer["series"][0]
    expect(rows.first).to_have_text(
        f"3 Nov 2025{first['airline']}${first['avg_fare_usd'][0]}${first['premium_fare_usd'][0]}"
        f"{first['load_factor_pct'][0]} %"
    )


def test_keys_reach_every_figure(page: Page, shows: Shows) -> None:
    view = shows(ROUTE)
    chart = view.get_by_role("group", name="Fares from")
    chart.focus()
    page.keyboard.press("End")
    live = view.locator("[aria-live]")
    expect(live).to_contain_text(
        "15 Jun 2026. Atlantic Crown: average fare $414, premium fare $707, load factor 86 %"
    )
    page.keyboard.press("ArrowLeft")
    expect(live).to_contain_text("2 Mar 2026")
    expect(view.locator(".tip")).to_contain_text("2 Mar 2026")
    page.keyboard.press("Escape")
    expect(view.locator(".tip")).to_have_count(0)
    view.get_by_role("tab", name="Chart").focus()
    page.keyboard.press("ArrowRight")
    expect(view.get_by_role("tab", name="Table")).to_be_focused()
    expect(view.get_by_role("tabpanel", name="Table")).to_be_visible()
    ring = "e => getComputedStyle(e).outlineStyle"
    assert view.get_by_role("tab", name="Table").evaluate(ring) == "solid"


def test_an_airline_is_hidden_by_its_key_in_the_legend(shows: Shows) -> None:
    view = shows(ROUTE)
    button = view.get_by_role("button", name="Northstar Air")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    assert view.locator("svg.plot >> nth=0").locator("path.line").count() == 3


def test_another_route_is_asked_for_through_the_host(shows: Shows) -> None:
    view = shows({})
    expect(view.get_by_role("heading", name="Fares by airline", exact=True)).to_be_visible()
    expect(view.get_by_role("list", name="Notes")).to_contain_text("name one with airline_contains")
    view.get_by_label("Route").select_option("BOS-MCO")
    expect(view.get_by_role("heading", name="Fares by airline: route BOS-MCO")).to_be_visible()
    assert view.get_by_role("list", name="Lines by airline").get_by_role("button").count() < 8
    view.get_by_label("Route").select_option("All")
    expect(view.get_by_role("heading", name="Fares by airline", exact=True)).to_be_visible()


def test_a_host_that_calls_no_tools_is_offered_no_choice(shows: Shows) -> None:
    view = shows(ROUTE, tools=False)
    expect(view.get_by_role("heading", name="Fares by airline")).to_be_visible()
    expect(view.get_by_label("Route")).to_be_hidden()


def test_the_view_takes_on_the_host_s_theme_and_colours(page: Page, shows: Shows) -> None:
    view = shows(ROUTE, context={"theme": "light"})
    ground = "e => getComputedStyle(e).backgroundColor"
    chart = view.locator(".chart")
    assert chart.evaluate(ground) == "rgb(255, 255, 255)"
    page.evaluate("window.bridge.setHostContext({theme: 'dark'})")
    expect(chart).to_have_class("chart dark")
    assert chart.evaluate(ground) == "rgb(23, 25, 28)"
    styles = {"variables": {"--color-background-primary": "#001133"}}
    page.evaluate("styles => window.bridge.setHostContext({theme: 'dark', styles})", styles)
    page.wait_for_timeout(100)
    assert chart.evaluate(ground) == "rgb(0, 17, 51)"


def test_the_host_is_told_the_height_that_is_needed(page: Page, shows: Shows) -> None:
    view = shows(ROUTE)
    page.wait_for_function("window.sizes.length && window.sizes.at(-1) > 500")
    wide = page.evaluate("window.sizes.at(-1)")
    page.set_viewport_size({"width": 340, "height": 900})
    page.wait_for_function("before => window.sizes.at(-1) > before", arg=wide)
    assert view.locator("html").evaluate("e => e.scrollWidth <= innerWidth")
    assert view.locator("svg.plot >> nth=0").get_attribute("viewBox") == "0 0 316 190"


def test_no_fares_and_a_refusal_are_told_in_words(shows: Shows, page: Page) -> None:
    view = shows({"route_contains": "ZZZ"})
    expect(view.get_by_role("status")).to_contain_text("Nothing with a date matches.")
    shot(page, "chart/empty")
    page.reload()
    view = shows({"snapshot_date": "soon"})
    expect(view.get_by_role("alert")).to_contain_text("snapshot_date is 'soon'; write a day as 2025-10-06")
    shot(page, "chart/error")


def test_a_cancelled_call_is_told(shows: Shows) -> None:
    view = shows(ROUTE, cancelled="stopped by the person")
    expect(view.get_by_role("alert")).to_contain_text("was cancelled")


HOSTILE = "<img src=x onerror=parent.postMessage('owned','*')>"
ANSWER: dict[str, Any] = {
    "tool": "show_fare_trends",
    "title": HOSTILE,
    "line": "airline",
    "figures": [
        {"name": "avg_fare_usd", "title": HOSTILE, "unit": "USD"},
        {"name": "premium_fare_usd", "title": "premium fare", "unit": HOSTILE},
    ],
    "period": "day",
    "dates": ["2025-10-06"],
    "series": [
        {
            "name": HOSTILE,
            "rows": 1,
            "avg_fare_usd": [10],
            "premium_fare_usd": [20],
        }
    ],
    "choices": {"airline_contains": [HOSTILE], HOSTILE: [HOSTILE]},
    "filters": {"route_contains": HOSTILE},
    "total_rows": 1,
    "matched_rows": 1,
    "notes": [HOSTILE],
}


def test_markup_in_the_data_stays_text(page: Page, shows: Shows) -> None:
    view = shows(ROUTE, result={"content": [], "structuredContent": ANSWER})
    expect(view.get_by_role("heading", name=f"{HOSTILE} by airline: route {HOSTILE}")).to_be_visible()
    expect(view.get_by_role("listitem").filter(has_text=HOSTILE)).to_have_count(2)
    view.get_by_role("tab", name="Table").click()
    expect(view.get_by_role("cell", name=HOSTILE, exact=True)).to_be_visible()
    assert view.locator("img").count() == 0


def rates(unit: str, *values: float | None) -> dict[str, Any]:
    """An answer of one line, with a figure of this unit."""
    return {
        "tool": "show_rates",
        "title": "Rates",
        "line": "city",
        "figures": [{"name": "rate", "title": "rate", "unit": unit}],
        "period": "month",
        "dates": [f"2026-{month:02}-01" for month in range(1, len(values) + 1)],
        "series": [{"name": "Lisbon", "rows": len(values), "rate": values}],
        "choices": {"city_contains": ["Lisbon"]},
        "filters": {},
        "total_rows": len(values),
        "matched_rows": len(values),
    }


RATES = rates("USD", 10)


@pytest.mark.parametrize(
    ("unit", "values", "written"),
    [
        ("USD", (409.4, 700), ["$409", "$700"]),
        ("EUR", (1.5, None, 2.25), ["€1.50", "–", "€2.25"]),
        ("JPY", (12_000, 15_500), ["¥12,000", "¥15,500"]),
        ("%", (85.25, 60), ["85.3 %", "60 %"]),
        ("days", (12, 40), ["12 days", "40 days"]),
        ("KWH", (12, 40), ["12 KWH", "40 KWH"]),
        ("", (0.25, 0.5), ["0.25", "0.5"]),
        ("", (1000.1, 1000.3), ["1,000.1", "1,000.3"]),
    ],
)
def test_figures_are_written_with_their_unit_and_as_exactly_as_they_differ(
    shows: Shows, unit: str, values: tuple[float | None, ...], written: list[str]
) -> None:
    view = shows(ROUTE, result={"content": [], "structuredContent": rates(unit, *values)})
    expect(view.get_by_role("heading", name=f"Rate ({unit})" if unit else "Rate", exact=True)).to_be_visible()
    view.get_by_role("tab", name="Table").click()
    cells = view.locator("tbody td:last-child").all_inner_texts()
    assert cells == [each for each in written if each != "–"]


def test_large_numbers_have_room_beside_the_axis(shows: Shows) -> None:
    view = shows(ROUTE, result={"content": [], "structuredContent": rates("EUR", 1_000_000, 2_500_000)})
    labels = view.locator("svg.plot text")
    expect(labels.filter(has_text="€2,000,000")).to_be_visible()
    assert labels.evaluate_all("all => all.every(each => each.getBoundingClientRect().left >= 0)")


def test_hotel_rates_have_a_line_for_each_city(shows_hotels: Shows, page: Page) -> None:
    view = shows_hotels()
    expect(view.get_by_role("heading", name="Hotel rates by city", exact=True)).to_be_visible()
    cities = view.get_by_role("list", name="Lines by city").get_by_role("button").all_inner_texts()
    assert sorted(cities) == ["Kraków", "Lisbon", "Oslo", "Porto", "Vienna", "Zürich"]
    assert view.locator(".panel").all_inner_texts() == ["Price of a night (USD)", "Occupied rooms (%)"]
    view.get_by_role("group", name="Hotel rates from 4 May 2026 to 13 Jun 2026, by city: 6 lines").focus()
    page.keyboard.press("Home")
    expect(view.locator("[aria-live]")).to_contain_text("Lisbon: price of a night $118, occupied rooms 67 %")
    view.get_by_role("tab", name="Table").click()
    heads = view.locator("thead th").all_inner_texts()
    assert heads == ["Date", "City", "Price of a night (USD)", "Occupied rooms (%)"]


def test_the_filters_stand_in_the_heading_in_plain_words(shows_hotels: Shows) -> None:
    view = shows_hotels({"line": "hotel", "city_contains": "lis", "usd_min": 99.5, "day": "2026-05"})
    heading = "Hotel rates by hotel: day 2026-05, city lis, price of a night at least $99.50"
    expect(view.get_by_role("heading", name=heading, exact=True)).to_be_visible()


@pytest.mark.parametrize("named_by", ["the host", "the answer"])
def test_another_value_of_the_line_is_asked_for_and_the_line_stays(
    shows_hotels: Shows, page: Page, named_by: str
) -> None:
    context = {} if named_by == "the host" else {"toolInfo": None}
    view = shows_hotels({"line": "hotel"}, context=context)
    choice = view.get_by_role("combobox", name="Hotel", exact=True)
    choice.focus()
    choice.select_option("Tejo House")
    expect(view.get_by_role("heading", name="Hotel rates by hotel: hotel Tejo House")).to_be_visible()
    assert view.get_by_role("list", name="Lines by hotel").get_by_role("button").count() == 1
    expect(choice).to_be_focused()
    choice.select_option("All")
    expect(view.get_by_role("heading", name="Hotel rates by hotel", exact=True)).to_be_visible()


def test_lines_that_are_not_drawn_can_be_chosen(shows: Shows) -> None:
    view = shows({})
    expect(view.get_by_role("list", name="Notes")).to_contain_text("Pelican Air")
    view.get_by_role("combobox", name="Airline", exact=True).select_option("Pelican Air")
    expect(view.get_by_role("heading", name="Fares by airline: airline Pelican Air")).to_be_visible()


LOOKS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("route", "show_fare_trends", ROUTE),
    ("all", "show_fare_trends", {}),
    ("hotels", "show_hotel_rates", {}),
)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_reads_well_and_axe_finds_nothing(
    page: Page, hotels: tuple[Site, str], browser: Browser, theme: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for name, tool, args in LOOKS:
        page.goto(page.url)
        view = show(page, *hotels, tool, args, context={"theme": theme})
        view.locator(".plotbox").focus()
        page.keyboard.press("Home")
        shot(page, f"chart/{name}-{width}-{theme}")
        assert [frame.evaluate("scrollX") for frame in page.frames] == [0, 0]
        assert violations(page.frames[1]) == []
        view.get_by_role("tab", name="Table").click()
        shot(page, f"chart/{name}-{width}-{theme}-table")
        assert violations(page.frames[1]) == []


def test_the_module_draws_under_a_strict_policy(page: Page, files: tuple[Path, str]) -> None:
    """As a page of the site uses it: no inline script, no inline style."""
    folder, address = files
    [snippet] = blocks_of("docs/chart.md", "On a page of the site")
    (folder / "line-chart.js").write_text(
        (ROOT / "mcpsite/datasets/static/datasets/line-chart.js").read_text()
    )
    (folder / "use.js").write_text(
        f"const another = {json.dumps(RATES)}, answer = {{structuredContent: another}};"
        "const element = document.querySelector('main');"
        f"{snippet.replace('/static/datasets', '.')}chart.setLook({{theme: 'dark'}});"
    )
    policy = "default-src 'none'; script-src 'self'; style-src 'self'"
    (folder / "strict.html").write_text(
        f"<!doctype html><meta http-equiv=Content-Security-Policy content=\"{policy}; img-src 'self' data:\">"
        "<link rel=icon href=data:,><title>Strict</title><main></main>"
        "<script type=module src=use.js></script>"
    )
    page.goto(f"{address}/strict.html")
    expect(page.get_by_role("heading", name="Rates by city")).to_be_visible()
    assert page.locator(".chart").evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(23, 25, 28)"
    page.get_by_role("group", name="Rates from").hover()
    expect(page.locator(".tip")).to_contain_text("Jan 2026")


def test_the_committed_files_are_what_the_source_builds(packages: Path, node: Path, tmp_path: Path) -> None:
    subprocess.run([node, "build.mjs", tmp_path], cwd=packages, check=True, capture_output=True, timeout=120)
    for name in ("mcpsite/datasets/chart/line-chart.html", "mcpsite/datasets/static/datasets/line-chart.js"):
        built = (tmp_path / name).read_bytes()
        assert built == (ROOT / name).read_bytes(), f"make chart builds another {name}"
        assert len(built) < 300_000


def test_the_page_names_no_other_host() -> None:
    html = (ROOT / "mcpsite/datasets/chart/line-chart.html").read_text()
    assert "<link" not in html
    assert " src=" not in html
    addresses = {
        part.split('"')[0].split("'")[0] for part in html.split("http")[1:] if part[:3] in ("://", "s:/")
    }
    assert addresses == {"://www.w3.org/2000/svg"}


def test_an_older_client_without_the_extension_reads_a_table(site: Site, token: str) -> None:
    result = site.call(token, "show_fare_trends", ROUTE, era=LEGACY)
    assert "| 2025-11-03 | 409 / 700 / 85 % |" in result["content"][0]["text"]
