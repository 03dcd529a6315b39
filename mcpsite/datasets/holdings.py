"""What the home page says of data sets."""

from collections.abc import Iterator

from mcpsite.access.caller import Caller
from mcpsite.access.holding import Holding
from mcpsite.datasets import snapshots
from mcpsite.datasets.declaration import data_sets


def holdings(caller: Caller) -> Iterator[Holding]:
    """Yield rows and files of each data set that `caller` may read, counted as in the tools' answers."""
    for data_set in data_sets():
        if data_set.policy.admits(caller):
            snapshot = snapshots.current(data_set, caller)
            yield Holding(label=f"{data_set.words} rows", count=snapshot.total)
            yield Holding(label=f"{data_set.words} files", count=len(snapshot.files))
