"""Deleting all that is stored of a data set."""

from django.db import transaction

from mcpsite.datasets import cleaning, versions
from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.models import Load
from mcpsite.history import recording
from mcpsite.history.models import Change


def count(data_set: DataSet) -> tuple[int, int]:
    """Return how many files and rows would go."""
    return data_set.files.count(), data_set.model.objects.count()


def delete(data_set: DataSet, *, by: str) -> None:
    """Remove everything from the answers at once, and then delete it piece by piece."""
    with (
        transaction.atomic(),
        recording.action(Change.Action.DELETE, author=by, source="delete_data") as action,
    ):
        versions.bump(data_set)
        for file in data_set.files:
            action.add(file, {"rows": (file.rows, None), "state": (file.state, None)})
        # A load that is being written finds itself given up.
        Load.objects.filter(data_set=data_set.label).update(state=Load.State.ABANDONED)
        data_set.files.all().delete()
    cleaning.clean()
