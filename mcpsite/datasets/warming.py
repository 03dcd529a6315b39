"""A server's work for data sets between calls: computing what the next needs, deleting what none needs."""

from mcpsite.datasets import cleaning, snapshots
from mcpsite.datasets.declaration import data_sets


def warm() -> None:
    """Compute what the next callers need of a new version of the data, and delete a piece of what is due."""
    for data_set in data_sets():
        snapshots.warm(data_set)
    cleaning.go_on()
