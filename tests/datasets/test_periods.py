"""Periods as questions name them."""

from datetime import date

import pytest

from mcpsite.datasets.periods import period


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("2025-10-06", date(2025, 10, 6), date(2025, 10, 7)),
        ("2025/10/06", date(2025, 10, 6), date(2025, 10, 7)),
        ("2025-02", date(2025, 2, 1), date(2025, 3, 1)),
        ("2025-10", date(2025, 10, 1), date(2025, 11, 1)),
        ("2024-12", date(2024, 12, 1), date(2025, 1, 1)),
        ("2025", date(2025, 1, 1), date(2026, 1, 1)),
        ("2025-W01", date(2024, 12, 30), date(2025, 1, 6)),
        ("2020-W53", date(2020, 12, 28), date(2021, 1, 4)),
        ("2025W41", date(2025, 10, 6), date(2025, 10, 13)),
    ],
)
def test_a_period_has_a_first_day_and_an_end(text: str, first: date, end: date) -> None:
    assert period(text) == (first, end)


@pytest.mark.parametrize(
    "text",
    [
        *("2025-13", "2025-02-30", "2025-W54", "2025-W00", "October 2025", "25", "9999", "0000", "٢٠٢٥"),
        *("9999-12-31", "2025-W60", "x", ""),
    ],
)
def test_what_names_no_period_is_none(text: str) -> None:
    assert period(text) is None
