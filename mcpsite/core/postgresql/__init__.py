"""Django's backend for PostgreSQL, made to say soon that a database is away.

`complete` puts it into the entries of DATABASES, with the time limits that Django leaves out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

ENGINE = "django.db.backends.postgresql"

TIME_LIMITS = {
    # The least that libpq takes.
    "connect_timeout": 2,
    # A host that is gone without a word is noticed after half a minute, not after two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
POOL = {
    "min_size": 0,
    "max_size": 16,
    # How long a connection is waited for, and how long the pool goes on trying to open one.
    "timeout": 1.5,
    "reconnect_timeout": 1.0,
    # One that was not needed for so long is closed.
    "max_idle": 60.0,
}


BELOW = 0.95
"""A statement's part of the time that there is for an answer: the database ends it first."""

statement_seconds: ContextVar[float | None] = ContextVar("statement_seconds", default=None)
"""How long a statement may take on a connection that is taken now; None: as long as the server lets it."""


@contextmanager
def statements_within(seconds: float) -> Iterator[None]:
    """Have PostgreSQL end what is asked in the block, by whichever thread, before `seconds` are over.

    So nothing runs on there for a process that was killed or can no longer reach it. What is set for the
    server, the database, the role or the connection stays where it is shorter.
    """
    token = statement_seconds.set(seconds * BELOW)
    try:
        yield
    finally:
        statement_seconds.reset(token)


def complete(config: dict[str, Any]) -> None:
    """Fill in what an entry of DATABASES for PostgreSQL leaves open; what is set stays."""
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


def prepared_cursor(connection: Any) -> Any:
    """Return a cursor for statements that run again and again, which PostgreSQL prepares."""
    return getattr(connection, "prepared_cursor", connection.cursor)()
