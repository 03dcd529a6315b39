"""Connections to PostgreSQL, from psycopg's pool or without it, for which nobody waits long in vain."""

import math
import time
from collections import defaultdict
from threading import Timer
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

import psycopg
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base
from psycopg import generators
from psycopg_pool import ConnectionPool, PoolTimeout

from mcpsite.core.interrupts import sever
from mcpsite.core.postgresql import statement_seconds

RETRY_SECONDS = 1.0
"""How often a database that is away is tried; in between everybody gets the error at once."""
ANSWER_SECONDS = 0.5
"""How long a connection may take to show that its server answers."""
ATTEMPT_SECONDS = 1.0
"""An attempt to connect that takes longer is one that nobody answers."""
SETTING_UP_SECONDS = 2.0
"""How long Django's first statements on a new connection may take."""
BUSY_SECONDS = 10.0
"""How long to wait for a connection if all are in use and none is missing."""
SILENT_SECONDS = 5.0
"""A database that has answered no attempt for so long does not answer on its old connections either."""


class Reach:
    """Whether a database can be reached, as the last attempt showed."""

    def __init__(self) -> None:
        self._cause = ""
        self._away_since = self._next_try = 0.0

    def refuse_while_away(self) -> None:
        """Raise psycopg.OperationalError while the database is away, except once each RETRY_SECONDS."""
        if not self._cause:
            return
        now = time.monotonic()
        if now < self._next_try:
            raise psycopg.OperationalError(self._cause)
        self._next_try = now + RETRY_SECONDS

    def failed(self, cause: str) -> float:
        """Remember that the database is away, and why; return the seconds since that was first noticed."""
        now = time.monotonic()
        if not self._cause:
            self._away_since = now
        self._cause, self._next_try = cause, now + RETRY_SECONDS
        return now - self._away_since

    def succeeded(self) -> None:
        self._cause = ""


class Pool(ConnectionPool[Any]):
    """psycopg's pool, which distinguishes a database that is away from a pool that is all in use.

    psycopg's own check of a connection waits as long as the server is silent, and after a second bad one it
    sleeps; here a check has a time limit, and a bad one is followed by the next at once. psycopg's hooks
    report connections that were made; only `_connect` knows of an attempt that fails or goes on.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._reach = Reach()
        self._attempts: list[float] = []
        """When the attempts to connect that are under way began."""
        self._fault: psycopg.Error | None = None
        """The error of the last attempt."""
        self._lent: set[psycopg.Connection[Any]] = set()

    def getconn(self, timeout: float | None = None) -> Any:
        if not self._pool:
            self._reach.refuse_while_away()
        seconds = self.timeout if timeout is None else timeout
        began = time.monotonic()
        ends_at = began + seconds
        while True:
            try:
                connection = super().getconn(ends_at - time.monotonic())
            except PoolTimeout:
                ends_at = time.monotonic() + seconds
                if not self._is_missing_some() and ends_at < began + BUSY_SECONDS:
                    continue
                self._fail()
            if lives(connection, ends_at):
                self._reach.succeeded()
                self._lent.add(connection)
                return connection
            connection.close()
            super().putconn(connection)  # which has another one opened
            if connection._created_at > began:  # by the pool, for `max_lifetime`
                self._fault = psycopg.OperationalError("the database does not answer on a new connection")
                self._fail()

    def putconn(self, conn: Any) -> None:
        self._lent.discard(conn)
        super().putconn(conn)

    def _is_missing_some(self) -> bool:
        """Return whether connections cannot be opened; otherwise all that exist are in use."""
        return self._fault is not None or self._is_unanswered()

    def _is_unanswered(self) -> bool:
        return any(time.monotonic() - began > ATTEMPT_SECONDS for began in list(self._attempts))

    def _fail(self) -> NoReturn:
        if not self._is_missing_some():
            raise psycopg.OperationalError("all connections of the pool are in use")
        cause = str(self._fault) if self._fault else "the database does not answer"
        silent = self._is_unanswered() or isinstance(self._fault, psycopg.errors.ConnectionTimeout)
        if self._reach.failed(cause) > SILENT_SECONDS and silent:
            for connection in list(self._lent):
                sever(connection)
        raise psycopg.OperationalError(cause)

    def _connect(self, timeout: float | None = None) -> Any:
        began = time.monotonic()
        self._attempts.append(began)
        try:
            connection = super()._connect(timeout)
        except psycopg.Error as error:
            self._fault = error
            raise
        finally:
            self._attempts.remove(began)
        self._fault = None
        return connection


def pools() -> dict[str, Pool]:
    """Return the pools of this process, by the alias of their database."""
    return dict(DatabaseWrapper._connection_pools)  # type: ignore[attr-defined]


_PAGES_ARE_NEAR = (
    "SELECT set_config('random_page_cost', '1.1', false) WHERE current_setting('random_page_cost') = '4'"
)
"""PostgreSQL's default assumes turning disks and reads whole tables even if an index leads to a part of one.

