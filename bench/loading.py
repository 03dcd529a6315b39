"""How fast `load_airfare` is: `python -m bench.loading [ROWS …]`.

For each number of rows a file is made and the real command loads it, and then loads it again, changed, into a
new site, on the database that DATABASE_URL names, else SQLite. Printed are rows a second from the command's
start to its end, the same by processor time (on a busy machine the fairer figure; a database server has its
own), and the most memory it had; and how long a raw copy of the same rows takes into a table with the same
columns and indexes. SQLite's journal is told at the end.
"""

import argparse
import os
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg

from bench import airfare_data
from bench.airfare import PRODUCTION
from tests.site import environment

ROOT = Path(__file__).resolve().parent.parent


def run(env: dict[str, str], *arguments: str) -> tuple[float, float, float]:
    """Return seconds, processor seconds and peak memory (MiB) of one run of manage.py."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), *arguments], cwd=ROOT, env=env, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"manage.py {' '.join(arguments)} ended with {process.returncode}.")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def raw(env: dict[str, str]) -> float:
    """Return the seconds of a raw copy of the rows, in one transaction, into a similar table."""
    if url := env.get("DATABASE_URL"):
        with psycopg.connect(url) as postgres, postgres.cursor() as cursor:
            with cursor.copy("COPY (SELECT * FROM airfare_farerow) TO STDOUT") as copied:
                parts = list(copied)
            cursor.execute("CREATE TABLE raw (LIKE airfare_farerow INCLUDING ALL)")
            started = time.monotonic()
            with cursor.copy("COPY raw FROM STDIN") as copy:
                for part in parts:
                    copy.write(part)
            postgres.commit()
            return time.monotonic() - started
    path = Path(env["STATE_DIR"]) / "db.sqlite3"
    with closing(sqlite3.connect(path)) as lite:
        rows = lite.execute("SELECT * FROM airfare_farerow").fetchall()
        schema = lite.execute(
            "SELECT sql FROM sqlite_schema WHERE tbl_name = 'airfare_farerow' AND sql IS NOT NULL"
        )
        for (statement,) in schema.fetchall():
            lite.execute(statement.replace('"airfare_', '"raw_'))
        started = time.monotonic()
        places = ", ".join("?" * len(rows[0]))
        lite.executemany(f"INSERT INTO raw_farerow VALUES ({places})", rows)
        lite.commit()
        return time.monotonic() - started


def measure(rows: int) -> None:
    with environment(PRODUCTION) as env:
        path = Path(env["STATE_DIR"]) / "fares.csv"
        airfare_data.write(rows, path)
        for what in ("load", "reload"):
            seconds, processor, memory = run(env, "load_airfare", str(path))
            print(
                f"{rows:>9,} rows, {what:>6}: {seconds:6.1f} s, {rows / seconds:7,.0f} rows/s, "
                f"{rows / processor:7,.0f} rows/s of processor time, {memory:4.0f} MiB at most"
            )
            if what == "load":
                # In its own process: what starts later would be told to have had its memory.
                with ProcessPoolExecutor(1) as process:
                    copied = process.submit(raw, env).result()
                print(f"{rows:>9,} rows, a raw copy: {copied:.1f} s, {seconds / copied:.1f} times less")
                with path.open("a") as file:
                    file.write("2030-01-01" + "," * 10 + "\n")
        journal = Path(env["STATE_DIR"]) / "db.sqlite3-wal"
        if journal.exists():
            print(f"SQLite's journal: {journal.stat().st_size / 2**20:,.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, default=[100_000, 1_000_000])
    for rows in parser.parse_args().rows:
        measure(rows)


if __name__ == "__main__":
    main()
