"""How long a search of transcripts takes over HTTP, for everybody: whole calls, by what limits them.

`python -m bench.searching FOLDER` (BEIR layout; its sentences are drawn anew into calls of about 60
passages) loads 100,000 passages into each database (on PostgreSQL one of its own, at the server of
DATABASE_URL), starts the site with one worker, and asks the labelled questions one after the other over one
connection, each of them in every way in turn: without a limit, with one hidden transcript, by speaker, by
collection, by sector and date, for somebody who may read half of the collections. Printed are the times of
whole calls and, as ratios of the medians, what each limit costs. `--calls` makes many short calls or few
long ones of as many passages.
"""

import argparse
import asyncio
import os
import random
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.airfare import POSTGRESQL, PRODUCTION
from bench.load import MODERN, Measure, Request, measure, request
from bench.retrieval import lines
from tests.site import Site, running

PASSAGES = 100_000
COLLECTIONS = 20
"""Half of them are limited to a group; one more has a single transcript."""
SECTORS = ("Travel - Airlines", "Travel - Lodging", "Energy", "Software", "Health care")
FIRST_NAMES = ("Ada", "Boris", "Chidi", "Dolores", "Emre", "Freya", "Gustavo", "Hana", "Ines", "Jonas")
LAST_NAMES = (
    "Abel",
    "Brandt",
    "Castro",
    "Dubois",
    "Eriksen",
    "Fontaine",
    "Gruber",
    "Holm",
    "Ivanova",
    "Jansen",
)
TURN_WORDS = 40
LOADING_SECONDS = 1800

SETTING_UP = f"""
from django.contrib.auth.models import Group, User
from transcripts.models import Collection, Transcript
readers, members, one = (Group.objects.get_or_create(name=name)[0] for name in ("readers", "members", "one"))
collections = [Collection.objects.create(name=f"Set {{n}}", slug=f"set-{{n}}") for n in range({COLLECTIONS})]
for each in collections[::2]:
    each.groups.add(members)
for n, each in enumerate(Transcript.objects.order_by("slug")):
    Transcript.objects.filter(pk=each.pk).update(collection=collections[n % {COLLECTIONS}])
single = Collection.objects.create(name="Single", slug="single")
single.groups.add(one)
Transcript.objects.filter(pk=each.pk).update(collection=single)
User.objects.create_superuser("admin")
User.objects.create_user("most").groups.set([readers, members])
User.objects.create_user("half").groups.set([readers])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds corpus.jsonl and queries.jsonl")
    parser.add_argument("--passages", type=int, default=PASSAGES)
    parser.add_argument("--calls", type=int, default=PASSAGES // 60)
    parser.add_argument("--questions", type=int, default=150)
    parser.add_argument("--databases", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite"])
    options = parser.parse_args()
    given = os.environ.get("DATABASE_URL", "")
    for database in options.databases:
        postgresql = given if given.startswith("postgres") else POSTGRESQL
        os.environ["DATABASE_URL"] = postgresql if database == "postgresql" else ""
        _measure(options, database)


def _measure(options: argparse.Namespace, database: str) -> None:
    queries = [each["text"] for each in lines(options.folder / "queries.jsonl")][: options.questions]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        _write_calls(options, Path(folder))
        with running(PRODUCTION, prepare=False) as site:
            site.commands.start("upload_transcripts", folder).completed(LOADING_SECONDS).check_returncode()
            site.shell(SETTING_UP)
            counts = site.shell(
                "from transcripts.models import Passage, Transcript; "
                "print(f'{Passage.objects.count():,} passages of {Transcript.objects.count():,} calls')"
            )
            ways = _ways(site)
            measured = asyncio.run(_ask(site, ways, queries))
    table = Table("", "median ms", "p95 ms", "p99 ms", "ratio", title=f"{database}, {counts}")
    base = {tool: measured.percentile(0.5, f"{tool}, unlimited") for tool in ("search", "search_transcripts")}
    for way in ways:
        table.add_row(
            way,
            *(f"{measured.percentile(part, way):.1f}" for part in (0.5, 0.95, 0.99)),
            f"{measured.percentile(0.5, way) / base[way.partition(',')[0]]:.2f}",
        )
    Console().print(table)


def _ways(site: Site) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return the ways of asking by name: a token, a tool and arguments beside the query."""
    admin, most, half = (site.token(name) for name in ("admin", "most", "half"))
    filtered = "search_transcripts"
    name = f"{FIRST_NAMES[3]} {LAST_NAMES[3]}"
    return {
        "search, unlimited": (admin, "search", {}),
        "search, one hidden": (most, "search", {}),
        "search, half hidden": (half, "search", {}),
        "search_transcripts, unlimited": (admin, filtered, {}),
        "search_transcripts, one hidden": (most, filtered, {}),
        "search_transcripts, half hidden": (half, filtered, {}),
        "search_transcripts, speaker in all": (most, filtered, {"speaker": "expert"}),
        "search_transcripts, speaker in some": (most, filtered, {"speaker": LAST_NAMES[3]}),
        "search_transcripts, speaker in few": (most, filtered, {"speaker": name}),
        "search_transcripts, one collection": (most, filtered, {"collection": "Set 4"}),
        "search_transcripts, single call": (admin, filtered, {"collection": "Single"}),
        "search_transcripts, sector": (most, filtered, {"sector": "airlines"}),
        "search_transcripts, since": (most, filtered, {"date_from": "2026-06"}),
    }


async def _ask(site: Site, ways: dict[str, tuple[str, str, dict[str, Any]]], queries: list[str]) -> Measure:
    def requests(queries: list[str]) -> Iterator[Request]:
        for query in queries:
            for way, (token, tool, arguments) in ways.items():
                content = request(site.url, token, tool, {"query": query, **arguments}, MODERN)
                yield Request(way, content)

    await measure(site.url, requests(queries[:10]), connections=1)  # warm
    return await measure(site.url, requests(queries), connections=1)


def _write_calls(options: argparse.Namespace, folder: Path) -> None:
    draw = random.Random(1)
    texts = [each["text"] for each in lines(options.folder / "corpus.jsonl")]
    sentences = [each for text in texts for each in re.split(r"(?<=[.?!])\s+", text) if ":" not in each]
    # A passage has about 110 words, a turn somewhat more than TURN_WORDS.
    words = options.passages * 108 // options.calls
    for number in range(options.calls):
        named = f"{draw.choice(FIRST_NAMES)} {draw.choice(LAST_NAMES)}"
        speakers, said = ("Analyst", "Expert", named), 0
        turns: list[str] = []
        while said < words:
            turn: list[str] = []
            while len(turn) < TURN_WORDS:
                turn += draw.choice(sentences).split()
            turns.append(f"{speakers[len(turns) % 3]}: {' '.join(turn)}")
            said += len(turn)
        day = f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}"
        header = f"Call Date: {day}\nSector: {SECTORS[number % len(SECTORS)]}\n"
        body = "\n\n".join(turns)
        (folder / f"call_{number}.txt").write_text(f"---\n{header}---\n\n{body}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
