"""A second database that is slow or away: its calls end at the deadline, and everything else goes on."""

import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2
import psycopg
import pytest

from tests.postgresql import administrator_url, role, skip_without_postgresql
from tests.site import Site, running
from tests.tcp import Line, line

DEADLINE = 2.0
THREADS = 4
TOOLS = ["readings", "awaited_readings", "stubborn_readings"]
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS id FROM n"


@contextmanager
def sqlite_warehouse(folder: Path) -> Iterator[str]:
    path = folder / "warehouse.sqlite3"
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"CREATE VIEW readings AS {ENDLESS}")
    yield f"sqlite:///{path}"


@contextmanager
def postgresql_warehouse(_: Path) -> Iterator[str]:
    skip_without_postgresql()
    with role(limit=20) as own:
        with psycopg.connect(own.url) as database:
            database.execute("CREATE VIEW readings AS SELECT 1 AS id FROM pg_sleep(600)")
        yield own.url


@contextmanager
def site_with(warehouse: str) -> Iterator[tuple[Site, str]]:
    """A server with this second database, and a token of an administrator."""
    settings = {
        "DJANGO_SETTINGS_MODULE": "tests.mcpsite.warehouse.settings",
        "WAREHOUSE_URL": warehouse,
        "MCP_THREADS": str(THREADS),
        "MCP_DEADLINE_SECONDS": str(DEADLINE),
    }
    with running(settings, prepare=False) as site:
        yield site, site.prepared()


@pytest.fixture(scope="module", params=[sqlite_warehouse, postgresql_warehouse])
def slow(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, str]]:
    """A server whose second database answers no question, and a token."""
    with request.param(tmp_path_factory.mktemp("warehouse")) as url, site_with(url) as served:
        yield served


@contextmanager
def attacked(site: Site, token: str, tool: str, calls: int) -> Iterator[list[tuple[float, Any]]]:
    """So many calls of `tool` under way; at the end each has answered: after how long, and what."""
    answers: list[tuple[float, Any]] = []

    def ask() -> None:
        began = time.monotonic()
        answer = site.call(token, tool)
        answers.append((time.monotonic() - began, answer))

    threads = [threading.Thread(target=ask) for _ in range(calls)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    yield answers
    for thread in threads:
        thread.join()


def seconds_of_another_tool(site: Site, token: str) -> float:
    began = time.monotonic()
    assert site.call(token, "airfare_fare_summary")["isError"] is False
    return time.monotonic() - began


@pytest.fixture(scope="module")
def away() -> Iterator[tuple[Site, str, Line]]:
    """A server whose second database is behind a line, a token, and the line."""
    skip_without_postgresql()
    with role(limit=20) as own:
        parts = urlsplit(own.url)
        with psycopg.connect(own.url) as database:
            database.execute("CREATE VIEW readings AS SELECT 1 AS id FROM pg_sleep(1)")
        with line(parts.hostname or "", parts.port or 5432) as way:
            netloc = f"{parts.username}:{parts.password}@127.0.0.1:{way.port}"
            with site_with(urlunsplit(parts._replace(netloc=netloc))) as (site, token):
                yield site, token, way


def test_a_statement_whose_server_falls_silent_holds_no_thread_after_its_deadline(
    away: tuple[Site, str, Line],
) -> None:
    site, token, way = away
    for _ in range(2):  # Twice as many as there are threads.
        way.mend()
        with attacked(site, token, "readings", THREADS) as answers:
            way.swallow()
        # Who came to their turn late met a server that takes connections and says nothing.
        assert all(
            re.search("took longer|is temporarily unavailable", answer["content"][0]["text"])
            for _, answer in answers
        )
        time.sleep(3)
    way.mend()
    assert site.call(token, "readings")["isError"] is False


def test_a_server_that_takes_connections_and_never_answers_holds_other_tools_up_for_no_time(
    away: tuple[Site, str, Line],
) -> None:
    site, token, way = away
    way.swallow()
    with attacked(site, token, "readings", 4 * THREADS):
        assert seconds_of_another_tool(site, token) < 1
    way.mend()
    time.sleep(1)
    assert site.call(token, "readings")["isError"] is False


@pytest.mark.parametrize("tool", TOOLS)
def test_slow_calls_end_at_the_deadline_and_another_tool_answers_at_once_after_it(
    slow: tuple[Site, str], tool: str
) -> None:
    with attacked(*slow, tool, THREADS) as answers:
        pass
    assert seconds_of_another_tool(*slow) < 1
    assert len(answers) == THREADS
    for seconds, answer in answers:
        assert DEADLINE - 0.2 < seconds < DEADLINE + 1
        assert answer["isError"] is True
        assert "took longer than 2 s" in answer["content"][0]["text"]


def test_other_tools_answer_while_every_thread_is_attacked(slow: tuple[Site, str]) -> None:
    with attacked(*slow, "readings", 3 * THREADS):
        assert seconds_of_another_tool(*slow) < 1


def test_whether_the_site_is_ready_is_told_at_once_while_every_thread_is_attacked(
    slow: tuple[Site, str],
) -> None:
    with attacked(*slow, "readings", 3 * THREADS):
        began = time.monotonic()
        assert httpx2.get(f"{slow[0].origin}/readyz").status_code == 200
        assert time.monotonic() - began < 1


def test_no_statement_goes_on_after_its_deadline(slow: tuple[Site, str]) -> None:
    warehouse = slow[0].env["WAREHOUSE_URL"]
    if not warehouse.startswith("postgres"):
        pytest.skip("only a server can be asked what it is doing")
    with attacked(*slow, "stubborn_readings", THREADS):
        pass
    time.sleep(1)
    with psycopg.connect(administrator_url()) as admin:
        # Of this site alone: other tests sleep in the same server.
        sleeping = admin.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND usename = %s",
            [urlsplit(warehouse).username],
        )
        assert sleeping.fetchone() == (0,)
