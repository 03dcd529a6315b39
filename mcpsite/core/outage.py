"""Databases that are away: which errors mean that, and the sentences for callers and operators."""

import sqlite3
from collections.abc import Iterator

import psycopg
from django.conf import settings
from django.db import DatabaseError, Error, InterfaceError, OperationalError, connection, connections

AWAY = "The server's database is temporarily unavailable; try again in a few seconds."
"""For callers and visitors."""

_REFUSED = ("08", "28", "3D", "53", "57P")
"""Beginnings of SQLSTATEs: connection broken, forbidden, no such database, one too many, shutting down."""
_NO_FILE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL)

_POSTGRESQL_STATES = ("08", "25006", "40", "53", "55P03", "57P", "58")
"""SQLSTATEs, by how they begin: connection, read-only, lost race, no room, lock, shutdown, system."""
_SQLITE_CODES = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}


def is_outage(error: BaseException | None) -> bool:
    """Return whether `error` arose because a database could not be used: no fault of ours, and it passes."""
    return any(_is_outage(each) for each in chain(error))


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield `error` and what caused it, the last first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _is_outage(error: BaseException) -> bool:
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        # The low byte is the kind; the others are SQLite's more exact codes.
        return getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF in _SQLITE_CODES
    state = getattr(cause, "sqlstate", None)
    if state is None:
        # The driver's own words, because no server was there to give a code.
        return isinstance(error, OperationalError | InterfaceError)
    return str(state).startswith(_POSTGRESQL_STATES)


def is_too_long(error: BaseException) -> bool:
    """Return whether the database ended a statement because it took too long or somebody there ended it."""
    return any(isinstance(each, psycopg.errors.QueryCanceled) for each in chain(error))


def why_not_stored(error: DatabaseError) -> str:
    """Return why a database did not store a file, to follow its name and without the database's own words.

    Those contain SQL and values.
    """
    if "locked" in str(error):
        return "could not be loaded, because another process kept writing to the database; load it again"
    if isinstance(error, OperationalError):
        return "could not be loaded because of a database error (see the log); load it again"
    return "contains something that the database cannot store (see the log)"


def explain(error: Error) -> str:
    """Return in one sentence why the database cannot be used; empty if `error` is about a statement alone."""
    cause = error.__cause__
    if isinstance(cause, psycopg.Error):
        state = cause.sqlstate or "08"  # none if nobody answered
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
