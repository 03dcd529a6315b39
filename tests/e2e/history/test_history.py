"""The history in a real browser: a curator edits, sees who did it, and takes it back."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.e2e.looking import looked_at, shot
from tests.site import Site, running

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def own_site() -> Iterator[Site]:
    """A server of its own, for its rows are changed."""
    with running() as server:
        server.shell(
            "from django.contrib.auth.models import Permission, User\n"
            f"user = User.objects.create_user('carla', password={PASSWORD!r}, is_staff=True)\n"
            "apps = ['airfare', 'transcripts']\n"
            "user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=apps))"
        )
        yield server


@pytest.fixture
def page(browser: Browser, own_site: Site) -> Iterator[Page]:
    """A page of the curator Carla; whatever its console complains about fails the test."""
    context = browser.new_context(
        base_url=own_site.origin, locale="en-GB", viewport={"width": 1280, "height": 900}
    )
    fresh = context.new_page()
    complaints: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    fresh.on("console", complain)
    fresh.goto("/admin/login/?next=/admin/")
    fresh.locator("[name=username]").fill("carla")
    fresh.locator("[name=password]").fill(PASSWORD)
    fresh.locator("[type=submit]").first.click()
    expect(fresh).to_have_url(f"{own_site.origin}/admin/")
    yield fresh
    context.close()
    assert complaints == []


def test_a_curator_edits_a_row_sees_it_in_the_history_and_reverts_it(page: Page) -> None:
    page.goto("/admin/airfare/farerow/")
    page.locator("#result_list tbody th a").first.click()
    fare = page.locator("[name=avg_fare_usd]")
    before = fare.input_value()
    fare.fill("987")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(fare).to_have_value("987.0")
    page.locator("a[href$='/history/']").first.click()
    row = page.get_by_role("row", name="Average fare (USD)")
    expect(row).to_contain_text("987")
    expect(page.get_by_text("Edit by carla")).to_be_visible()
    assert looked_at(page, "history/object") == []
    page.get_by_role("link", name="Revert…").click()
    expect(page.get_by_role("row", name="Average fare (USD)")).to_contain_text("the file’s value")
    assert looked_at(page, "history/revert") == []
    page.get_by_label("Reason").fill("it was right")
    page.get_by_role("button", name="Revert", exact=True).click()
    expect(page.get_by_text("1 object was reverted.")).to_be_visible()
    expect(page.get_by_text("Revert by carla")).to_be_visible()
    page.get_by_role("link", name="Back to").click()
    expect(fare).to_have_value(before)


def test_a_filtered_list_is_hidden_as_one_change_and_comes_back_as_a_whole(
    page: Page, own_site: Site
) -> None:
    page.goto("/admin/airfare/farerow/?airline=Northstar+Air")
    shown = page.locator("#result_list tbody input.action-select").count()
    assert shown > 1
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option("hide")
    page.locator("#changelist-form").evaluate(
        "form => form.requestSubmit(form.querySelector('[name=index]'))"
    )
    expect(page.get_by_text(f"{shown} rows were hidden.")).to_be_visible()
    page.goto("/admin/history/change/?action__exact=hide")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    expect(page.locator("#result_list")).to_contain_text(f"{shown} objects")
    shot(page, "history/changes")
    page.locator("#result_list tbody th a").first.click()
    expect(page.get_by_role("row", name="Hidden")).to_contain_text("yes")
    assert looked_at(page, "history/change") == []
    page.get_by_role("link", name="Revert all…").click()
    assert looked_at(page, "history/revert-all") == []
    page.get_by_role("button", name=f"Revert {shown}").click()
    expect(page.get_by_text(f"{shown} objects were reverted.")).to_be_visible()
    expect(page.get_by_role("link", name="Reverted by carla")).to_be_visible()
    hidden = own_site.shell(
        "from airfare.models import FareRow; print(FareRow.objects.filter(hidden=True).count())"
    )
    assert hidden == "0"
