"""Which of the stored files a load has found, so that no file replaces another one."""

from pathlib import Path

from django.db.models import Q

from mcpsite.core import folders
from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.models import SourceFile
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
