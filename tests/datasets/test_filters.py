"""Filters made from columns: their arguments, what they mean, and what is told of those that mean nothing."""

from datetime import date
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from mcpsite.datasets.answers import groups_schema, page_arguments, read_page, rows_schema
from mcpsite.datasets.figures import Figure, figure_arguments, read_figures, read_group_by
from mcpsite.datasets.filters import Days, Filters, Part, Range, filter_arguments, read_filters
from mcpsite.datasets.published_columns import PublishedColumn, arguments_model
from mcpsite.mcp import ToolError
from mcpsite.mcp.schemas import of_arguments, require_plain

COLUMNS = [
    PublishedColumn("night", "day", meaning="night of the stay"),
    PublishedColumn("city", "category"),
    PublishedColumn("hotel", "category", meaning="name of the hotel"),
    PublishedColumn("usd", "number", unit="USD", meaning="price of a night"),
    PublishedColumn("note", "prose", meaning="what the provider remarks"),
    PublishedColumn("code", "text"),
]
NUMBERS = [PublishedColumn(f"n{place}", "number") for place in range(8)]


def described(columns: list[PublishedColumn]) -> dict[str, Any]:
    return {
        name: field.description for name, _, field in filter_arguments(columns, letters="in any letter case")
    }


def test_each_kind_of_column_has_its_arguments_in_words() -> None:
    assert described(COLUMNS) == {
        "night": "night of the stay: a day (2025-10-06), an ISO week (2025-W41), a month (2025-10) or a "
        "year (2025).",
        "city_contains": "Part of city; in any letter case.",
        "hotel_contains": "Part of name of the hotel; in any letter case.",
        "note_contains": "Part of what the provider remarks; in any letter case.",
        "usd_min": "price of a night in USD, at least.",
        "usd_max": "price of a night in USD, at most.",
    }


def test_only_the_first_six_numbers_have_bounds() -> None:
    assert [name for name in described(NUMBERS) if name.endswith("_min")] == [f"n{i}_min" for i in range(6)]


def test_filters_are_read_as_they_are_meant() -> None:
    asked = {"night": " 2026-03 ", "city_contains": "lis", "note_contains": None, "usd_min": 0.0}
    meant, applied = read_filters(COLUMNS, asked)
    assert meant == Filters(
        days=(Days("night", date(2026, 3, 1), date(2026, 4, 1)),),
        parts=(Part("city", "lis"),),
        ranges=(Range("usd", 0, None),),
    )
    assert applied == {"night": "2026-03", "city_contains": "lis", "usd_min": 0}


def test_what_is_blank_or_left_out_does_not_filter() -> None:
    meant, applied = read_filters(COLUMNS, {"city_contains": "  ", "night": ""})
    assert not meant
    assert applied == {}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            {"night": "last week"},
            "night is 'last week'; write a day as 2025-10-06, a week as 2025-W41, a month as 2025-10 or a "
            "year as 2025.",
        ),
        ({"city_contains": "x" * 501}, "city_contains has 501 characters; search for at most 500."),
        (
            {"usd_min": 9.5, "usd_max": 3.0},
            "usd_min is 9.5 and usd_max is 3; swap them.",
        ),
    ],
)
def test_a_filter_that_means_nothing_is_told_with_the_remedy(asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ToolError) as refusal:
        read_filters(COLUMNS, asked)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"limit": 0, "offset": 0}, "limit is 0; it has to be from 1 to 200."),
        ({"limit": 201, "offset": 0}, "limit is 201; it has to be from 1 to 200."),
        (
            {"limit": 1, "offset": -1},
            "offset is -1; it has to be 0 or more, and no more than there are rows.",
        ),
    ],
)
def test_a_page_that_is_none_is_told_with_the_remedy(asked: dict[str, int], sentence: str) -> None:
    with pytest.raises(ToolError) as refusal:
        read_page(asked)
    assert str(refusal.value) == sentence


def test_a_summary_groups_by_the_first_category_and_tells_means_unless_asked() -> None:
    assert read_group_by(COLUMNS, None) == ["city"]
    assert read_figures(COLUMNS, None) == [Figure("usd", "mean")]
    assert read_figures(NUMBERS, None) == [Figure(f"n{place}", "mean") for place in range(4)]


def test_what_is_asked_for_twice_is_told_once() -> None:
    assert read_group_by(COLUMNS, ["hotel", "hotel", "night"]) == ["hotel", "night"]
    assert read_figures(COLUMNS, ["usd_median", "usd_median"]) == [Figure("usd", "median")]


def test_a_figure_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(ToolError) as refusal:
        read_figures(COLUMNS, ["price_mean"])
    assert str(refusal.value) == (
        "metrics holds 'price_mean'; write one of usd followed by one of "
        "_mean, _min, _max, _count, _sum, _median."
    )


def test_schemas_hold_no_references() -> None:
    arguments = arguments_model(
        "rates",
        filter_arguments(COLUMNS, letters="x"),
        figure_arguments(COLUMNS),
        page_arguments("groups", 50),
    )
    for schema in (of_arguments(arguments.model_json_schema()), rows_schema(COLUMNS), groups_schema(COLUMNS)):
        require_plain(schema, "It")


@pytest.mark.parametrize("name", ["limit", "_night", "copy"])
def test_a_column_whose_argument_cannot_have_its_name_is_refused(name: str) -> None:
    columns = [PublishedColumn(name, "day")]
    with pytest.raises(ImproperlyConfigured, match=r"give .* another name"):
        arguments_model("rates", filter_arguments(columns, letters="x"), page_arguments("rows", 25))


def test_a_column_called_like_the_argument_of_another_is_refused() -> None:
    columns = [PublishedColumn("usd", "number"), PublishedColumn("usd_min", "day")]
    with pytest.raises(ImproperlyConfigured, match="two arguments 'usd_min'"):
        arguments_model("rates", filter_arguments(columns, letters="x"))
