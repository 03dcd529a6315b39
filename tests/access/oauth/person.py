"""A person in front of a browser, over real HTTP: signs in, and presses a button of the consent page."""

import html
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2


@dataclass
class Person:
    """Somebody with an account; the browser keeps its cookies and stays on `origin`."""

    origin: str
    username: str
    password: str
    browser: httpx2.Client
    pages: list[str] = field(default_factory=list)
    """The pages seen, newest last."""

    def connect(self, authorization: str, *, allow: bool = True) -> dict[str, str]:
        """Open the address that a client gives, sign in where asked, and answer; what goes to the client."""
        response = self._get(authorization)
        while response.is_redirect:
            target = urljoin(str(response.url), response.headers["location"])
            if not target.startswith(self.origin):
                return {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
            response = self._get(target)
            if urlsplit(target).path.startswith("/accounts/login"):
                response = self._post(response, {"username": self.username, "password": self.password})
        assert response.status_code == 200, response.text
        answer = self._post(response, {"allow": "true"} if allow else {})
        assert answer.is_redirect, answer.text
        return {
            name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()
        }

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
