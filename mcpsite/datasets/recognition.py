"""Which of the files that are here a load has found, so that no file takes another one's place."""

from pathlib import Path
from typing import Any

from django.db.models import Q, QuerySet

from mcpsite.core import folders
from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.models import Load, SourceFile
from mcpsite.datasets.refusals import RefusedFile
from mcpsite.uploads.loaders import FOLDER as UPLOADS


def by_path(data_set: DataSet, path: Path, folder: Path) -> SourceFile | None:
    """Return the file that was loaded from `path` with another of its folders named, if there is one."""
    places = [Q(folder=str(each), name=path.relative_to(each).as_posix()) for each in path.parents]
    known = data_set.files.exclude(folder=str(folder)).exclude(folder=str(UPLOADS))
    return known.filter(Q(*places, _connector=Q.OR)).first()


def demand_place(known: SourceFile, folder: Path) -> None:
    """Raise RefusedFile if `known`, which has the name of a file in `folder`, is another one that is there.

    An upload replaces a file of its name, and the next load of the folder puts its own version back.
    """
    elsewhere = Path(known.folder)
    if str(UPLOADS) in (known.folder, str(folder)) or elsewhere == folder or not known.digest:
        return
    if folders.is_file(elsewhere / known.name):
        raise RefusedFile(
            f"has the name of a file that was loaded from {elsewhere} and is still there; rename one of "
            "them, or load the folder that both are in"
        )


def rename(data_set: DataSet, digest: str, name: str) -> str:
    """Give the file of this content that is no longer where it was its new name; returns the old one."""
    for known in data_set.files.filter(digest=digest).exclude(folder=str(UPLOADS)):
        if folders.is_missing(Path(known.folder, known.name)):
            SourceFile.objects.filter(pk=known.pk).update(name=name)
            return known.name
    return ""


def same_content(data_set: DataSet, digest: str, name: str) -> str:
    """Return the name of another file that holds the same, empty where there is none."""
    others = data_set.files.filter(digest=digest).exclude(name=name)
    return others.values_list("name", flat=True).first() or ""


def same_rows(data_set: DataSet, load: Load) -> str:
    """Return the name of another file that holds the rows of `load`, written otherwise; empty for none."""
    names = [data_set.attribute(name) for name in data_set.columns if name not in data_set.derived]
    rows, others = data_set.model.all_loads.order_by(), data_set.files.filter(rows=load.rows)
    loads = Load.objects.filter(current_of__in=others.exclude(name=load.name), first_id__gt=0)
    ids = {each.first_id: each for each in loads} if load.rows else {}
    first = {
        each[0]: each[1:] for each in rows.filter(pk__in=[load.first_id, *ids]).values_list("pk", *names)
    }

    def values(one: Load) -> QuerySet[Any, Any]:
        return rows.filter(load=one, pk__range=(one.first_id, one.last_id)).values_list(*names)

    # Very few files begin alike: only theirs are compared as a whole.
    same = (each for pk, each in ids.items() if first.get(pk) == first.get(load.first_id))
    return next((each.name for each in same if not values(load).difference(values(each)).exists()), "")
