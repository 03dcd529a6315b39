"""The sample fares: which files they are, and how to delete them."""

from django.db.models import Q, QuerySet

from airfare.models import FareRow
from mcpsite.core import samples
from mcpsite.core.samples import Samples
from mcpsite.datasets import curation
from mcpsite.datasets.declaration import data_set_of
from mcpsite.datasets.loading import remove
from mcpsite.datasets.models import SourceFile

KIND = "airfare"


def loaded() -> QuerySet[SourceFile]:
    """Return the sample files whose rows are here, even if only curated ones are left.

    No digest is kept of a file whose rows were deleted; it is recognized by its place.
    """
    digests = samples.digests(KIND)
    left = Q(digest="", folder=str(samples.folder_of(KIND)), name__in=digests)
    return data_set_of(FareRow).files.filter(Q(digest__in=digests.values()) | left, current__isnull=False)


def removed() -> bool:
    """Return whether somebody deleted one of them."""
    names = samples.digests(KIND)
    deleted = data_set_of(FareRow).files.filter(state=SourceFile.State.REMOVED, name__in=names)
    return deleted.filter(folder=str(samples.folder_of(KIND))).exists()


def described() -> list[str]:
    """Return a description of each, with what would be lost with it."""
    descriptions = []
    for source in loaded():
        rows = FareRow.objects.filter(load=source.current).count()
        curated = curation.curated(source).count()
        changed = f", {curated:,} of them edited or hidden by a curator" if curated else ""
        descriptions.append(f"{source.name}: {rows:,} {'row' if rows == 1 else 'rows'}{changed}")
    return descriptions


def delete() -> None:
    """Delete their rows, the curated ones too. The history records it as part of the caller's action."""
    for source in loaded():
        remove(source, curated=True)


SAMPLES = Samples(
    kind=KIND,
    title="Airfare",
    noun="fare file",
    command="load_airfare",
    setting="TREND_DATA_DIR",
    example=("airfare_trend_insights", "route_contains=JFK", "limit=5"),
    loaded=loaded,
    removed=removed,
    described=described,
    delete=delete,
)
