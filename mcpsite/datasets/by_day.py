"""How many published rows each combination has on each day, kept so that those of many are added up at once.

The rows of a combination are one number, in which each day has LANE bytes of its own: a sum of such numbers
has the sums of all days.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from struct import pack, unpack
from sys import getsizeof

LANE = 4
"""Bytes of a day; no sum of rows needs more."""
MOST_BYTES = 16 << 20
"""Of one instance. More is needed if combinations are many, and each has rows on days far apart."""


class UnknownDay(Exception):
    """Rows have a day that was not announced."""


class TooLarge(Exception):
    """The numbers would take more than MOST_BYTES."""


class ByDay:
    """Numbers of rows by combination and day. Days are ordinals, combinations are named by their places."""

    def __init__(self, days: Sequence[int], combinations: int) -> None:
        """Begin with so many combinations without rows. `days` are all that there will be, ascending."""
        self._days = array("i", days)
        self._lanes = {day: lane for lane, day in enumerate(self._days)}
        self._numbers = [0] * combinations
        self._first = array("I", bytes(4 * combinations))
        """The lane of each number's first day; the number begins with it."""
        self._total = 0
        self.size = sum(map(getsizeof, (self._days, self._lanes, self._numbers, self._first)))
        """Bytes of memory."""

    def copy(self) -> "ByDay":
        """Return another one with the same numbers."""
        other = copy(self)
        other._numbers, other._first = self._numbers[:], self._first[:]
        return other

    def put(self, place: int, rows: Mapping[int, int]) -> None:
        """Set how many rows, by day, the combination has. Raises UnknownDay and TooLarge."""
        try:
            lanes = {self._lanes[day]: each for day, each in rows.items()}
        except KeyError:
            raise UnknownDay from None
        first, end = min(lanes, default=0), max(lanes, default=-1) + 1
        cells = [lanes.get(lane, 0) for lane in range(first, end)]
        before, number = self._numbers[place], int.from_bytes(pack(f"<{len(cells)}I", *cells), "little")
        self.size += getsizeof(number) - getsizeof(before)
        if self.size > MOST_BYTES:
            raise TooLarge
        self._total += _moved(number, first) - _moved(before, self._first[place])
        self._numbers[place], self._first[place] = number, first

    def between(
        self, places: Iterable[int], first: int, last: int, *, outside: bool = False
    ) -> list[tuple[int, int]]:
        """Return the days from `first` to `last`, latest first, and how many rows of `places` each has.

        With `outside`, of all other places. Days without such rows are left out.
        """
        sums: Counter[int] = Counter()
        for place in places:
            sums[self._first[place]] += self._numbers[place]
        number = sum(_moved(each, lane) for lane, each in sums.items())
        if outside:
            number = self._total - number
        size = len(self._days)
        rows = unpack(f"<{size}I", number.to_bytes(LANE * size, "little"))
        begin, end = bisect_left(self._days, first), bisect_right(self._days, last)
        days = zip(reversed(self._days[begin:end]), reversed(rows[begin:end]), strict=True)
        return [(day, each) for day, each in days if each]


def _moved(number: int, lanes: int) -> int:
    return number << 8 * LANE * lanes
