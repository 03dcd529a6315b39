"""How a long job leaves room for others: it rests for longer than it had to wait for a processor.

A low priority would not do, because a database works for the job as well and knows no priorities; it rests
when the job does. If nobody else wants the processors, the job takes no longer.
"""

import time
from pathlib import Path

TIMES = 6
"""How many times as long as it had to wait a job rests."""
MOST = 2
"""How many times as long as it has worked it rests at most: then it takes three times as long."""
SHORTEST_SECONDS = 0.005
LONGEST_SECONDS = 5.0
"""A load from which nothing is heard for a minute counts as lost."""

_WAITED = Path("/proc/thread-self/schedstat")


class Rests:
    """The rests of a job that works on this thread."""

    def __init__(self) -> None:
        self._since, self._waited = time.perf_counter(), _waited()

    def take(self) -> float:
        """Rest for as long as the work since the last rest demands, and return the seconds."""
        worked, waited = time.perf_counter() - self._since, _waited() - self._waited
        seconds = min(TIMES * waited, MOST * worked, LONGEST_SECONDS)
        if seconds < SHORTEST_SECONDS:
            seconds = 0.0
        else:
            time.sleep(seconds)
        self._since, self._waited = time.perf_counter(), _waited()
        return seconds


def _waited() -> float:
    """Return the seconds that this thread could have worked but had no processor; 0 if that is not told."""
    try:
        return int(_WAITED.read_text().split()[1]) / 1e9
    except OSError:
        return 0.0
