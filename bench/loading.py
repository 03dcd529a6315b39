"""How fast `load_airfare` is: `python -m bench.loading [ROWS …]`.

For each number of rows a file is made and the real command loads it into a new SQLite database;
printed are rows a second from the command's start to its end, the same by processor time (on a busy
machine the fairer figure), and the most memory it had.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import airfare_data

ROOT = Path(__file__).resolve().parent.parent


def run(folder: Path, *arguments: str) -> tuple[float, float, float]:
    """Seconds, processor seconds and peak memory (MiB) of one run of manage.py, its state in `folder`."""
    environment = {
        **os.environ,
        "STATE_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder / 'bench.sqlite3'}",
    }
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"manage.py {' '.join(arguments)} ended with {process.returncode}.")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, default=[100_000, 1_000_000])
    for rows in parser.parse_args().rows:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "fares.csv"
            airfare_data.write(rows, path)
            run(Path(folder), "migrate", "-v0")
            seconds, processor, memory = run(Path(folder), "load_airfare", str(path))
        print(
            f"{rows:>9,} rows: {seconds:6.1f} s, {rows / seconds:7,.0f} rows/s, "
            f"{rows / processor:7,.0f} rows/s of processor time, {memory:4.0f} MiB at most"
        )


if __name__ == "__main__":
    main()
