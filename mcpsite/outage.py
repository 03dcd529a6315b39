"""A database that is away: which errors mean that, and the sentence for whoever starts something."""

import sqlite3

import psycopg
from django.conf import settings
from django.db import Error, connection, connections
from psycopg_pool import PoolTimeout

WAIT_SECONDS = 3

_REFUSED = ("08", "28", "3D", "53", "57P")
"""Beginnings of SQLSTATEs: connection broken, forbidden, no such database, one too many, shutting down."""
_NO_FILE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL)


def explain(error: Error) -> str:
    """Return in one sentence why the database cannot be used; empty if `error` is about a statement alone."""
    cause = error.__cause__
    if isinstance(cause, PoolTimeout):
        cause = _try_without_pool()
    if isinstance(cause, psycopg.Error):
        state = cause.sqlstate or "08"  # none where nobody answered
        away = isinstance(cause, psycopg.OperationalError) and state.startswith(_REFUSED)
    else:
        away = getattr(cause, "sqlite_errorcode", 0) & 0xFF in _NO_FILE
    if not away:
        return ""
    reason = " ".join(str(cause).partition("\n\tIs the server running")[0].split()).rstrip(".")
    if len(connections.settings) > 1:
        return f"A database cannot be used: {reason}."
    place = settings.ENVIRONMENT.place("DATABASE_URL")
    name = f"that DATABASE_URL names ({place})" if place else str(connection.settings_dict["NAME"])
    return f"The database {name} cannot be used: {reason}."


def _try_without_pool() -> psycopg.Error | None:
    """Return why PostgreSQL gives no connection, which the pool keeps to itself; None if it gives one."""
    parameters = {"connect_timeout": WAIT_SECONDS, **connection.get_connection_params()}
    try:
        psycopg.connect(**parameters).close()
    except psycopg.Error as error:
        return error
    return None
