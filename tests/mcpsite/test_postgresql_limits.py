"""What a process asks of PostgreSQL: how many connections, and how long a statement may take."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.db.utils import ConnectionHandler

from mcpsite.core import conf
from mcpsite.core.outage import is_too_long
from mcpsite.core.postgresql import complete, statements_within
from tests.postgresql import administrator_url, skip_without_postgresql

pytestmark = pytest.mark.django_db

Connect = Callable[..., ConnectionHandler]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connections to the test's server as the site makes them, for a DATABASE_URL with these options."""
    skip_without_postgresql()
    made: list[ConnectionHandler] = []

    def connect(options: str = "", connections: int = 3) -> ConnectionHandler:
        config = conf.database(f"{administrator_url()}?{options}", connections=connections)
        complete(config)
        handler = ConnectionHandler({"default": config})
        # Pools are the process's, by alias; this one is not to be that of the tests' own database.
        handler["default"].alias = f"limits-{len(made)}-{id(handler)}"
        made.append(handler)
        return handler

    yield connect
    for handler in made:
        handler.close_all()
        handler["default"].close_pool()  # type: ignore[attr-defined]


def limit(handler: ConnectionHandler) -> str:
    """The limit of a connection that is taken now."""
    handler["default"].close()
    return str(ask(handler, "SHOW statement_timeout"))


def ask(handler: ConnectionHandler, statement: str) -> Any:
    with handler["default"].cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def test_the_database_ends_a_statement_of_a_call_before_the_deadline(connect: Connect) -> None:
    handler, began = connect(), time.monotonic()
    with statements_within(0.5), pytest.raises(OperationalError) as raised:
        ask(handler, "SELECT 1 FROM pg_sleep(5)")
    assert time.monotonic() - began < 3
    assert is_too_long(raised.value)


def test_what_is_no_call_may_take_as_long_as_it_likes_on_the_same_connection(connect: Connect) -> None:
    handler = connect()
    with statements_within(0.5):
        assert limit(handler) == "475ms"
        first = ask(handler, "SELECT pg_backend_pid()")
    assert limit(handler) == "0"
    assert ask(handler, "SELECT 1 FROM pg_sleep(0.6)") == 1
    assert ask(handler, "SELECT pg_backend_pid()") == first


@pytest.mark.parametrize("pool", ["", "&pool=false", "&pool=false&conn_max_age=60"])
def test_a_limit_that_somebody_has_set_holds_where_it_is_shorter(connect: Connect, pool: str) -> None:
    handler = connect(f"options=-c%20statement_timeout%3D2000{pool}")
    with statements_within(60):
        assert limit(handler) == "2s"
    with statements_within(1):
        assert limit(handler) == "950ms"
    assert limit(handler) == "2s"


def test_on_connections_that_a_pooler_shares_nothing_is_set(connect: Connect) -> None:
    with statements_within(1):
        assert limit(connect("disable_server_side_cursors=true")) == "0"


def test_there_is_a_connection_for_each_thread_and_no_more(connect: Connect) -> None:
    handler, threads = connect(connections=3), 3 + conf.OTHER_CONNECTIONS
    wrapper = handler["default"]
    together = Barrier(threads)

    def hold() -> int:
        own = wrapper.copy()
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            together.wait(10)
            pid: int = cursor.fetchone()[0]
        own.close()
        return pid

    with ThreadPoolExecutor(threads) as executor:
        pids = [each.result() for each in [executor.submit(hold) for _ in range(threads)]]
    assert len(set(pids)) == threads
    assert wrapper.pool.max_size == threads  # type: ignore[attr-defined]


def test_the_pool_is_as_large_as_calls_and_pages_need() -> None:
    connections = settings.MCP_THREADS + settings.PAGE_THREADS
    pool = conf.database("postgres://h/d", connections=connections)["OPTIONS"]["pool"]
    assert pool["max_size"] == connections + conf.OTHER_CONNECTIONS
