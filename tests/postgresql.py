"""A PostgreSQL role and database of a test's own, and what that role is connected with."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest

DEFAULT_URL = "postgres://postgres@127.0.0.1:5432/postgres"


def administrator_url() -> str:
    """The URL of an administrator: DATABASE_URL where it names PostgreSQL, else the local server's."""
    url = os.environ.get("DATABASE_URL", "")
    return url.partition("?")[0] if url.startswith("postgres") else DEFAULT_URL


@dataclass(frozen=True, kw_only=True)
class Role:
    """A role with a database of its own."""

    name: str
    url: str

    def connections(self) -> int:
        """How many connections of the role the server counts now."""
        with psycopg.connect(administrator_url(), autocommit=True) as admin:
            found = admin.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", [self.name])
            row = found.fetchone()
        assert row is not None
        return int(row[0])


@contextmanager
def role(limit: int) -> Iterator[Role]:
    """A role that may have `limit` connections, and its database; both are dropped at the end."""
    name = f"site_{uuid4().hex[:12]}"
    parts = urlsplit(administrator_url())
    own = parts._replace(netloc=f"{name}:own@{parts.netloc.rpartition('@')[2]}", path=f"/{name}")
    with psycopg.connect(administrator_url(), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'own' CONNECTION LIMIT {limit}")
        admin.execute(f"CREATE DATABASE {name} OWNER {name}")
        try:
            yield Role(name=name, url=urlunsplit(own))
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
            admin.execute(f"DROP ROLE {name}")


def skip_without_postgresql() -> None:
    """Skip the test that runs where no PostgreSQL can be reached."""
    try:
        psycopg.connect(administrator_url(), connect_timeout=2).close()
    except psycopg.OperationalError:
        pytest.skip("there is no PostgreSQL here")
