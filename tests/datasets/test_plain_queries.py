"""Rows and figures of a published table, against plain Python, on the database that DATABASE_URL names."""

import datetime
import random
import statistics
from collections import defaultdict
from typing import Any, ClassVar

import pytest
from django.db import DatabaseError, connection, models, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from mcpsite.access.caller import Caller, Claims
from mcpsite.datasets import medians, plain_queries, publishing
from mcpsite.datasets.publishing import PublishedColumn, publish
from mcpsite.mcp import ToolError
from mcpsite.mcp.arguments import checked
from mcpsite.mcp.registry import Registry
from tests.datasets.company.models import Sale
from tests.datasets.erp import TABLES

pytestmark = pytest.mark.django_db

CALLER = Caller(
    user_id=1,
    username="alice",
    claims=Claims(issuer="i", subject="s", client_id="c", scopes=frozenset(), expires_at=0),
)
COLUMNS = ["sold_on", "booked_at", "region", "channel", "usd", "units", "weight", "is_gift", "note"]
NAMES = ["id", *COLUMNS, "margin"]
ROWS = 400


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setattr(publishing, "tables", {})
    return Registry()


@pytest.fixture
def ask(registry: Registry) -> Any:
    """Asks a tool of the published sales, as a client would."""
    publish(Sale, name="sales", columns=COLUMNS, ordering=["-sold_on", "region"], registry=registry)

    def ask(name: str = "sales", **arguments: Any) -> dict[str, Any]:
        tool = registry.get(name)
        assert tool is not None
        answer: dict[str, Any] = tool.function(CALLER, **checked(tool, arguments))
        return answer

    return ask


def make_table(rows: list[dict[str, Any]]) -> None:
    lite = connection.vendor == "sqlite"
    kinds = ("datetime", "0", "text") if lite else ("timestamptz", "false", "jsonb")
    script = TABLES.format(time=kinds[0], no=kinds[1], json=kinds[2], slow="SELECT 1 AS id, 'x' AS region")
    with connection.cursor() as cursor:
        for statement in script.split(";"):
            if statement.strip() and not statement.lstrip().startswith("INSERT"):
                cursor.execute(statement)
        marks = ", ".join(["%s"] * len(NAMES))
        cursor.executemany(
            f"INSERT INTO sale ({', '.join(NAMES)}) VALUES ({marks})",
            [[row[name] for name in NAMES] for row in rows],
        )


def made(chance: random.Random, number: int) -> dict[str, Any]:
    def maybe(value: Any) -> Any:
        return None if chance.random() < 0.1 else value

    day = datetime.date(2024, 12, 20) + datetime.timedelta(days=chance.randrange(60))
    return {
        "id": number,
        "sold_on": maybe(day),
        "booked_at": maybe(
            datetime.datetime.combine(day, datetime.time(chance.randrange(24), 59), datetime.UTC)
        ),
        "region": maybe(chance.choice(["North", "South", "north-west", "", "100%"])),
        "channel": chance.choice(["web", "shop"]),
        "usd": maybe(chance.randrange(-500, 100_000) / 100),
        "units": chance.randrange(-3, 9),
        "weight": maybe(chance.choice([0.5, 1.25, 3.0])),
        "is_gift": chance.random() < 0.5,
        "note": maybe(chance.choice(["Paid in full", "", "late_fee"])),
        "margin": 1,
    }


@pytest.fixture
def sales() -> list[dict[str, Any]]:
    """The rows of the table."""
    chance = random.Random(7)
    rows = [made(chance, number) for number in range(ROWS)]
    make_table(rows)
    return rows


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row as an answer has it."""
    texts = {name: row[name] and row[name].isoformat() for name in ("sold_on", "booked_at")}
    shown = {**row, **texts, "is_gift": "true" if row["is_gift"] else "false"}
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in shown.items()
        if name in COLUMNS and value not in (None, "")
    }


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows by day, latest first; among those of a day in any order."""
    return sorted(rows, key=lambda row: row["sold_on"] or datetime.date.min, reverse=True)


def holds(row: dict[str, Any], name: str, value: Any) -> bool:
    if name.endswith("_contains"):
        return value.casefold() in (row[name.removesuffix("_contains")] or "").casefold()
    if name in ("sold_on", "booked_at"):
        return row[name] is not None and row[name].isoformat().startswith(value)
    number = row[name[:-4]]
    return number is not None and (number >= value if name.endswith("_min") else number <= value)


