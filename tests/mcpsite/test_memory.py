"""What a process remembers is bounded in bytes."""

from sys import getsizeof
from typing import Any

from mcpsite.core.memory import ENTRY, Memory, size_of, size_of_rows


def test_what_was_used_least_recently_is_forgotten_first() -> None:
    memory = Memory(3 * (ENTRY + 100))
    for key in "abc":
        memory.keep(key, key.upper(), 100)
    assert memory.get("a") == "A"
    memory.keep("d", "D", 100)
    assert [memory.get(key) for key in "abcd"] == ["A", None, "C", "D"]


def test_one_large_value_takes_the_place_of_several_small_ones() -> None:
    memory = Memory(4 * (ENTRY + 100))
    for key in "abcd":
        memory.keep(key, key.upper(), 100)
    memory.keep("large", "L", 2 * ENTRY + 200)
    assert [memory.get(key) for key in (*"abcd", "large")] == [None, None, None, "D", "L"]


def test_a_value_larger_than_all_there_is_room_for_displaces_nothing() -> None:
    memory = Memory(1_000)
    memory.keep("small", 1, 100)
    memory.keep("large", 2, 1_000)
    assert (memory.get("small"), memory.get("large")) == (1, None)


def test_a_value_that_is_kept_again_is_weighed_once() -> None:
    memory = Memory(10_000)
    for size in (5_000, 7_000, 300):
        memory.keep("key", size, size)
    assert (memory.get("key"), memory.bytes) == (300, 300 + ENTRY)


def test_what_is_out_of_date_is_dropped_by_its_key() -> None:
    memory = Memory(10_000)
    for version in (1, 2):
        memory.keep(("fares", version), version, 100)
    memory.forget(lambda key: key == ("fares", 1))
    assert (memory.get(("fares", 1)), memory.get(("fares", 2)), memory.bytes) == (None, 2, 100 + ENTRY)


def test_a_value_weighs_what_is_in_it() -> None:
    text = "x" * 1_000
    rows: list[dict[str, Any]] = [{"a": text, "b": 1.5}, {"a": text * 2}]
    assert size_of(rows) == size_of_rows(rows)
    assert 3_000 < size_of(rows) < 4_500
    assert size_of((text, [text])) > 2 * getsizeof(text)
