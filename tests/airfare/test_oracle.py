"""Random questions over data of four shapes, each answered by plain Python too.

`make test` asks 1,000 of them and `make e2e` 10,000, of the database that DATABASE_URL names: half of them
when rows are counted by day, as a server does it ahead.
"""

import csv
import datetime
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airfare.models import FareRow
from airfare.tools import GROUPS, STATISTICS
from mcpsite.access.caller import Caller, Claims
from mcpsite.datasets import curation, queries
from mcpsite.datasets.files import find
from mcpsite.datasets.filters import Filters
from mcpsite.datasets.models import SourceFile
from mcpsite.datasets.periods import period
from tests.airfare import fares as engine
from tests.airfare import shapes
from tests.airfare.oracle import COLUMNS, NUMBERS, File, Oracle, Reader, Row, Values

pytestmark = pytest.mark.django_db

STAGES = ("as loaded", "curated", "loaded again")
QUESTIONS = [42, pytest.param(417, marks=pytest.mark.e2e)]
"""For each of the four shapes in each stage, counted ahead or not."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who asks, as the site and as the oracle knows them."""

    principal: Caller | None
    reader: Reader


@dataclass(frozen=True, kw_only=True)
class Data:
    """What is stored, and who may ask about it."""

    files: list[File]
    people: dict[str, Person]
    oracles: dict[str, Oracle]


@pytest.fixture
def data(shape: str, stage: str, folder: Path) -> Data:
    """Files of a shape, loaded, curated and loaded again up to a stage; the same ones each time."""
    chance = random.Random(shape)
    files = shapes.SHAPES[shape](chance)
    board = Group.objects.create(name="board")
    with _stored(files, folder):
        pass
    if stage != "as loaded":
        _limit(chance, files, board)
        _curate(chance, files)
    if stage == "loaded again":
        with _stored(files, folder):
            for file in files:
                shapes.change(chance, file)
    people = {
        "Alice, who is on the board": _person(1, groups=frozenset({board.pk})),
        "Charlie, who is not": _person(2),
        "a superuser": _person(3, everything=True),
        "a stranger": _person(4, nothing=True),
        "the back office": Person(principal=None, reader=Reader(everything=True)),
    }
    oracles = {name: Oracle(files, person.reader) for name, person in people.items()}
    return Data(files=files, people=people, oracles=oracles)


def _person(
    number: int, *, groups: frozenset[int] = frozenset(), everything: bool = False, nothing: bool = False
) -> Person:
    claims = Claims(issuer="", subject=str(number), client_id="", scopes=frozenset(), expires_at=0)
    caller = Caller(
        user_id=number,
        username=str(number),
        claims=claims,
        permissions=frozenset() if nothing else frozenset({"airfare.view_farerow"}),
        groups=groups,
        is_superuser=everything,
    )
    return Person(principal=caller, reader=Reader(groups=groups, everything=everything, nothing=nothing))