def asked_at_random(chance: random.Random) -> dict[str, Any]:
    filters: dict[str, list[Any]] = {
        "sold_on": ["2025", "2025-01", "2024-12-31", "2026"],
        "booked_at": ["2025-01", "2025-01-15"],
        "region_contains": ["nor", "NORTH", "%", "_", "-w"],
        "channel_contains": ["we", "shop"],
        "note_contains": ["paid", "_", "e"],
        "usd_min": [-1.5, 0, 99.99, 500.005],
        "usd_max": [500.005, 725, 1e20],
        "units_min": [-2.5, 0, 3.2],
        "units_max": [3.2, 4, 7.9],
        "weight_max": [0.5, 1.2],
    }
    names = chance.sample(list(filters), chance.randrange(4))
    return {name: chance.choice(filters[name]) for name in names}


def test_answers_are_those_of_plain_python(ask: Any, sales: list[dict[str, Any]]) -> None:
    chance, texts = random.Random(11), {row["id"]: str(shown(row)) for row in sales}
    for _ in range(150):
        asked = asked_at_random(chance)
        limit, offset = chance.choice([1, 25, 200]), chance.choice([0, 0, 3, 180, 390])
        answer = ask(**asked, limit=limit, offset=offset)
        matching = [row for row in sales if all(holds(row, *item) for item in asked.items())]
        expected = in_order(matching)[offset : offset + limit]
        assert answer["matched_rows"] == len(matching), asked
        assert answer["total_rows"] == ROWS
        assert [row.get("sold_on") for row in answer["rows"]] == [
            shown(row).get("sold_on") for row in expected
        ]
        assert {str(row) for row in answer["rows"]} <= {texts[row["id"]] for row in matching}
        assert ("truncated" in answer) == (offset + limit < len(matching))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"units_min": -2.5}, lambda row: row["units"] >= -2.5),
        ({"units_max": -2.5}, lambda row: row["units"] <= -2.5),
        ({"units_min": 1e300}, lambda _: False),
        ({"units_max": 1e300}, lambda _: True),
        ({"usd_max": -0.001}, lambda row: row["usd"] is not None and row["usd"] <= -0.001),
        ({"usd_min": 1e300}, lambda _: False),
        ({"weight_max": -1e300}, lambda _: False),
    ],
)
def test_bounds_are_not_rounded_and_may_be_far_off(
    ask: Any, sales: list[dict[str, Any]], asked: dict[str, float], expected: Any
) -> None:
    assert ask(**asked)["matched_rows"] == len(list(filter(expected, sales)))


def test_pages_hold_each_row_once(ask: Any, sales: list[dict[str, Any]]) -> None:
    rows = [row for offset in range(0, ROWS, 37) for row in ask(limit=37, offset=offset)["rows"]]
    assert sorted(map(str, rows)) == sorted(map(str, map(shown, sales)))


def test_rows_that_a_filter_by_day_leaves_out_for_want_of_one_are_counted(
    ask: Any, sales: list[dict[str, Any]]
) -> None:
    answer = ask(sold_on="2025", region_contains="south")
    south = [row for row in sales if row["region"] == "South"]
    assert answer["undated_rows"] == sum(row["sold_on"] is None for row in south) > 0
    assert "undated_rows" not in ask(region_contains="south")


def test_summaries_are_those_of_plain_python(ask: Any, sales: list[dict[str, Any]]) -> None:
    statistic: dict[str, Any] = {
        "mean": statistics.fmean,
        "min": min,
        "max": max,
        "count": len,
        "sum": sum,
        "median": statistics.median,
    }
    metrics = [f"{name}_{each}" for name in ("usd", "units", "weight") for each in statistic]
    chance = random.Random(13)
    for group_by in (
        ["region"],
        ["channel", "region"],
        ["sold_on"],
        ["booked_at"],
        ["sold_on", "channel"],
        [],
    ):
        asked = asked_at_random(chance)
        answer = ask("sales_summary", group_by=group_by, metrics=metrics, limit=200, **asked)
        groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for row in sales:
            if all(holds(row, *item) for item in asked.items()):
                day = {"booked_at": (shown(row).get("booked_at") or "")[:10]}
                groups[tuple({**shown(row), **day}.get(name) or None for name in group_by)].append(row)
        found = {tuple(group.get(name) for name in group_by): group for group in answer["groups"]}
        assert found.keys() == groups.keys()
        for key, rows in groups.items():
            assert found[key]["rows"] == len(rows)
            for metric in metrics:
                name, _, way = metric.rpartition("_")
                values = [row[name] for row in rows if row[name] is not None]
                if values or way == "count":
                    assert found[key][metric] == pytest.approx(statistic[way](values), abs=1e-4)
                else:
                    assert metric not in found[key]


def test_groups_stand_in_the_order_of_their_keys_and_days_latest_first(
    ask: Any, sales: list[dict[str, Any]]
) -> None:
    regions = [group.get("region") for group in ask("sales_summary", group_by=["region"])["groups"]]
    assert regions[-1] is None
    days = [group.get("sold_on") for group in ask("sales_summary", group_by=["sold_on"], limit=200)["groups"]]
    assert days[-1] is None
    assert days[:-1] == sorted(days[:-1], reverse=True)


