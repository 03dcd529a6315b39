"""The sample transcripts: which transcripts they are, and how to delete them."""

from asgiref.sync import async_to_sync
from django.db.models import QuerySet

from mcpsite.core import samples
from mcpsite.core.samples import Samples
from mcpsite.history import recording
from mcpsite.history.models import Change
from transcripts.loading import remove_transcripts
from transcripts.models import Tombstone, Transcript
from transcripts.stores.base import StoreUnavailable, chosen, store

KIND = "transcripts"


def loaded() -> QuerySet[Transcript]:
    """Return the sample transcripts that are here."""
    return Transcript.objects.filter(digest__in=samples.digests(KIND).values())


def removed() -> bool:
    """Return whether somebody deleted one of them."""
    return Tombstone.objects.filter(removed=True, source_file__in=samples.digests(KIND)).exists()


def described() -> list[str]:
    """Return a description of each, with what would be lost with it."""
    descriptions = []
    for transcript in loaded().defer("text"):
        names = ", ".join(name.replace("_", " ") for name in transcript.corrected)
        descriptions.append(
            f"{transcript.source_file}{f': a curator corrected its {names}' if names else ''}"
        )
    return descriptions


def delete() -> None:
    """Delete them. The history records it as part of the caller's action."""
    with recording.action(Change.Action.DELETE) as action:
        for transcript in loaded().defer("text"):
            action.add(transcript, {"source_file": (transcript.source_file, None)})
        remove_transcripts(loaded())


def withdraw() -> str:
    """Remove them from the store that is searched, before they are deleted; return why not, or ""."""
    try:
        if chosen() != "local":
            async_to_sync(store(chosen()).remove)(list(loaded().values_list("pk", flat=True)))
    except StoreUnavailable as error:
        return f"It is still in the transcript store: {error} Run manage.py upload_transcripts to remove it."
    return ""


SAMPLES = Samples(
    kind=KIND,
    title="Transcripts",
    noun="transcript",
    command="upload_transcripts",
    setting="TRANSCRIPT_DATA_DIR",
    loaded=loaded,
    removed=removed,
    described=described,
    delete=delete,
    withdraw=withdraw,
)
