"""The database away, in each of the ways in which it goes away: told soon, and over by itself."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import httpx2
import psycopg
import pytest

from tests.postgresql import Role, role, skip_without_postgresql
from tests.site import Site, running
from tests.tcp import Line, line

AWAY = "database is temporarily unavailable"
LIMIT = 40
TOLD_WITHIN = 2.0
BACK_WITHIN = 4.0
REFRESH = {"grant_type": "refresh_token", "refresh_token": "nonsense", "client_id": "nobody"}


class Served(NamedTuple):
    """A site whose database is at the other end of a line."""

    site: Site
    token: str
    line: Line
    role: Role


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    skip_without_postgresql()
    with role(LIMIT) as own:
        parts = urlsplit(own.url)
        with line(parts.hostname or "", parts.port or 5432) as way:
            netloc = f"{parts.username}:{parts.password}@127.0.0.1:{way.port}"
            url = urlunsplit(parts._replace(netloc=netloc))
            with running({"DATABASE_URL": url, "MCP_DEADLINE_SECONDS": "10"}, prepare=False) as site:
                yield Served(site, site.prepared(), way, own)


def questions(served: Served) -> dict[str, httpx2.Request]:
    """One of each kind of request that needs the database."""
    origin = served.site.origin
    get = partial(httpx2.Request, "GET", headers={"Accept": "text/html", "Cookie": f"sessionid={'a' * 32}"})
    return {
        "ready": get(f"{origin}/readyz"),
        "token": httpx2.Request("POST", f"{origin}/oauth/token", data=REFRESH),
        "call": served.site.request(served.token, "tools/call", {"name": "airfare_fare_summary"}),
        "list": served.site.request(served.token, "tools/list"),
        "admin": get(f"{origin}/admin/"),
        "page": get(f"{origin}/transcripts/"),
        "home": get(f"{origin}/"),
    }


Answer = tuple[str, float, httpx2.Response]


def asked_at_once(served: Served, times: int = 1) -> list[Answer]:
    """Every question so many times at once: which, after how long, and the answer."""
    every = [each for each in questions(served).items() for _ in range(times)]
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)

    async def timed(http: httpx2.AsyncClient, name: str, request: httpx2.Request) -> Answer:
        began = time.monotonic()
        answer = await http.send(request)
        return name, time.monotonic() - began, answer

    async def ask() -> list[Answer]:
        async with httpx2.AsyncClient(timeout=60, limits=limits) as http:
            return list(await asyncio.gather(*(timed(http, *each) for each in every)))

    return asyncio.run(ask())


def is_well(name: str, answer: httpx2.Response) -> bool:
    if name == "token":
        return (answer.status_code == 400 and "invalid_" in answer.text) or answer.status_code == 401
    if name == "call":
        return answer.status_code == 200 and answer.json()["result"]["isError"] is False
    if name == "list":
        return answer.status_code == 200 and "result" in answer.json()
    return answer.status_code in (200, 302)


def says_so(name: str, answer: httpx2.Response) -> bool:
    """Whether an answer says that the database is away, as its kind of client understands it."""
    if name == "ready":
        return answer.status_code == 503 and answer.json()["checks"]["database"] is False
    if name == "call":
        result = answer.json()["result"]
        return (
            result["isError"] is True
            and "database is temporarily unavailable" in result["content"][0]["text"]
        )
    if name == "list":
        return "database is temporarily unavailable" in answer.json()["error"]["message"]
    if answer.status_code != 503 or not int(answer.headers["Retry-After"]):
        return False
    if name == "token":
        body: dict[str, str] = answer.json()
        return (
            body["error"] == "temporarily_unavailable"
            and answer.headers["Access-Control-Allow-Origin"] == "*"
        )
    return "Temporarily unavailable" in answer.text and "Traceback" not in answer.text


def until_well(served: Served) -> float:
    """The seconds until every question is answered again."""
    began = time.monotonic()
    while time.monotonic() - began < 20:
        if all(is_well(name, answer) for name, _, answer in asked_at_once(served)):
            break
        time.sleep(0.1)
    return time.monotonic() - began


@contextmanager
def stopped(served: Served) -> Iterator[None]:
    served.line.shut()
    try:
        yield
    finally:
        served.line.mend()


@contextmanager
def silent(served: Served) -> Iterator[None]:
    served.line.swallow()
    try:
        yield
    finally:
        served.line.mend()


@contextmanager
def silent_after_sign_in(served: Served) -> Iterator[None]:
    """As a pooler does whose server is away."""
    served.line.mute()
    served.line.cut()
    try:
        yield
    finally:
        served.line.mend()


@contextmanager
def starting_up(served: Served) -> Iterator[None]:
    served.line.shut()
    served.line.say(b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0")
    try:
        yield
    finally:
        served.line.mend()


@contextmanager
def full(served: Served) -> Iterator[None]:
    """The role's connections are all in use, and none of them by the site."""
    with ExitStack() as stack:
        others = 0
        while others < LIMIT:
            served.line.cut()
            with suppress(psycopg.OperationalError):
                while True:
                    stack.enter_context(psycopg.connect(served.role.url))
                    others += 1
            time.sleep(0.05)  # The server takes a moment to notice that a client is gone.
        yield


