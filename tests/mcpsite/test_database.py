"""The database section: bounded threads, connections reused, none leaked, none unusable."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections

from mcpsite.mcp.database import DatabaseThreads
from tests.site import Site

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[DatabaseThreads]:
    pool = DatabaseThreads(3, request.param)
    yield pool
    pool.close()


def _driver() -> int:
    connection.ensure_connection()
    return id(connection.connection)


def _ask() -> tuple[str, int]:
    time.sleep(0.02)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return threading.current_thread().name, id(connection.connection)


def test_work_is_spread_over_a_bounded_number_of_threads(threads: DatabaseThreads) -> None:
    async def many() -> list[tuple[str, int]]:
        return await asyncio.gather(*(threads.run(_ask) for _ in range(20)))

    assert len({thread for thread, _ in asyncio.run(many())}) == 3


def test_calls_run_beside_each_other(threads: DatabaseThreads) -> None:
    together = threading.Barrier(3)

    async def meet() -> list[int]:
        return await asyncio.gather(*(threads.run(together.wait, 10) for _ in range(3)))

    assert sorted(asyncio.run(meet())) == [0, 1, 2]


def test_a_thread_keeps_its_connection_from_call_to_call() -> None:
    thread = DatabaseThreads(1)

    async def twice() -> tuple[int, int]:
        return await thread.run(_keep), await thread.run(_driver)

    first, second = asyncio.run(twice())
    thread.close()
    assert first == second


def _keep() -> int:
    connection.settings_dict["CONN_MAX_AGE"] = 600
    connection.close_at = None
    return _driver()


def test_without_a_maximum_age_the_connection_is_closed_after_each_call(threads: DatabaseThreads) -> None:
    def unaged() -> Any:
        connection.close()
        connection.settings_dict["CONN_MAX_AGE"] = 0
        connection.connect()
        return connection

    wrapper = asyncio.run(threads.run(unaged))
    assert wrapper.connection is None or (connection.vendor == "sqlite" and wrapper.is_in_memory_db())


def test_a_connection_that_died_is_replaced_before_the_next_call(threads: DatabaseThreads) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no server that could drop a connection")

    def die() -> None:
        with connection.cursor() as cursor, pytest.raises(DatabaseError):
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    async def story() -> tuple[str, int]:
        await threads.run(die)
        return await threads.run(_ask)

    assert asyncio.run(story())[0].startswith("mcp-db")


def test_a_deadline_interrupts_the_statement_that_is_running(threads: DatabaseThreads) -> None:
    ended = threading.Event()

    def endless() -> None:
        try:
            with connection.cursor() as cursor:
                if connection.vendor == "sqlite":
                    cursor.execute(
                        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
                    )
                else:
                    cursor.execute("SELECT pg_sleep(60)")
        finally:
            ended.set()

    async def give_up() -> None:
        async with asyncio.timeout(0.3):
            await threads.run(endless)

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    assert ended.wait(10)


def test_work_whose_caller_left_the_queue_is_not_begun(threads: DatabaseThreads) -> None:
    begun: list[str] = []
    release = threading.Event()

    async def story() -> None:
        busy = [asyncio.create_task(threads.run(release.wait, 10)) for _ in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await threads.run(begun.append, "late")
        release.set()
        await asyncio.gather(*busy)
        await threads.run(lambda: None)

    asyncio.run(story())
    assert begun == []


@pytest.mark.parametrize("first", [1, 2, 3])
def test_closing_ends_every_threads_connection(first: int) -> None:
    pool = DatabaseThreads(3, first)
    wrappers: list[Any] = []

    def hold() -> None:
        together.wait(10)
        connection.ensure_connection()
        wrappers.append(connections["default"])

    together = threading.Barrier(3)

    async def all_three() -> None:
        await asyncio.gather(*(pool.run(hold) for _ in range(3)))

    asyncio.run(all_three())
    pool.close()
    assert len(wrappers) == 3
    assert all(w.connection is None or (w.vendor == "sqlite" and w.is_in_memory_db()) for w in wrappers)


def test_a_server_maps_the_file_of_sqlite_into_no_memory_of_its_own(site: Site) -> None:
    if "DATABASE_URL" in site.env:
        pytest.skip("the database is PostgreSQL")
    site.call(site.token(), "airfare_trend_insights", {"limit": 1})
    mapped = Path(f"/proc/{site.process.pid}/maps").read_text()
    assert "db.sqlite3-shm\n" in mapped  # It has the database open.
    assert "db.sqlite3\n" not in mapped
