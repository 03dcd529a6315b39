"""The company's own database, made by a test: SQLite and PostgreSQL, and a user who may only SELECT."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.postgresql import administrator_url, role, skip_without_postgresql

TABLES = """
CREATE TABLE customer (id integer PRIMARY KEY, name varchar(100) NOT NULL);
CREATE TABLE sale (
    id integer PRIMARY KEY, sold_on date, booked_at {time}, region varchar(40), channel varchar(40) NOT NULL,
    usd numeric(12, 2), units integer NOT NULL, weight double precision,
    is_gift boolean NOT NULL DEFAULT {no}, note text, margin numeric(12, 2),
    customer_id integer REFERENCES customer (id), details {json}
);
CREATE INDEX sale_sold_on ON sale (sold_on);
INSERT INTO customer VALUES (1, 'Hidden & Sons');
INSERT INTO sale (id, sold_on, region, channel, usd, units, note, margin, customer_id) VALUES
    (1, '2025-01-06', 'North', 'web', 100.50, 1, 'First of the year', 11, 1),
    (2, '2025-01-31', 'North', 'shop', 250, 2, NULL, 22, 1),
    (3, '2025-02-03', 'South', 'web', 75.25, 3, 'Paid in 100% cash_only', 33, 1),
    (4, '2025-02-03', 'North', 'web', 20, 4, '', 44, 1),
    (5, NULL, 'South', 'shop', NULL, 5, 'No day', 55, NULL),
    (6, '2024-12-30', NULL, 'shop', 10, 6, NULL, 66, NULL);
CREATE VIEW slow_sale AS {slow};
"""
ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 1 AS id, max(i) AS region FROM n"
)


@contextmanager
def sqlite_erp(folder: Path) -> Iterator[str]:
    """The address of a SQLite file."""
    path = folder / "erp of 100% & co.sqlite3"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(TABLES.format(time="datetime", no="0", json="text", slow=ENDLESS))
    yield f"sqlite:///{str(path).replace('%', '%25').replace(' ', '%20')}"


@contextmanager
def postgresql_erp(_: Path) -> Iterator[str]:
    """The address of a PostgreSQL database for a user who may only SELECT."""
    skip_without_postgresql()
    slow = "SELECT 1 AS id, 'x'::varchar AS region FROM pg_sleep(600)"
    tables = TABLES.format(time="timestamptz", no="false", json="jsonb", slow=slow)
    with role(limit=20) as owner, psycopg.connect(administrator_url(), autocommit=True) as admin:
        reader = f"{owner.name}_reader"
        admin.execute(f"CREATE ROLE {reader} LOGIN PASSWORD 'reads'")
        with psycopg.connect(owner.url) as database:
            database.execute(tables)
            database.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}")
        parts = urlsplit(owner.url)
        netloc = f"{reader}:reads@{parts.netloc.rpartition('@')[2]}"
        try:
            yield urlunsplit(parts._replace(netloc=netloc))
        finally:
            with psycopg.connect(
                urlunsplit(urlsplit(administrator_url())._replace(path=parts.path)), autocommit=True
            ) as own:
                own.execute(f"DROP OWNED BY {reader}")
            admin.execute(f"DROP ROLE {reader}")
