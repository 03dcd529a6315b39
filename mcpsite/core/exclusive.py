"""Work that only one process of the site does at a time, whichever hosts the others run on."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.files import locks
from django.db import connections
from django.db.utils import DEFAULT_DB_ALIAS


@contextmanager
def alone(name: str, *, wait: bool, using: str = DEFAULT_DB_ALIAS) -> Iterator[bool]:
    """Hold the lock `name` during the block; without `wait` yield whether it was free, and go on either way.

    On PostgreSQL it is a lock of the database, on SQLite one on a file beside the database. It is released
    when the process ends. Raises django.db.OperationalError if the database is away.
    """
    connection: Any = connections[using]
    if connection.vendor == "postgresql":
        with connection.wrap_database_errors, _database_lock(connection, name, wait) as got:
            yield got
    else:
        with _file_lock(Path(str(connection.settings_dict["NAME"])), name, wait) as got:
            yield got


@contextmanager
def _database_lock(connection: Any, name: str, wait: bool) -> Iterator[bool]:
    number = int.from_bytes(hashlib.sha256(f"mcpsite {name}".encode()).digest()[:8], signed=True)
    # A separate connection: the locked work may commit, and may use several. The lock ends with its
    # transaction, which also works behind a pooler that shares connections.
    with psycopg.connect(**connection.get_connection_params()) as own:
        own.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        own.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        if wait:
            own.execute("SELECT pg_advisory_xact_lock(%s)", [number])
            yield True
        else:
            found = own.execute("SELECT pg_try_advisory_xact_lock(%s)", [number]).fetchone()
            yield bool(found and found[0])


@contextmanager
def _file_lock(database: Path, name: str, wait: bool) -> Iterator[bool]:
    # A database in memory, as in tests, has no folder.
    folder = database.parent if database.parent.is_dir() and database.is_absolute() else settings.STATE_DIR
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / f"{name.replace(' ', '-')}.lock").open("a") as file:
        got = locks.lock(file, locks.LOCK_EX if wait else locks.LOCK_EX | locks.LOCK_NB)
        try:
            yield got
        finally:
            if got:
                locks.unlock(file)
