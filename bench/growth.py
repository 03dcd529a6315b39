"""How the fare table grows by reloads on PostgreSQL: `DATABASE_URL=… python -m bench.growth [--rows N]`.

One file of fares is loaded, then changed and loaded again three times, with the earlier load gone at
once (LOAD_UNDO_HOURS=0) or kept (24). Printed is the size of all tables of data sets after each load,
then what the last size is made of: the tables, their indexes, and how many rows are stored.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from bench import airfare_data
from tests.site import ask, running

RELOADS = 3
PATIENCE_SECONDS = 180
REBUILDING_SECONDS = 15
LOADS = "SELECT id FROM datasets_load"
SIZE = """
    SELECT sum(pg_table_size(oid)), sum(pg_indexes_size(oid)) FROM pg_class
    WHERE relkind = 'r' AND (relname LIKE 'airfare%' OR relname LIKE 'datasets%')
"""
STORED = "SELECT count(*) AS rows FROM airfare_farerow"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--vacuum", action="store_true", help="run VACUUM after each load")
    options = parser.parse_args()
    rows = options.rows
    for hours in ("0", "24"):
        # A server deletes what was replaced when no earlier call can still be under way.
        settings = {"LOAD_UNDO_HOURS": hours, "MCP_DEADLINE_SECONDS": "1"}
        with running(settings, prepare=False) as site, tempfile.TemporaryDirectory() as folder:
            env = site.env
            if "DATABASE_URL" not in env:
                sys.exit("Set DATABASE_URL to a PostgreSQL; SQLite's file keeps what it has had.")
            kept = 1 if hours == "0" else 2
            sizes, tables, indexes = [], 0.0, 0.0
            for number in range(RELOADS + 1):
                airfare_data.write(rows, Path(folder, "fares.csv"), seed=number)
                site.manage("load_airfare", folder)
                end = time.monotonic() + PATIENCE_SECONDS
                while len(ask(env, LOADS)) > kept and time.monotonic() < end:
                    time.sleep(1)
                # Then the indexes are rebuilt, one after the other.
                time.sleep(REBUILDING_SECONDS)
                with psycopg.connect(env["DATABASE_URL"], autocommit=True) as connection:
                    if options.vacuum:
                        connection.execute("VACUUM (ANALYZE)")
                    tables, indexes = map(float, connection.execute(SIZE).fetchone() or (0, 0))
                sizes.append(tables + indexes)
            told = ", ".join(f"{size / 1e6:.0f} MB ({size / sizes[0]:.2f})" for size in sizes)
            print(f"LOAD_UNDO_HOURS={hours}, {rows:,} rows, after each load: {told}")
            (stored,) = ask(env, STORED)
            parts = f"tables {tables / 1e6:.0f} MB, indexes {indexes / 1e6:.0f} MB"
            print(f"  {parts}, for {stored['rows']:,} rows")


if __name__ == "__main__":
    main()
