"""Django's backend for PostgreSQL, made to say soon that a database is away.

`complete` puts it into the entries of DATABASES, with the time limits that Django leaves out.
"""

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
