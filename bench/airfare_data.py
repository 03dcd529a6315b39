"""Airfare files of any size that look like real ones: `python -m bench.airfare_data ROWS PATH`.

The same number of rows gives the same files. Dates are weekly snapshots, oldest first, as such files
grow; four in five notable texts recur, one in five is found in one row only. They come in SHAPES; of the last
three, PATH is a folder.
"""

import argparse
import csv
import datetime
import random
from collections.abc import Callable, Iterable, Iterator
from itertools import permutations, product
from pathlib import Path

HEADER = (
    "snapshot_date",
    "route",
    "airline",
    "season",
    "avg_fare_usd",
    "premium_fare_usd",
    "fare_yoy_pct",
    "advance_purchase_days",
    "load_factor_pct",
    "ancillary_revenue_pct",
    "notable_driver",
)
ROUTES = (
    "ATL-SEA",
    "ATL-BOS",
    "BOS-MCO",
    "BOS-SFO",
    "CLT-FLL",
    "DEN-PHX",
    "DFW-DEN",
    "DFW-MIA",
    "EWR-LHR",
    "IAD-CDG",
    "IAH-CUN",
    "JFK-LAX",
    "JFK-LHR",
    "LAX-HNL",
    "LAX-NRT",
    "LGA-ORD",
    "MIA-BOG",
    "MSP-DTW",
    "ORD-SFO",
    "SEA-ANC",
    "SFO-JFK",
)
AIRLINES = (
    "Alaska Airlines",
    "American Airlines",
    "Breeze Airways",
    "Delta Air Lines",
    "Frontier Airlines",
    "Hawaiian Airlines",
    "JetBlue Airways",
    "Southwest Airlines",
    "Spirit Airlines",
    "United Airlines",
)
SEASONS = ("Spring", "Summer", "Fall Shoulder", "Holiday", "Winter")
_CAUSES = (
    "Conference traffic",
    "A corporate contract",
    "School holidays",
    "Storm recovery",
    "A fare sale",
    "Cruise departures",
    "A new lounge",
    "Card sign-up bonuses",
    "Film festival demand",
    "Weekend shuttles",
)
_EFFECTS = (
    "filled premium cabins",
    "moved bookings closer in",
    "kept yields flat",
    "lifted ancillary revenue",
    "pulled demand forward",
    "softened midweek fares",
    "closed lower fare buckets",
    "widened the premium gap",
)
_PLACES = ("on the coast", "at the hub", "in the suburbs", "for crews", "against rivals", "before the break")
FIRST_WEEK = datetime.date(2016, 1, 4)
WEEKS = 500
"""Weekly snapshots in a file, however long it is."""


WEEKLY_FILES = 67
_MORE_AIRPORTS = (
    *("AMS", "AUS", "BNA", "CLE", "DUB", "EZE", "FRA", "GRU"),
    *("HKG", "HND", "ICN", "IND", "JAX", "KIX"),
)
AIRPORTS = sorted({*_MORE_AIRPORTS, *(airport for route in ROUTES for airport in route.split("-"))})


def rows(count: int, seed: int = 1) -> Iterator[list[str]]:
    """Yield `count` rows under HEADER, in the order of their dates."""
    chance = random.Random(seed)
    for number in range(count):
        day = FIRST_WEEK + datetime.timedelta(weeks=number * WEEKS // count)
        season = f"{chance.choice(SEASONS)} {day.year}"
        yield _row(chance, number, day, chance.choice(ROUTES), chance.choice(AIRLINES), season)


def _row(
    chance: random.Random, number: int, day: datetime.date, route: str, airline: str, season: str
) -> list[str]:
    fare = chance.randint(90, 950)
    text = f"{chance.choice(_CAUSES)} {chance.choice(_EFFECTS)} {chance.choice(_PLACES)}"
    if chance.random() < 0.2:
        text += f", notice {number}"
    return [
        day.isoformat(),
        route,
        airline,
        season,
        str(fare),
        str(chance.choice((0, round(fare * chance.uniform(1.4, 2.1))))),
        f"{chance.uniform(-12, 14):.1f}",
        str(chance.randint(3, 60)),
        str(chance.randint(62, 97)),
        str(chance.randint(8, 34)),
        text,
    ]


def write(count: int, path: Path, seed: int = 1) -> None:
    """Write a CSV file of `count` rows."""
    write_rows(path, rows(count, seed))


def write_weekly(count: int, folder: Path, seed: int = 1) -> None:
    """Write a CSV file for each of WEEKLY_FILES weeks, `count` rows in all."""
    chance = random.Random(seed)
    routes = [f"{origin}-{destination}" for origin, destination in permutations(AIRPORTS, 2)]
    chance.shuffle(routes)
    pairs = list(product(routes, AIRLINES))
    for week in range(WEEKLY_FILES):
        day = FIRST_WEEK + datetime.timedelta(weeks=week)
        season = f"{SEASONS[(day.month - 3) % 12 // 3]} {day.year}"
        first, end = week * count // WEEKLY_FILES, (week + 1) * count // WEEKLY_FILES
        if end - first > len(pairs):
            raise SystemExit(f"weekly files hold {len(pairs) * WEEKLY_FILES:,} rows at most")
        of_week = zip(range(first, end), pairs, strict=False)
        write_rows(
            folder / f"fares_{day}.csv",
            (_row(chance, number, day, *pair, season) for number, pair in of_week),
        )


def write_nearly_unique(count: int, folder: Path) -> None:
    """Write a CSV file of `count` rows, each with its own airline."""
    each = ([*row[:2], f"Charter {number:07}", *row[3:]] for number, row in enumerate(rows(count)))
    write_rows(folder / "fares.csv", each)


def write_undated(count: int, folder: Path) -> None:
    """Write a CSV file of `count` rows, of which one in ten has a day."""
    each = (["" if number % 10 else row[0], *row[1:]] for number, row in enumerate(rows(count)))
    write_rows(folder / "fares.csv", each)


SHAPES: dict[str, Callable[[int, Path], None]] = {
    # Few routes and airlines, with many rows of each.
    "one-file": lambda count, folder: write(count, folder / "fares.csv"),
    # One row for each week, route and airline: there are hardly more rows than combinations.
    "weekly": write_weekly,
    "nearly-unique": write_nearly_unique,
    "undated": write_undated,
}


def write_rows(path: Path, written: Iterable[list[str]]) -> None:
    """Write a CSV file of these rows under HEADER."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(written)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int)
    parser.add_argument("path", type=Path)
    parser.add_argument("--shape", choices=SHAPES, default="one-file")
    arguments = parser.parse_args()
    if arguments.shape == "one-file":
        write(arguments.rows, arguments.path)
    else:
        arguments.path.mkdir(exist_ok=True)
        SHAPES[arguments.shape](arguments.rows, arguments.path)


if __name__ == "__main__":
    main()
