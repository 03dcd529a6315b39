"""What a declaration says, and what is told of one that is wrong."""

import json
import re
from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.db import models
from django.test.utils import isolate_apps

from mcpsite.datasets import declared_checks
from mcpsite.datasets.declaration import DataSet, data_set_named, data_set_of, data_sets
from mcpsite.datasets.declared_tools import DeclaredTools
from mcpsite.datasets.describing import describe
from mcpsite.datasets.models import Category, Day, Number, Prose, Row, Text
from mcpsite.datasets.shared_tools import register
from mcpsite.mcp import ToolError
from mcpsite.mcp.registry import Registry
from tests.datasets.cases import FARES, HOTELS
from tests.datasets.test_any_data_set import caller_of
from tests.docs.documents import blocks_of
from tests.site import ROOT

DOC = (ROOT / "docs" / "data-sets.md").read_text()


def problems(model: type[Row]) -> list[tuple[str, str]]:
    """The checks that fire for a model, with what they say."""
    found: list[CheckMessage] = list(declared_checks._problems(data_set_of(model)))
    assert all(each.hint for each in found)
    return [(str(each.id), str(each.msg)) for each in found]


def ids(model: type[Row]) -> list[str]:
    return [number for number, _ in problems(model)]


def declared(name: str = "Room", *, ordering: Any = ("city",), options: Any = None, **fields: Any) -> Any:
    """A data set with these columns and, unless it is among them, a city."""
    meta = type("Meta", (Row.Meta,), {"ordering": list(ordering), "app_label": "tests"})
    more = {"Dataset": type("Dataset", (), options)} if options else {}
    attributes = {"city": Category(), **fields, "Meta": meta, "__module__": __name__, **more}
    return type(name, (Row,), attributes)


@pytest.fixture(autouse=True)
def _isolated() -> Any:
    with isolate_apps("mcpsite.datasets"):
        yield


def test_the_bundled_declarations_are_right() -> None:
    assert declared_checks.check_declared() == []


def test_a_column_of_an_engines_name_is_told() -> None:
    [(number, sentence)] = problems(declared(position=Number()))
    assert (number, "has a column 'position'" in sentence) == ("datasets.E001", True)


@pytest.mark.parametrize(
    ("ordering", "fields"),
    [
        ((), {}),
        (("usd",), {"usd": Number()}),
        (("note",), {"note": Prose()}),
        (("nothing",), {}),
        (("city",), {"day": Day()}),
        (("day", "city"), {"day": Day()}),
    ],
)
def test_an_order_that_serves_no_answer_is_told(ordering: Any, fields: Any) -> None:
    assert ids(declared(ordering=ordering, **fields)) == ["datasets.E002"]


@pytest.mark.parametrize(
    "options",
    [
        {"identiy": ("city",)},
        {"identity": ("town",)},
        {"filters": ("city",)},
        {"metrics": ("usd_middle",)},
    ],
)
def test_an_option_that_there_is_not_is_told(options: Any) -> None:
    assert ids(declared(usd=Number(), options=options)) == ["datasets.E003"]


def test_an_argument_with_two_meanings_is_told() -> None:
    assert ids(declared(ordering=("-limit", "city"), limit=Day())) == ["datasets.E004"]


def test_a_field_of_another_kind_is_told() -> None:
    [(number, sentence)] = problems(declared(usd=models.DecimalField(max_digits=9, decimal_places=2)))
    assert (number, "DecimalField" in sentence) == ("datasets.E005", True)


def test_two_data_sets_of_one_name_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    both = (FARES.data_set, data_set_of(declared(options={"name": "airfare"})))
    monkeypatch.setattr(declared_checks, "data_sets", lambda: both)
    assert [each.id for each in declared_checks.check_declared()] == ["datasets.E006"] * 2


def test_a_tool_that_takes_many_tokens_is_told() -> None:
    many: dict[str, Any] = {
        f"category_of_rows_{number}": Category(help_text="of a kind") for number in range(60)
    }
    assert "datasets.W001" in ids(declared(**many))


@pytest.mark.django_db
def test_combinations_that_have_become_many_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declared_checks, "MANY", -1)
    found = declared_checks.check_combinations(["default"])
    assert {each.id for each in found} == {"datasets.W002"}
    assert declared_checks.check_combinations(None) == []


