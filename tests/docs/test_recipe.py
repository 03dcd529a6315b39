"""The recipe for a data source of one's own in README, as its reader follows it."""

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx2
import pytest

from tests.commands import Commands
from tests.docs.documents import blocks_of, lines_of
from tests.site import Site, environment, serving

PASSWORD = "correct horse battery"
PEOPLE = f"""
from django.contrib.auth.models import Group, User
User.objects.create_superuser("olga", password="{PASSWORD}")
User.objects.create_user("reader").groups.add(Group.objects.get(name="readers"))
User.objects.create_user("stranger")
"""
RATE = "/admin/rates/rate/"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with the app of README, and in its tools the view of docs/chart.md."""
    folder = tmp_path_factory.mktemp("reader")
    app = folder / "own" / "rates"
    app.mkdir(parents=True)
    (app / "__init__.py").touch()
    *modules, commands = blocks_of("README.md", "Adding a data source")
    for module in [*modules, *blocks_of("docs/chart.md", "A view for your own tool")]:
        name = module.splitlines()[0].removeprefix("# ")
        with (folder / name).open("a") as file:
            file.write(module)
    (app / "map.html").write_text("<!doctype html><title>Rates</title>")
    with environment({"APPS_DIR": str(folder / "own")}) as env:
        *make, _ = lines_of(commands)
        for line in make:
            manage(env, line)
        with closing(Commands(env)) as of_site:
            of_site.run("shell", "--no-imports", "-c", PEOPLE)
        with serving(env) as server:
            yield server


def manage(env: dict[str, str], line: str) -> None:
    """Run a command of the recipe in a process of its own, since the app changes between them."""
    words = line.split()
    assert words[:2] == [".venv/bin/python", "manage.py"]
    with closing(Commands(env)) as commands:
        commands.run(*words[2:])


@pytest.fixture(scope="module")
def browser(site: Site) -> Iterator[httpx2.Client]:
    """Signed in as an administrator."""
    with httpx2.Client(base_url=site.origin, timeout=60, follow_redirects=True) as client:
        send(client, "/accounts/login/", username="olga", password=PASSWORD)
        yield client


def send(client: httpx2.Client, path: str, **values: str) -> httpx2.Response:
    """Fill in the form of a page and send it."""
    page = client.get(path)
    hidden = dict(re.findall(r'<input type="hidden" name="([\w-]+)" value="([^"]*)"', page.text))
    return client.post(path, data=hidden | values)


def add(browser: httpx2.Client, hotel: str, city: str, usd: str) -> str:
    """Enter a rate in the admin; the address of its page."""
    page = send(browser, f"{RATE}add/", hotel=hotel, city=city, usd=usd, published="on")
    assert f"{RATE}add/" not in str(page.url), page.text
    listed = browser.get(RATE, params={"q": hotel}).text
    (path, *_) = re.findall(rf'href="({RATE}\d+/change/)', listed)
    return str(path)


def answer(site: Site, user: str, name: str, **arguments: str) -> Any:
    return site.call(site.token(user), name, arguments)


def test_what_is_entered_in_the_admin_is_answered_to_readers(site: Site, browser: httpx2.Client) -> None:
    *_, ask = lines_of(blocks_of("README.md", "Adding a data source")[-1])
    add(browser, "Avenida", "Lisbon", "120.50")
    words = ask.split()[2:]
    told = site.manage(*words, "--user", "reader").stdout
    assert '"hotel": "Avenida"' in told
    assert '"usd": "120.50"' in told


def test_a_city_without_rates_is_told_with_what_to_try(site: Site) -> None:
    told = answer(site, "reader", "hotel_rates", city="Nowhere")
    assert told["isError"]
    assert "There are no rates for Nowhere; try a larger city nearby." in told["content"][0]["text"]


def test_who_is_no_reader_has_no_such_tool(site: Site) -> None:
    tools = site.rpc(site.token("stranger"), "tools/list").json()["result"]["tools"]
    assert [each["name"] for each in tools if "rates" in each["name"]] == []


def test_the_list_of_the_admin_searches_filters_and_exports(site: Site, browser: httpx2.Client) -> None:
    add(browser, "Ribeira", "Porto", "90")
    listed = browser.get(RATE, params={"q": "Ribeira", "published__exact": "1"}).raise_for_status().text
    assert "price of a night (usd)" in listed.lower()
    exported = send(browser, f"{RATE}export/?q=Ribeira", format="0", **EXPORTED).raise_for_status()
    assert exported.headers["Content-Type"].startswith("text/csv")
    lines = exported.text.lstrip("\ufeff").splitlines()
    assert lines[0] == "id,hotel,city,usd,published"
    assert [line.split(",")[1:4] for line in lines[1:]] == [["Ribeira", "Porto", "90.00"]]


EXPORTED = {f"rateresource_{name}": "on" for name in ("id", "hotel", "city", "usd", "published")}


def test_a_change_is_in_the_history_and_can_be_reverted(site: Site, browser: httpx2.Client) -> None:
    page = add(browser, "Mondego", "Coimbra", "70")
    send(browser, page, hotel="Mondego", city="Coimbra", usd="75", published="on")
    history = browser.get(page.replace("change", "history")).raise_for_status().text
    assert "olga" in history
    assert re.search(r"70\.00.*75\.00", history, re.DOTALL)
    (revert, *_) = re.findall(r'href="([^"]+/revert/[^"]*)"', history)
    send(browser, revert)
    assert answer(site, "reader", "hotel_rates", city="Coimbra")["structuredContent"] == {
        "rates": [{"hotel": "Mondego", "usd": "70.00"}]
    }


def test_two_people_do_not_overwrite_each_other(site: Site, browser: httpx2.Client) -> None:
    page = add(browser, "Dom Afonso", "Braga", "60")
    stale = {"initial-hotel": "Dom Afonso", "initial-city": "Braga", "initial-usd": "50.00"}
    told = send(browser, page, hotel="Dom Afonso", city="Braga", usd="55", published="on", **stale)
    assert "changed this to" in told.text


def test_a_tool_may_show_a_page_of_its_own(site: Site, browser: httpx2.Client) -> None:
    token = site.token("reader")
    tools = site.rpc(token, "tools/list", era="2025-11-25").json()["result"]["tools"]
    (shown,) = [each for each in tools if each["name"] == "show_hotel_rates"]
    uri = shown["_meta"]["ui"]["resourceUri"]
    page = site.rpc(token, "resources/read", {"uri": uri}, more={"Mcp-Name": uri}).json()
    assert page["result"]["contents"][0]["text"] == "<!doctype html><title>Rates</title>"
    add(browser, "Faro Velho", "Faro", "40")
    told = answer(site, "reader", "show_hotel_rates")
    assert "rates from $40.0." in told["content"][0]["text"]
    assert 40 in told["structuredContent"]["usd"]
