"""How fast a bulk action is: `python -m bench.curating [ROWS] [--runs N]`.

A file of ROWS rows (100,000) is loaded into a new SQLite database; then all of them are hidden and
published again, N times (5), as the actions of the admin do it. Printed are the medians and the most
memory the process had.
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "mcpsite.settings",
            "STATE_DIR": folder,
            "DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
        }
        measure(arguments.rows, arguments.runs, Path(folder))


def measure(rows: int, runs: int, folder: Path) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from airfare.models import FareRow
    from bench import airfare_data
    from mcpsite.datasets import curation
    from mcpsite.datasets.declaration import data_set_of
    from mcpsite.datasets.files import find
    from mcpsite.datasets.loading import Choices, load

    call_command("migrate", verbosity=0)
    airfare_data.write(rows, folder / "fares.csv")
    list(load(data_set_of(FareRow), find([folder / "fares.csv"]), Choices(loaded_by="bench")))
    times: dict[str, list[float]] = {"hide": [], "publish": []}
    for _ in range(runs):
        for name, action in (("hide", curation.hide), ("publish", curation.publish)):
            started = time.process_time()
            action(FareRow.objects.all())
            times[name].append(time.process_time() - started)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for name, seconds in times.items():
        print(f"{name} {rows:,} rows: {statistics.median(seconds):5.2f} s of processor time")
    print(f"{memory:.0f} MiB at most")


if __name__ == "__main__":
    main()
