"""What a page is looked at for: nothing that axe-core calls serious, nothing that scrolls sideways.

Screenshots at both widths, in light and in dark, go to test-results for a person to look at.
"""

from pathlib import Path

from playwright.sync_api import Frame, Page

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"
RESULTS = HERE.parent.parent / "test-results"
"""Not committed."""

AXE = PACKAGES / "axe-core" / "axe.min.js"
SERIOUS = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
    .filter(each => ['serious', 'critical'].includes(each.impact))
    .map(({id, nodes: [node, ...rest]}) => `${id}: ${node.html.slice(0, 120)} and ${rest.length} more; `
        + node.failureSummary.slice(0, 200))"""


def looked_at(page: Page, name: str, *, reload: bool = False) -> list[str]:
    """What is wrong with the page as it stands; its screenshots are `name`, which may be in a folder.

    A page of the admin looks at the browser's scheme only while it loads: `reload` lets it, and where that
    would lose what was typed or answered, the page is told by the class that it would set itself.
    """
    found: list[str] = []
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        if reload:
            page.reload(wait_until="load")
        else:
            page.evaluate("dark => document.documentElement.classList.toggle('dark', dark)", scheme == "dark")
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            shot(page, f"{name}-{width}-{scheme}")
            wide = page.evaluate("document.documentElement.scrollWidth")
            found += [f"{wide} px wide at {width}"] if wide > width else []
            found += [f"{each} at {width}, {scheme}" for each in violations(page)]
    return list(dict.fromkeys(found))


def violations(page: Page | Frame) -> list[str]:
    """What axe-core calls serious or critical, each with the first element it is about."""
    if not page.evaluate("'axe' in window"):
        # Into the page's world by the debugger, which no policy holds back.
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(SERIOUS)
    return found


def shot(page: Page, name: str) -> None:
    path = RESULTS / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    page.wait_for_timeout(100)  # for what the width and the colours change by degrees
    page.screenshot(path=path, full_page=True)
