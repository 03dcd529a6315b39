"""What `doctor` checks of data sets."""

from collections.abc import Iterator

from mcpsite.core import samples
from mcpsite.core.findings import Finding
from mcpsite.datasets import snapshots
from mcpsite.datasets.declaration import DataSet, data_sets


def about_data() -> Iterator[Finding]:
    """Yield for each data set whether there are rows to publish."""
    for data_set in data_sets():
        if rows := snapshots.current(data_set, None).total:
            yield Finding(
                id=data_set.name, level="ok", what=f"The database holds {rows:,} {data_set.words} rows."
            )
        else:
            yield Finding(
                id=f"{data_set.name}-empty",
                level="warning",
                what=f"There are no {data_set.words} rows.",
                change=f"Run manage.py {_loading(data_set)}.",
            )


def _loading(data_set: DataSet) -> str:
    """Return how its rows are loaded."""
    sample = next((each for each in samples.installed() if each.kind == data_set.name), None)
    if sample:
        return f"{sample.command}, with {sample.setting} set to your files"
    return f"load_data {data_set.name} PATH"
