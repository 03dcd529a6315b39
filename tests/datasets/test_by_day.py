"""Rows by combination and day, which are added up at once."""

import random
from collections import Counter

import pytest

from mcpsite.datasets import by_day
from mcpsite.datasets.by_day import ByDay, TooLarge, UnknownDay

DAYS = [1, 730_000, 730_007, 730_014, 739_000]


def test_sums_are_those_of_each_combination_and_day_however_many_rows_there_are() -> None:
    chance = random.Random(1)
    for _ in range(200):
        rows = [
            {day: chance.choice((1, 2, 255, 256, 70_000_000)) for day in DAYS if chance.randrange(3) == 0}
            for _ in range(chance.randrange(1, 9))
        ]
        counted = ByDay(DAYS, len(rows))
        for place, each in enumerate(rows):
            counted.put(place, dict.fromkeys(DAYS, 1))
            counted.put(place, each)
        chosen = {place for place in range(len(rows)) if chance.randrange(2)}
        first, last = sorted(chance.choices([*DAYS, 0, 730_010, 800_000], k=2))
        for outside in (False, True):
            sums: Counter[int] = Counter()
            for place, each in enumerate(rows):
                if (place in chosen) != outside:
                    sums.update({day: number for day, number in each.items() if first <= day <= last})
            found = counted.between(chosen, first, last, outside=outside)
            assert found == sorted(sums.items(), reverse=True)


def test_a_copy_can_change_alone() -> None:
    counted = ByDay(DAYS, 1)
    counted.put(0, {730_000: 2})
    later = counted.copy()
    later.put(0, {730_007: 3})
    assert counted.between([0], 0, 800_000) == [(730_000, 2)]
    assert later.between([0], 0, 800_000) == later.between([], 0, 800_000, outside=True) == [(730_007, 3)]


@pytest.mark.parametrize("day", [0, 730_001, 800_000])
def test_a_day_that_was_not_announced_is_refused(day: int) -> None:
    with pytest.raises(UnknownDay):
        ByDay(DAYS, 1).put(0, {day: 1, DAYS[0]: 1})


def test_many_combinations_with_rows_far_apart_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = ByDay(range(730_000, 731_000), 10)
    monkeypatch.setattr(by_day, "MOST_BYTES", counted.size + 4_000)
    for place in range(9):
        counted.put(place, {730_000 + 100 * place: 1, 730_020 + 100 * place: 1})
    counted.put(9, {730_000: 1, 730_400: 1})
    with pytest.raises(TooLarge):
        counted.put(0, {730_000: 1, 730_999: 1})
