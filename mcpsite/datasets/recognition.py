"""Which of the stored files a load has found, so that no file replaces another one."""

from pathlib import Path
from typing import Any

from django.db.models import Q, QuerySet

from mcpsite.core import folders
from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.models import Load, SourceFile
from mcpsite.datasets.refusals import RefusedFile
from mcpsite.uploads.loaders import FOLDER as UPLOADS


def by_path(data_set: DataSet, path: Path, folder: Path) -> SourceFile | None:
    """Return the file that was loaded from `path` under another of its folders, if there is one."""
    places = [Q(folder=str(each), name=path.relative_to(each).as_posix()) for each in path.parents]
    known = data_set.files.exclude(folder=str(folder)).exclude(folder=str(UPLOADS))
    return known.filter(Q(*places, _connector=Q.OR)).first()


def demand_place(known: SourceFile, folder: Path) -> None:
    """Raise RefusedFile if `known`, which has the name of a file in `folder`, is another, existing one.

    An upload replaces a file of its name, and the next load of the folder restores its own version.
    """
    elsewhere = Path(known.folder)
    if str(UPLOADS) in (known.folder, str(folder)) or elsewhere == folder or not known.digest:
        return
    if folders.is_file(elsewhere / known.name):
        raise RefusedFile(
            f"has the same name as a file that was loaded from {elsewhere} and still exists there; rename "
            "one of them, or load the folder that contains both"
        )


def rename(data_set: DataSet, digest: str, name: str) -> str:
    """Rename the file with this content that is no longer where it was; return the old name."""
    for known in data_set.files.filter(digest=digest).exclude(folder=str(UPLOADS)):
        if folders.is_missing(Path(known.folder, known.name)):
            SourceFile.objects.filter(pk=known.pk).update(name=name)
            return known.name
    return ""


def same_content(data_set: DataSet, digest: str, name: str) -> str:
    """Return the name of another file with the same content, empty if there is none."""
    others = data_set.files.filter(digest=digest).exclude(name=name)
    return others.values_list("name", flat=True).first() or ""


def same_rows(data_set: DataSet, load: Load) -> str:
    """Return the name of another file with the rows of `load`, written differently, or an empty text."""
    names = [data_set.attribute(name) for name in data_set.columns if name not in data_set.derived]
    rows, others = data_set.model.all_loads.order_by(), data_set.files.filter(rows=load.rows)
    loads = Load.objects.filter(current_of__in=others.exclude(name=load.name), first_id__gt=0)
    ids = {each.first_id: each for each in loads} if load.rows else {}
    first = {
        each[0]: each[1:] for each in rows.filter(pk__in=[load.first_id, *ids]).values_list("pk", *names)
    }

    def values(one: Load) -> QuerySet[Any, Any]:
        return rows.filter(load=one, pk__range=(one.first_id, one.last_id)).values_list(*names)

    # Very few files begin with the same row: only those are compared completely.
    same = (each for pk, each in ids.items() if first.get(pk) == first.get(load.first_id))
    return next((each.name for each in same if not values(load).difference(values(each)).exists()), "")
