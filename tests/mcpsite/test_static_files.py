"""Static files of a site in production, over a real server: compressed, and under names of their content."""

import re
from collections.abc import Iterator

import httpx2
import pytest

from tests.site import Site, running

PUBLIC = {
    "RESOURCE_SERVER_URL": "https://data.example.com",
    "AUTHORIZATION_SERVER": "builtin",
    "SECRET_KEY": "k" * 60,
}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running(PUBLIC, prepare=False) as server:
        yield server


def get(site: Site, path: str, **headers: str) -> httpx2.Response:
    """What a browser gets through a proxy that ends TLS."""
    proxied = {"Host": "data.example.com", "X-Forwarded-Proto": "https", **headers}
    return httpx2.get(f"{site.origin}{path}", headers=proxied)


def addresses(site: Site) -> list[str]:
    page = get(site, "/accounts/login/")
    assert page.status_code == 200
    found = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    assert found
    return found


def test_names_change_with_the_content_and_are_kept_for_ever(site: Site) -> None:
    for address in addresses(site):
        assert re.search(r"\.[0-9a-f]{12}\.\w+$", address), address
        assert "immutable" in get(site, address).headers["cache-control"]


def test_text_leaves_compressed(site: Site) -> None:
    style = next(address for address in addresses(site) if address.endswith(".css"))
    packed = get(site, style, **{"Accept-Encoding": "gzip"})
    plain = get(site, style, **{"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 2


def test_the_page_of_the_admin_has_all_of_its_files(site: Site) -> None:
    page = get(site, "/admin/login/")
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text):
        assert get(site, address).status_code == 200, address


def test_over_http_the_page_is_elsewhere(site: Site) -> None:
    answer = get(site, "/accounts/login/", **{"X-Forwarded-Proto": "http"})
    assert answer.status_code == 301
    assert answer.headers["location"] == "https://data.example.com/accounts/login/"
