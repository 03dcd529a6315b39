"""Days, numbers and headings as people write them."""

import datetime

import pytest

from mcpsite.datasets.columns import Column, DateOrder
from mcpsite.datasets.dates import day_of, order_shown
from mcpsite.datasets.headings import Headings
from mcpsite.datasets.numbers import decimal_shown, number_of
from mcpsite.datasets.refusals import Open

THIRD_OF_JUNE = datetime.date(2024, 6, 3)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2024-06-03",
            "2024/6/3",
            "2024.06.03",
            "20240603",
            "2024-06-03T12:30:00.123+02:00",
            "2024-06-03 0:00 UTC",
        ),
        *(
            "3-Jun-24",
            "03JUN2024",
            "3 June 2024",
            "3rd June 2024",
            "June 3, 2024",
            "Jun 3 2024",
            "Mon, 3 Jun 2024",
        ),
        *(
            "3. Juni 2024",
            "3 juin 2024",
            "3 de junio de 2024",
            "2024-Jun-03",
            "45446",
            "45446.0",
            "1717372800000",
        ),
    ],
)
def test_a_day_is_understood_however_it_is_written(text: str) -> None:
    assert day_of(text) == THIRD_OF_JUNE


@pytest.mark.parametrize(
    ("text", "first"),
    [
        *(
            ("2024-06", "2024-06-01"),
            ("06/2024", "2024-06-01"),
            ("202406", "2024-06-01"),
            ("Jun-24", "2024-06-01"),
        ),
        *(("2024-Q2", "2024-04-01"), ("Q2 2024", "2024-04-01"), ("2Q2024", "2024-04-01")),
        *(("2024-W9", "2024-02-26"), ("W09 2024", "2024-02-26"), ("2024-W09-3", "2024-02-28")),
    ],
)
def test_a_month_a_quarter_and_a_week_are_their_first_day(text: str, first: str) -> None:
    assert str(day_of(text)) == first


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2024-02-30",
            "2024-13-01",
            "31/02/2024",
            "2024-W54",
            "2024-06-03 25:00",
            "next Monday",
            "TBD",
            "2024",
            "",
        ),
        # A year of two digits at an end nobody can tell; a day in June of no year; another day elsewhere.
        *("24-06-03", "June 24", "201206", "1717372801000", "20241", "2024-06-03 - 2024-06-09"),
    ],
)
def test_what_is_no_day_or_could_be_two_is_none(text: str) -> None:
    assert day_of(text) is None


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("13/06/2024", "dmy"),
        ("6/13/2024", "mdy"),
        ("24.06.24", "dmy"),
        ("03/04/2024", None),
        ("2024-06-03", None),
    ],
)
def test_a_number_above_twelve_shows_the_order(text: str, order: DateOrder | None) -> None:
    assert order_shown(text) == order


def test_a_day_that_could_be_two_is_open_until_the_order_is_known() -> None:
    with pytest.raises(Open):
        day_of("06/03/2024")
    assert day_of("06/03/2024", "mdy") == day_of("03/06/2024 12:00 AM", "dmy") == THIRD_OF_JUNE
    assert day_of("13/06/2024", "mdy") is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(
            ("$438.00", 438),
            ("US$ 438", 438),
            ("438 USD", 438),
            ("-$5", -5),
            ("($5.40)", -5.4),
            ("−5.4", -5.4),
        ),
        *(
            ("12,345.50", 12_345.5),
            ("1.234,50", 1_234.5),
            ("1 234", 1_234),
            ("1’234.5", 1_234.5),
            ("5.4-", -5.4),
        ),
        *(("1,234,567", 1_234_567), ("12,34,567", 1_234_567), ("438,5", 438.5), ("4.38E+02", 438), ("+5", 5)),
    ],
)
def test_a_number_is_understood_however_it_is_written(text: str, number: float) -> None:
    assert number_of(text, unit="USD") == number


@pytest.mark.parametrize(
    "text", ["€438", "A$438", "CAD 438", "5%", "400-450", "~712", "4_3_8", "1.2k", "--5", "1,2,3"]
)
def test_what_says_another_unit_or_is_no_number_is_none(text: str) -> None:
    assert number_of(text, unit="USD") is None


def test_three_digits_behind_a_mark_are_open_until_it_is_known() -> None:
    for text in ("1.234", "1,234"):
        with pytest.raises(Open):
            number_of(text)
    assert (number_of("1.234", decimal="."), number_of("1.234", decimal=",")) == (1.234, 1_234)
    assert number_of("0.123") == 0.123
    assert (decimal_shown("5,4"), decimal_shown("5.4"), decimal_shown("1.234"), decimal_shown("5")) == (
        *(",", "."),
        *(None, None),
    )


FARES = Headings(
    [
        Column(name="day", names=("day", "snapshot_date"), kind="day"),
        Column(name="fare", names=("avg_fare_usd", "avg_fare"), kind="number", unit="USD"),
        Column(name="share", names=("ancillary_revenue_pct",), kind="number", unit="%"),
        Column(name="lead", names=("advance_purchase_days",), kind="number", unit="days"),
    ]
)


@pytest.mark.parametrize(
    ("heading", "column"),
    [
        *(
            ("Avg Fare (USD)", "fare"),
            ("avgFareUsd", "fare"),
            ("AVG-FARE ($)", "fare"),
            ("Avg. fare, USD", "fare"),
        ),
        *(
            ("avg_\u00adfare\u200b", "fare"),
            ("Avg\nFare [US dollars]", "fare"),
            ("\ufeff\ufeffSnapshot Date", "day"),
        ),
        *(
            ("Ancillary revenue %", "share"),
            ("Ancillary Revenue (percent)", "share"),
            ("Advance purchase (d)", "lead"),
        ),
    ],
)
def test_a_heading_is_known_however_it_is_written(heading: str, column: str) -> None:
    meaning = FARES.meaning(heading)
    assert meaning
    assert meaning.column.name == column


@pytest.mark.parametrize(
    "heading",
    [
        *("Avg Fare (EUR)", "avg_fare_eur", "Avg Fare €", "Avg Fare C$", "Avg Fare (USD thousands)", "Fare"),
        # Without its sign it may be an amount.
        *("Ancillary revenue", "Ancillary Revenue (USD)", "", "()"),
    ],
)
def test_a_heading_with_another_unit_is_not_known(heading: str) -> None:
    assert FARES.meaning(heading) is None


def test_the_order_of_dates_may_stand_in_brackets() -> None:
    orders = [FARES.meaning(f"Day ({each})") for each in ("dd/mm/yyyy", "MM-DD-YY", "local")]
    assert [meaning.dates if meaning else "" for meaning in orders] == ["dmy", "mdy", None]
