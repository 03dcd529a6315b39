"""Finds curated rows that cannot be distinguished from others of their file, so that a load can say so.

Rows with the same identity are distinguished by their number among these. That works while there are as many
of them: if one came or went, an edit may be on another row than it was meant for.
"""

from collections.abc import Iterable, Sequence

from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.edits import chunks, said_of
from mcpsite.datasets.keys import Keys
from mcpsite.datasets.models import Edit, Load, SourceFile

COUNTED = 10
"""Equal rows that are counted; of more it is assumed that their number changed."""


def uncertain(data_set: DataSet, load: Load, file: SourceFile) -> int:
    """Return how many curated rows of `file` have more or fewer equals in `load` than in its current one."""
    keys, number = Keys(data_set, load.name), 0
    both = data_set.model.all_loads.filter(load__in=(file.current_id, load.pk))

    def stored(equals: Iterable[Sequence[int]]) -> set[tuple[int, int]]:
        every = [key for found in equals for key in found]
        return set(both.filter(key__in=every, vanished=False).values_list("load_id", "key"))

    for chunk in chunks(Edit.objects.filter(file=file).values_list("key", flat=True)):
        rows = both.filter(key__in=chunk).select_related(*data_set.proses)
        said = {row.key: list(said_of(data_set, row, data_set.identity).values()) for row in rows}
        # Most rows have no equal: there is no second one.
        second = {key: keys.equals(key, each, 2)[1:] for key, each in said.items()}
        there = {key for _, key in stored(second.values())}
        several = [key for key, [found] in second.items() if found in there]
        equals = [keys.equals(key, said[key], COUNTED) for key in several]
        counted = stored(equals)
        for found in equals:
            before, now = (
                sum((each, key) in counted for key in found) for each in (file.current_id, load.pk)
            )
            number += before != now or before == COUNTED
    return number
