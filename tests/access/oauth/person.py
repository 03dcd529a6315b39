"""A person in front of a browser, over real HTTP: signs in, and presses a button of the consent page."""

import html
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2

MOST_PAGES = 12
"""A sign-in has fewer; a wrong password would ask for ever."""


@dataclass
class Person:
    """Somebody with an account at `origin`; the browser keeps its cookies and stays there."""

    origin: str
    username: str
    password: str
    browser: httpx2.Client
    pages: list[str] = field(default_factory=list)
    """The pages seen, newest last."""
    consents: int = 0
    """How often they were asked whether a client may act for them."""

    def connect(self, authorization: str, *, allow: bool = True) -> dict[str, str]:
        """Open the address that a client gives, sign in where asked, and answer; what goes to the client."""
        page = self._get(authorization)
        for _ in range(MOST_PAGES):
            if page.is_redirect:
                target = urljoin(str(page.url), page.headers["location"])
                if not target.startswith(f"{self.origin}/"):
                    return {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
                page = self._get(target)
                continue
            assert page.status_code == 200, page.text
            if 'type="password"' in page.text:
                page = self._post(page, {"username": self.username, "password": self.password})
            else:
                self.consents += 1
                page = self._post(page, {"allow": "true"} if allow else {"cancel": "true"})
        raise AssertionError(f"the sign-in does not end: {page.text}")

    def _get(self, url: str) -> httpx2.Response:
        response = self.browser.get(url)
        self.pages.append(response.text)
        return response

    def _post(self, page: httpx2.Response, fields: dict[str, str]) -> httpx2.Response:
        """Send the form of a page with its hidden fields and `fields`."""
        hidden = {
            html.unescape(found["name"]): html.unescape(found["value"] or "")
            for tag in re.findall(r"<input\b[^>]*\btype=\"hidden\"[^>]*>", page.text)
            if (found := _attributes(tag)).get("name")
        }
        url = str(page.url)
        return self.browser.post(url, data=hidden | fields, headers={"Referer": url, "Origin": self.origin})


def _attributes(tag: str) -> dict[str, str]:
    return {"value": ""} | dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