def test_a_page_of_groups_says_how_to_go_on(ask: Any, sales: list[dict[str, Any]]) -> None:
    first = ask("sales_summary", group_by=["sold_on"], limit=10)
    assert first["truncated"] == (
        "More groups match; narrow the filters, group by less, or go on with offset=10."
    )
    second = ask("sales_summary", group_by=["sold_on"], limit=200, offset=10)
    assert "truncated" not in second
    assert first["groups_returned"] + second["groups_returned"] == len({row["sold_on"] for row in sales})


def test_a_page_of_rows_says_how_many_more_there_are(ask: Any, sales: list[dict[str, Any]]) -> None:
    answer = ask(limit=10, offset=20)
    assert answer["truncated"] == "370 more rows match; narrow the filters, or go on with offset=30."
    assert answer["filters"] == {"limit": 10, "offset": 20}


def test_counting_ends_at_a_bound_and_says_so(
    ask: Any, sales: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_queries, "COUNTED", 100)
    answer = ask()
    assert (answer["total_rows"], answer["matched_rows"]) == (100, 100)
    assert answer["counts"] == "100 rows means at least 100, because counting stops there."
    assert answer["truncated"] == "More rows match; narrow the filters, or go on with offset=25."


def test_a_number_of_rows_below_the_bound_is_exact(
    ask: Any, sales: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_queries, "COUNTED", 100)
    days = sum(holds(row, "sold_on", "2024") for row in sales)
    answer = ask(sold_on="2024", limit=10)
    assert (answer["total_rows"], answer["matched_rows"]) == (100, days)
    assert answer["truncated"].startswith(f"{days - 10} more rows match; ")


def test_no_more_rows_are_counted_than_the_bound(ask: Any, sales: list[dict[str, Any]]) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        ask(region_contains="nor")
    counting = [each["sql"] for each in queries.captured_queries if "COUNT(" in each["sql"]]
    assert len(counting) == 2
    assert all("LIMIT 10001" in sql for sql in counting)


def test_what_is_not_published_is_in_no_statement(ask: Any, sales: list[dict[str, Any]]) -> None:
    with CaptureQueriesContext(connection) as queries:
        ask(sold_on="2025", usd_min=1)
        ask("sales_summary", metrics=["usd_median"])
    for each in queries.captured_queries:
        assert each["sql"].startswith("SELECT ")
        assert not [name for name in ("margin", "customer", "details", "JOIN") if name in each["sql"]]


def test_a_person_sees_and_counts_only_what_is_theirs(
    registry: Registry, sales: list[dict[str, Any]]
) -> None:
    def theirs(rows: QuerySet[Any], caller: Caller) -> QuerySet[Any]:
        return rows.filter(region="South") if caller.username == "alice" else rows

    publish(
        Sale,
        name="sales",
        columns=["sold_on", "channel"],
        ordering=["-sold_on"],
        visible_to=theirs,
        registry=registry,
    )
    south = [row for row in sales if row["region"] == "South"]
    for tool in registry.all():
        answer = tool.function(CALLER, **checked(tool, {"channel_contains": "web", "sold_on": "2025"}))
        assert answer["total_rows"] == len(south)
        assert answer["matched_rows"] == len(
            [row for row in south if row["channel"] == "web" and holds(row, "sold_on", "2025")]
        )
        assert answer["undated_rows"] == len(
            [row for row in south if row["channel"] == "web" and row["sold_on"] is None]
        )


def test_a_hook_that_returns_nothing_opens_nothing(registry: Registry, sales: list[dict[str, Any]]) -> None:
    publish(
        Sale,
        name="sales",
        columns=["sold_on"],
        ordering=["-sold_on"],
        visible_to=lambda _, __: None,  # type: ignore[arg-type,return-value]
        registry=registry,
    )
    for tool in registry.all():
        with pytest.raises(AttributeError):
            tool.function(CALLER, **checked(tool, {}))