A value that somebody has set for their server, database or role stays.
"""

_PLANNED_ONCE = "SET plan_cache_mode = force_generic_plan"
"""What is prepared here (see `prepared_rows`) is written so that one plan is good for all parameters."""

_OWN_LIMIT = "SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout'"

_reach: defaultdict[str, Reach] = defaultdict(Reach)
"""By alias, for those without a pool."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's wrapper, with this module's pool and with attempts that are not all made anew."""

    @property
    def pool(self) -> Pool | None:
        options = self.settings_dict["OPTIONS"].get("pool")
        if self.alias == NO_DB_ALIAS or not options:
            return None
        pools: dict[str, Pool] = self._connection_pools  # type: ignore[attr-defined]
        if self.alias not in pools:
            connect = {**self.get_connection_params(), "autocommit": True}
            pool = Pool(kwargs=connect, open=False, configure=self._configure_connection, **options)
            pools.setdefault(self.alias, pool)
        return pools[self.alias]

    def get_new_connection(self, conn_params: Any) -> Any:
        if self.pool is not None or self.alias == NO_DB_ALIAS:
            return super().get_new_connection(conn_params)
        reach = _reach[self.alias]
        reach.refuse_while_away()
        try:
            connection = super().get_new_connection(conn_params)
        except psycopg.OperationalError as error:
            reach.failed(str(error))
            raise
        reach.succeeded()
        return connection

    def prepared_cursor(self) -> Any:
        """Return a cursor whose statements the server has prepared from their second run on.

        Parameters go to the server beside the statement. If `prepare_threshold` is None, because a pooler
        shares connections, nothing is prepared.
        """
        self.close_if_health_check_failed()
        self.ensure_connection()
        with self.wrap_database_errors:
            cursor = base.ServerBindingCursor(self.connection)  # type: ignore[call-arg]
            return self._prepare_cursor(cursor)  # type: ignore[attr-defined]

    def is_usable(self) -> bool:
        return self.connection is not None and lives(self.connection)

    def _configure_connection(self, connection: Any) -> bool:
        end = Timer(SETTING_UP_SECONDS, sever, [connection])
        end.start()
        try:
            super()._configure_connection(connection)  # type: ignore[misc]
            with connection.cursor() as cursor:
                cursor.execute(_PAGES_ARE_NEAR)
                # On a pooler's connection, which others use in between, it would be set for them, too.
                if not self.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
                    cursor.execute(_PLANNED_ONCE)
                    cursor.execute(_OWN_LIMIT)
                    limit = _limits[connection] = _Limit(cursor.fetchone()[0])
                    if not self.pool and (statement := limit.statement()):
                        cursor.execute(statement)
            return True  # It has to be committed.
        finally:
            end.cancel()


def lives(connection: "psycopg.Connection[Any]", ends_at: float = math.inf) -> bool:
    """Return whether the server answers on this connection, in ANSWER_SECONDS and about until `ends_at`.

    The query also sets, if needed, how long the statements of the current work may take.
    """
    seconds = max(ANSWER_SECONDS / 2, min(ANSWER_SECONDS, ends_at - time.monotonic()))
    limit = _limits.get(connection)
    try:
        connection.pgconn.send_query(limit.statement() if limit else b"")
        connection.wait(generators.execute(connection.pgconn), timeout=seconds)
    except psycopg.Error:
        return False
    return True


class _Limit:
    """How long statements may take on one connection."""

    def __init__(self, own: int) -> None:
        """Start with `own`, the milliseconds that are set for the connection; 0 for any time."""
        self._own = own
        self._current: int | None = None
        """None: the connection's own."""

    def statement(self) -> bytes:
        """Return the statement that sets what the current work may take; empty if it is set already."""
        seconds = statement_seconds.get()
        wanted = None if seconds is None else max(1, round(seconds * 1000))
        if wanted is not None and 0 < self._own <= wanted:
            wanted = None
        if wanted == self._current:
            return b""
        self._current = wanted
        return b"RESET statement_timeout" if wanted is None else b"SET statement_timeout = %d" % wanted


_limits: WeakKeyDictionary["psycopg.Connection[Any]", _Limit] = WeakKeyDictionary()