@contextmanager
def _stored(files: list[File], folder: Path) -> Iterator[None]:
    """Load `files` as they are at the end of the block."""
    yield
    for file in files:
        path = folder / file.name
        path.parent.mkdir(exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as output:
            writer = csv.writer(output)
            writer.writerow(COLUMNS)
            for position, row in enumerate(file.rows, start=1):
                row.position = position
                # What stands in for a query is not in the file.
                standing_in = {"query": ""} if row.given["query"] == path.name else {}
                writer.writerow([(row.given | standing_in)[name] for name in COLUMNS])
    outcomes = list(engine.load(find([folder])))
    assert {outcome.result for outcome in outcomes} <= {"new", "replaced"}, outcomes


def _limit(chance: random.Random, files: list[File], board: Group) -> None:
    """Keep some files for the board."""
    for file in chance.sample(files, -(-len(files) // 3)):
        file.groups.add(board.pk)
        SourceFile.objects.get(name=file.name).groups.add(board)


def _curate(chance: random.Random, files: list[File]) -> None:
    """Hide some rows, edit some, and give some of them back."""
    places = {id(row): (file.name, row.position) for file in files for row in file.rows}
    rows = [row for file in files for row in file.rows]
    keys = {
        (name, position): key
        for key, name, position in FareRow.objects.values_list("key", "load__name", "position")
    }

    def stored(chosen: list[Row]) -> Any:
        return FareRow.objects.filter(key__in=[keys[places[id(row)]] for row in chosen])

    hidden = chance.sample(rows, len(rows) // 10)
    published = hidden[::4]
    curation.hide(stored(hidden))
    curation.publish(stored(published))
    for row in hidden:
        row.hidden = row not in published
    edits = list(shapes.edits(chance, rows))
    curation.edit_each(engine.DATA_SET, [(keys[places[id(row)]], values) for row, values in edits], None)
    for row, values in edits:
        row.edit(values)
    reverted = [row for row, _ in edits[::5]]
    curation.restore(stored(reverted))
    for row in reverted:
        row.edits = {}


# Questions


def _needles(values: set[str]) -> st.SearchStrategy[str]:
    """Mostly nothing, else a value or a part of one, in another case, or something that no value holds."""
    some = sorted(values)[:: max(1, len(values) // 40)]
    parts = {part for value in some for part in (value, value[:3], value[2:5], value[-4:], value[1:2])}
    odd = {"jfk", "-", "%", "_", "\\", '"', "ss", "i\u0307", "fi", "2025", "æ", "no such", "a\0b", "\ud800"}
    asked = sorted({each for part in parts | odd for each in (part, part.upper(), part.lower())} - {""})
    return st.one_of(st.just(""), st.just(""), st.sampled_from(asked))


def _days(fares: Oracle) -> st.SearchStrategy[tuple[datetime.date, datetime.date] | None]:
    """A day, a month or a year, as the tools ask, or any other days one after another."""
    known = sorted({fare.day for fare in fares.fares if fare.day}) or [shapes.FIRST_WEEK]
    days = st.one_of(
        st.sampled_from(known),
        st.dates(known[0] - datetime.timedelta(days=40), known[-1] + datetime.timedelta(days=40)),
    )
    texts = st.builds(lambda day, length: str(day)[:length], days, st.sampled_from((4, 7, 10)))
    ranges = st.tuples(days, days).map(sorted).filter(lambda pair: pair[0] < pair[1]).map(tuple)
    return st.one_of(st.none(), st.none(), texts.map(period), ranges)


def _filters(fares: Oracle) -> st.SearchStrategy[Filters]:
    airports = st.sampled_from(("", "", "", "JFK", "LAX", "SFO", "XXX"))

    return st.builds(
        engine.asked,
        days=_days(fares),
        route_contains=_needles({fare.route for fare in fares.fares}),
        airline_contains=_needles({fare.airline for fare in fares.fares}),
        season_contains=_needles({fare.season for fare in fares.fares}),
        notable_contains=_needles({fare.notable_event for fare in fares.fares}),
        origin_airport=airports,
        destination_airport=airports,
    )


PAGES = st.fixed_dictionaries(
    {
        "limit": st.one_of(st.just(25), st.integers(1, 200)),
        "offset": st.one_of(st.just(0), st.integers(0, 60), st.integers(0, 1_700)),
    }
)
METRICS = tuple(f"{name}_{statistic}" for name in NUMBERS for statistic in STATISTICS)
SUMMARIES = st.fixed_dictionaries(
    {
        "group_by": st.lists(st.sampled_from(GROUPS), min_size=1, max_size=3, unique=True),
        "metrics": st.lists(st.sampled_from(METRICS), min_size=1, max_size=3, unique=True),
    }
)


@pytest.mark.parametrize("ahead", [False, True], ids=["counted by the database", "counted ahead"])
@pytest.mark.parametrize("questions", QUESTIONS)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_every_answer_is_that_of_plain_python(data: Data, questions: int, ahead: bool) -> None:
    if ahead:
        for person in data.people.values():
            engine.count_by_day(engine.snapshot(person.principal))

    @settings(max_examples=questions, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        name=st.sampled_from(sorted(data.people)),
        filters=_filters(data.oracles["the back office"]),
        kind=st.sampled_from(("page", "page", "page", "summary", "trends")),
        page=PAGES,
        figures=SUMMARIES,
    )
    def ask(name: str, filters: Filters, kind: str, page: Values, figures: Values) -> None:
        principal, oracle = data.people[name].principal, data.oracles[name]
        first, last = page["offset"], page["offset"] + page["limit"]
        if kind == "page":
            matching = oracle.matching(filters)
            for plan in (None, *queries.Plan):
                found = asdict(engine.page(filters, principal, plan=plan, **page))
                assert [row["source_file"] for row in found["rows"]] == [
                    fare.file for fare in matching[first:last]
                ]
                assert found["rows"] == [fare.shown() for fare in matching[first:last]]
                assert found["matched"] == len(matching)
        elif kind == "summary":
            groups = oracle.groups(filters, **figures)
            found = engine.summary(filters, principal, **figures, **page)
            assert found["groups"] == groups[first:last]
            assert found["group_count"] == len(groups)
            assert found["matched"] == sum(group["rows"] for group in groups)
        else:
            found = engine.trends(filters, principal)
            assert found == oracle.trends(filters)
        assert (found["total"], found["files"]) == (len(oracle.fares), oracle.files)

    ask()


@pytest.mark.parametrize("stage", ["curated"])
@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_the_values_that_are_offered_are_those_of_rows_that_may_be_read(data: Data) -> None:
    for name, person in data.people.items():
        snapshot, fares = engine.snapshot(person.principal), data.oracles[name].fares
        assert snapshot.values("route") == sorted({fare.route for fare in fares})
        assert snapshot.values("airline") == sorted({fare.airline for fare in fares})
        assert snapshot.values("season") == sorted({fare.season for fare in fares})