def test_numbers_that_are_not_finite_are_left_out(ask: Any) -> None:
    row = made(random.Random(1), 1) | {"sold_on": None, "usd": 5, "weight": float("inf")}
    make_table([row])
    assert "weight" not in ask()["rows"][0]
    [group] = ask("sales_summary", metrics=["weight_max", "usd_max"])["groups"]
    assert "weight_max" not in group
    assert group["usd_max"] == 5


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL has the median itself")
def test_sqlite_holds_no_more_numbers_for_a_median_than_a_bound(
    ask: Any, sales: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(medians, "MOST", 100)
    with pytest.raises(ToolError, match=r"units_median is found among .* narrow the filters"):
        ask("sales_summary", group_by=[], metrics=["units_median"])
    assert ask("sales_summary", group_by=[], metrics=["units_median"], units_min=8)["groups"]


def test_a_page_is_read_through_the_index_of_its_order(ask: Any, sales: list[dict[str, Any]]) -> None:
    with CaptureQueriesContext(connection) as queries:
        ask(limit=5)
    [reading] = [each["sql"] for each in queries.captured_queries if "ORDER BY" in each["sql"]]
    explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(explain + reading)
        plan = str(cursor.fetchall())
    assert "sale_sold_on" in plan
    assert "Presorted Key: sold_on" in plan or "RIGHT PART OF ORDER BY" in plan or "LAST TERM" in plan


class Booking(models.Model):
    """A view, which has no key."""

    objects: ClassVar[models.Manager["Booking"]] = models.Manager()
    sold_on = models.DateField(null=True)
    channel = models.CharField(max_length=40)

    class Meta:
        app_label = "company"
        managed = False
        db_table = "booking"

    def __str__(self) -> str:
        return self.channel


def test_a_view_without_a_key_is_answered_from(registry: Registry, sales: list[dict[str, Any]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE VIEW booking AS SELECT sold_on, channel FROM sale")
    publish(
        Booking, name="bookings", columns=["sold_on", "channel"], ordering=["-sold_on"], registry=registry
    )
    rows, summary = registry.all()
    asked = {"sold_on": "2025-01", "channel_contains": "WEB"}
    expected = sum(holds(row, "sold_on", "2025-01") and row["channel"] == "web" for row in sales)
    assert rows.function(CALLER, **checked(rows, asked))["matched_rows"] == expected
    assert rows.function(CALLER, **checked(rows, {"offset": ROWS - 3}))["rows_returned"] == 3
    for group_by in ([], ["channel"]):
        answer = summary.function(CALLER, **checked(summary, {**asked, "group_by": group_by}))
        assert [group["rows"] for group in answer["groups"]] == [expected]


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL has days only")
def test_an_empty_text_for_a_day_is_none(ask: Any, sales: list[dict[str, Any]]) -> None:
    without = sum(row["sold_on"] is None or row["id"] % 7 == 0 for row in sales)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sale SET sold_on = '' WHERE id % 7 = 0")
    answer = ask(limit=200, offset=ROWS - 200)
    assert answer["rows_returned"] == 200
    assert sum("sold_on" not in row for row in answer["rows"]) == without
    assert ask(sold_on="2025")["undated_rows"] == without
    groups = ask("sales_summary", group_by=["sold_on"], limit=200)["groups"]
    assert [group["rows"] for group in groups if "sold_on" not in group] == [without]


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no such types")
def test_types_that_django_takes_for_texts_are_grouped_filtered_and_ordered(registry: Registry) -> None:
    class Odd(models.Model):
        """Columns as `inspectdb` guesses them."""

        mood = models.TextField(null=True)  # noqa: DJ001
        form = models.TextField(null=True)  # noqa: DJ001

        class Meta:
            app_label = "company"
            managed = False
            db_table = "odd"

        def __str__(self) -> str:
            return self.mood or ""

    with connection.cursor() as cursor:
        cursor.execute("CREATE TYPE mood AS ENUM ('good', 'bad')")
        cursor.execute("CREATE TABLE odd (id serial, mood mood, form xml)")
        cursor.execute("INSERT INTO odd (mood, form) VALUES ('good', '<a/>'), ('bad', '<b/>'), (NULL, NULL)")
    columns: list[str | PublishedColumn] = ["id", PublishedColumn("mood", "category"), "form"]
    publish(Odd, name="odd", columns=columns, ordering=["id"], registry=registry)
    rows, summary = registry.all()
    answer = rows.function(CALLER, **checked(rows, {"mood_contains": "OO", "form_contains": "a"}))
    assert answer["rows"] == [{"id": "1", "mood": "good", "form": "<a/>"}]
    groups = summary.function(CALLER, **checked(summary, {}))["groups"]
    assert groups == [{"mood": "bad", "rows": 1}, {"mood": "good", "rows": 1}, {"rows": 1}]


def test_an_instance_is_never_made() -> None:
    with pytest.raises(AssertionError):
        Sale(region="North")


def test_a_table_that_is_not_there_is_the_databases_error(ask: Any) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        ask()


def test_columns_that_carry_no_words_are_shown_as_they_are(
    registry: Registry, sales: list[dict[str, Any]]
) -> None:
    publish(
        Sale,
        name="sales",
        columns=[PublishedColumn("units", "category"), PublishedColumn("id", "text")],
        ordering=["id"],
        registry=registry,
    )
    tool = registry.get("sales")
    assert tool is not None
    answer = tool.function(CALLER, **checked(tool, {"units_contains": "8"}))
    assert answer["rows"][0]["units"] == "8"
    assert answer["matched_rows"] == sum(row["units"] == 8 for row in sales)
