"""Django's backend for PostgreSQL, changed to report soon that a database is away.

`complete` puts it into the entries of DATABASES, with the time limits that Django leaves out.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db.utils import NotSupportedError

ENGINE = "django.db.backends.postgresql"

TIME_LIMITS = {
    # The least that libpq accepts.
    "connect_timeout": 2,
    # A host that vanished silently is noticed after half a minute, not after two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
POOL = {
    "min_size": 0,
    "max_size": 16,
    # How long to wait for a connection, and how long the pool goes on trying to open one.
    "timeout": 1.5,
    "reconnect_timeout": 1.0,
    # A connection that was not needed for so long is closed.
    "max_idle": 60.0,
}


BELOW = 0.95
"""The part of the time for an answer that a statement gets: the database ends it first."""

statement_seconds: ContextVar[float | None] = ContextVar("statement_seconds", default=None)
"""How long a statement may take on a connection taken from now on; None: as long as the server allows."""


@contextmanager
def statements_within(seconds: float) -> Iterator[None]:
    """Have PostgreSQL end what is asked in the block, by any thread, before `seconds` are over.

    Then nothing goes on there for a process that was killed or can no longer reach it. A shorter limit of the
    server, the database, the role or the connection is kept.
    """
    token = statement_seconds.set(seconds * BELOW)
    try:
        yield
    finally:
        statement_seconds.reset(token)


def complete(config: dict[str, Any]) -> None:
    """Fill in what a DATABASES entry for PostgreSQL leaves open; what is set stays."""
    if config.get("ENGINE") != ENGINE:
        return
    config["ENGINE"] = __name__
    options = {**TIME_LIMITS, **config.get("OPTIONS", {})}
    # A pooler that shares connections keeps neither cursors nor prepared statements on one server. Django's
    # own statements are never prepared.
    options.setdefault("prepare_threshold", None if config.get("DISABLE_SERVER_SIDE_CURSORS") else 1)
    if pool := options.get("pool"):
        options["pool"] = {**POOL, **(pool if isinstance(pool, dict) else {})}
    config["OPTIONS"] = options


def prepared_rows(connection: Any, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return what a statement selects that runs repeatedly, which PostgreSQL prepares."""
    try:
        return _rows(getattr(connection, "prepared_cursor", connection.cursor)(), sql, parameters)
    except NotSupportedError:  # A column's type has changed since PostgreSQL made the plan.
        if connection.in_atomic_block or connection.vendor != "postgresql":
            raise
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    return _rows(connection.cursor(), sql, parameters)


def _rows(opened: Any, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with opened as cursor:
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
