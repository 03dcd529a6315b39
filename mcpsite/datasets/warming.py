"""What a server does for data sets between calls: what the next one needs, and what nobody needs any more."""

from mcpsite.datasets import cleaning, snapshots
from mcpsite.datasets.declaration import data_sets


def warm() -> None:
    """Compute what the next callers need of a new version of the data, and delete a piece of what is due."""
    for data_set in data_sets():
        snapshots.warm(data_set)
    cleaning.go_on()
