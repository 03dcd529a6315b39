"""Files out and in, in a real browser against a real server: export, correct, preview, confirm; upload."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.looking import looked_at
from tests.site import Site

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def curator(site: Site) -> str:
    site.shell(
        "from django.contrib.auth.models import User\n"
        f"User.objects.create_superuser('exchange-curator', password={PASSWORD!r})"
    )
    return "exchange-curator"


@pytest.fixture
def page(browser: Browser, site: Site, curator: str) -> Iterator[Page]:
    context = browser.new_context(base_url=site.origin, viewport={"width": 1280, "height": 900})
    fresh = context.new_page()
    fresh.set_default_timeout(60_000)
    fresh.goto("/accounts/login/")
    fresh.locator("[name=username]").fill(curator)
    fresh.locator("[name=password]").fill(PASSWORD)
    fresh.locator("[name=password]").press("Enter")
    fresh.wait_for_url(lambda url: "login" not in url)
    yield fresh
    context.close()


def test_a_list_is_exported_corrected_previewed_and_imported(page: Page, tmp_path: Path) -> None:
    page.goto("/admin/airfare/farerow/?airline=Northstar+Air")
    page.get_by_role("link", name="Export").first.click()
    assert looked_at(page, "exchange/export") == []
    page.get_by_label("Format").select_option(label="csv")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    path = tmp_path / "fares.csv"
    download.value.save_as(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["airline"] for row in rows} == {"Northstar Air"}
    rows[0]["avg_fare_usd"] = "12345"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    page.goto("/admin/airfare/farerow/import/")
    assert looked_at(page, "exchange/import") == []
    page.get_by_label("Corrected file").set_input_files(path)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("status")).to_contain_text("1 value would change in 1 of")
    assert looked_at(page, "exchange/preview") == []
    page.get_by_role("button", name="Import these changes").click()
    expect(page.get_by_text("Imported 1 changed values in 1 rows.")).to_be_visible()


def test_files_are_uploaded_and_the_page_follows_them(page: Page, tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text("route,airline,avg_fare_usd\nAAA-BBB,Uploaded,1\n")
    (tmp_path / "bad.csv").write_text("nonsense\n")
    page.goto("/admin/datasets/sourcefile/")
    page.get_by_role("link", name="Upload files").click()
    assert looked_at(page, "exchange/upload") == []
    page.locator("#id_chosen").set_input_files([tmp_path / "good.csv", tmp_path / "bad.csv"])
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("status")).to_contain_text("Loaded, with problems.", timeout=60_000)
    expect(page.get_by_text("bad.csv: line 1: is not a usable header")).to_be_visible()
    assert looked_at(page, "exchange/uploaded") == []
    page.get_by_role("link", name="Rows of good.csv").click()
    expect(page.get_by_text("Uploaded").first).to_be_visible()