@pytest.mark.parametrize("away", [stopped, silent, silent_after_sign_in, starting_up, full])
def test_everybody_is_told_soon_that_the_database_is_away_and_it_is_over_when_it_is_back(
    served: Served, away: Callable[[Served], Any]
) -> None:
    assert until_well(served) < 10
    with away(served):
        for times in (1, 4):
            for name, seconds, answer in asked_at_once(served, times):
                assert says_so(name, answer), (name, answer.status_code, answer.text[:500])
                assert seconds < TOLD_WITHIN, (name, seconds)
    assert until_well(served) < BACK_WITHIN


def test_after_a_restart_of_the_database_the_first_requests_succeed(served: Served) -> None:
    assert until_well(served) < 10
    asked_at_once(served, 4)  # so that there are old connections
    served.line.cut()
    for name, _, answer in asked_at_once(served, 2):
        assert is_well(name, answer), (name, answer.status_code, answer.text[:500])


def test_a_long_outage_is_over_as_soon_as_a_short_one(served: Served) -> None:
    with silent(served):
        end = time.monotonic() + 8
        while time.monotonic() < end:
            asked_at_once(served)
    assert until_well(served) < BACK_WITHIN


def test_requests_in_the_middle_of_a_statement_when_the_server_falls_silent_end(served: Served) -> None:
    with psycopg.connect(served.role.url) as blocker:
        blocker.execute("LOCK TABLE django_session, oauth2_provider_application IN ACCESS EXCLUSIVE MODE")
        pages = threading.Thread(target=asked_at_once, args=(served, 2))
        pages.start()
        time.sleep(0.5)
        served.line.swallow()
        end = time.monotonic() + 20
        while pages.is_alive() and time.monotonic() < end:
            httpx2.get(f"{served.site.origin}/readyz", timeout=60)
            time.sleep(0.5)
        assert not pages.is_alive()
    served.line.mend()
    assert until_well(served) < BACK_WITHIN


def test_an_outage_is_one_line_of_the_log_and_not_a_traceback(served: Served) -> None:
    assert until_well(served) < 10
    before = len(served.site.log.read_text())
    with stopped(served):
        asked_at_once(served)
    said = served.site.log.read_text()[before:]
    assert "/admin/ (OperationalError: " in said
    assert "Traceback" not in said


def test_a_locked_sqlite_is_told_to_who_would_write_and_to_nobody_else(tmp_path: Path) -> None:
    file = tmp_path / "db.sqlite3"
    settings = {"DATABASE_URL": f"sqlite:///{file}?timeout=1"}
    client = {"redirect_uris": ["https://client.example/callback"], "token_endpoint_auth_method": "none"}
    with running(settings, prepare=False) as site:
        token = site.prepared()
        register = partial(httpx2.post, f"{site.origin}/oauth/register", json=client, timeout=30)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            answer = register()
            assert answer.status_code == 503
            assert answer.json()["error"] == "temporarily_unavailable"
            assert int(answer.headers["Retry-After"])
            assert site.call(token, "airfare_fare_summary")["isError"] is False
            assert httpx2.get(f"{site.origin}/readyz").status_code == 200
        assert register().status_code == 201