def test_a_long_list_of_tools_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declared_checks, "MOST_OF_LIST", 100_000)
    assert declared_checks.check_tool_list() == []
    monkeypatch.setattr(declared_checks, "MOST_OF_LIST", 100)
    [warning] = declared_checks.check_tool_list()
    assert (warning.id, "DATASET_TOOLS=shared" in str(warning.hint)) == ("datasets.W003", True)


def test_a_meta_of_ones_own_keeps_the_indexes() -> None:
    class Room(Row):
        city = Category()

        class Meta:
            app_label = "tests"
            ordering = ["city"]

    names = [index.name for index in Room._meta.indexes]
    assert names == ["tests_room_by_order", "tests_room_by_combination", "tests_room_by_key"]


def test_names_of_indexes_fit_every_database() -> None:
    model = declared("RoomOfAVeryLongNameThatSomebodyChose", note=Prose(), remark=Prose())
    names = [index.name for index in model._meta.indexes]
    assert max(map(len, names)) <= 30
    assert len({*names}) == 5


def test_migrations_know_nothing_of_the_engine() -> None:
    text = (ROOT / "examples/hotel_rates/migrations/0001_initial.py").read_text()
    assert "mcpsite" not in text


def test_the_documented_example_is_the_one_that_is_tested() -> None:
    [snippet] = blocks_of("docs/data-sets.md", "A whole example")
    assert snippet == (ROOT / "examples/hotel_rates/models.py").read_text()


def test_every_check_and_option_is_documented() -> None:
    checks = set(re.findall(r"datasets\.[EW]00\d", DOC))
    assert checks == {f"datasets.E00{number}" for number in range(1, 7)} | {
        f"datasets.W00{number}" for number in range(1, 4)
    }
    for option in HOTELS.data_set.options.__dataclass_fields__:
        assert f"`{option}`" in DOC


# Tools


@pytest.mark.django_db
def test_what_is_bundled_is_described_in_few_words() -> None:
    described = describe(caller_of(FARES.data_set.permission))
    assert len(json.dumps(described)) // 4 <= 600


@pytest.mark.django_db
def test_a_data_set_that_may_not_be_read_is_not_there() -> None:
    with pytest.raises(ToolError, match="There is no data set 'hotel_rates'"):
        describe(caller_of(FARES.data_set.permission), data_set="hotel_rates")


def test_a_tool_of_sixty_columns_asks_for_six_numbers() -> None:
    numbers: dict[str, Any] = {f"n{number}": Number() for number in range(58)}
    tools = DeclaredTools(data_set=data_set_of(declared(**numbers)))
    assert [name for name, *_ in tools.filter_arguments] == [
        "city_contains",
        *(f"n{number}_{end}" for number in range(6) for end in ("min", "max")),
    ]


def test_a_data_set_is_found_by_its_name_and_by_its_label() -> None:
    found: list[DataSet | None] = [data_set_named("hotel_rates"), data_set_named("hotel_rates.hotelrate")]
    assert found == [HOTELS.data_set] * 2
    assert HOTELS.data_set in data_sets()


@pytest.fixture
def shared() -> Registry:
    registry = Registry()
    register(registry)
    return registry


@pytest.mark.django_db
def test_one_set_of_tools_answers_for_every_data_set(shared: Registry) -> None:
    assert [tool.name for tool in shared.all()] == ["query_data", "summarize_data", "show_data"]
    query = shared.get("query_data")
    assert query is not None
    who = caller_of(HOTELS.data_set.permission)
    asked = {"data_set": "hotel_rates", "filters": {"city_contains": "x"}, "limit": 5, "offset": 0}
    assert query.function(who, **asked)["filters"] == {"city_contains": "x", "limit": 5}
    with pytest.raises(ToolError, match="filters holds 'town', and hotel_rates takes day, city_contains"):
        query.function(who, **{**asked, "filters": {"town": "x"}})
    with pytest.raises(ToolError, match="data_set is 'hotel_rates'; it takes"):
        query.function(caller_of("auth.view_user"), **asked)


def test_texts_are_no_filters() -> None:
    tools = DeclaredTools(data_set=data_set_of(declared(code=Text())))
    assert "code_contains" not in [name for name, *_ in tools.filter_arguments]
