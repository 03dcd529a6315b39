"""A server's work for data sets between calls: computing what the next needs, deleting what none needs."""

from contextlib import ExitStack

from mcpsite.datasets import cleaning, snapshots
from mcpsite.datasets.declaration import data_sets


def warm() -> None:
    """Compute what the next callers need of a new version of the data, and delete a piece of what is due.

    All of it is tried before an error is raised.
    """
    with ExitStack() as last_first:
        last_first.callback(cleaning.go_on)
        for data_set in data_sets():
            last_first.callback(snapshots.warm, data_set)
