"""Transcripts that people upload: loaded as `upload_transcripts` loads them."""

from typing import Any

from asgiref.sync import async_to_sync
from django import forms
from django.conf import settings
from django.urls import reverse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanWidget

from mcpsite.history import recording
from mcpsite.history.models import Change
from mcpsite.uploads.forms import UploadForm
from mcpsite.uploads.loaders import FOLDER, Loader, Task, register_loader
from mcpsite.uploads.summaries import Summary
from transcripts import loading
from transcripts.loading import LoadReport, Source, load
from transcripts.models import Collection, Transcript
from transcripts.parsing import SUFFIXES
from transcripts.stores.base import StoreUnavailable, chosen, indexed, store

MOST_LINKS = 20


class TranscriptsForm(UploadForm):
    suffixes = SUFFIXES
    text_only = False
    explanation = (
        "A file with the same name as one loaded before replaces its transcript's text; corrections, the "
        "collection and the publication state are kept."
    )

    collection = forms.ModelChoiceField(
        Collection.objects.all(),
        required=False,
        widget=UnfoldAdminSelectWidget(),
        empty_label="Default",
        help_text="The collection of new transcripts. It decides who may read them.",
    )

    allow_empty = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanWidget(),
        label="Allow empty files",
        help_text="If a file has no text, delete the transcript loaded before from a file of the same name.",
    )

    def options(self) -> dict[str, Any]:
        collection = self.cleaned_data["collection"]
        return {
            "collection": collection.pk if collection else None,
            "allow_empty": self.cleaned_data["allow_empty"],
        }


def run(task: Task) -> list[Summary]:
    """Load the files of `task`, and bring the store that is searched up to date."""
    files = [Source(name=path.name, folder=FOLDER, path=path) for path in task.files]
    collection = None
    if number := task.options.get("collection"):
        collection = Collection.objects.filter(pk=number).first()
        if collection is None:
            # In the default collection they might be visible to more people than intended.
            reason = "the chosen collection no longer exists; upload the file again into another one."
            refused = LoadReport(refused={source.name: reason for source in files})
            return [loading.load_summary(refused)]
    done = 0

    def one_more(_: Source) -> None:
        nonlocal done
        task.progress(done, len(files))
        done += 1

    with recording.action(Change.Action.LOAD, author=task.by, source="upload"):
        report = load(
            files,
            collection=collection,
            allow_empty=bool(task.options.get("allow_empty")),
            dry_run=task.check_only,
            progress=one_more,
        )
    result = loading.load_summary(report)
    if task.check_only:
        return [result]
    fresh = Transcript.objects.filter(source_file__in=[*report.added, *report.changed])
    result.links = [
        (transcript.title, reverse("admin:transcripts_transcript_change", args=[transcript.pk]))
        for transcript in fresh[:MOST_LINKS]
    ]
    return [
        result,
        *_remove(report.pruned_ids),
        *_make_findable(list(fresh.values_list("pk", flat=True)), task),
    ]


def _remove(transcripts: list[int]) -> list[Summary]:
    """Remove deleted `transcripts` from the store that is searched, if it is not the database."""
    if not transcripts or chosen() == "local":
        return []
    try:
        async_to_sync(store(chosen()).remove)(transcripts)
    except StoreUnavailable as error:
        return [_stopped(f"The store did not answer: {error}")]
    return []


def _make_findable(transcripts: list[int], task: Task) -> list[Summary]:
    """Bring the store that is searched, if it is not the database, in line with `transcripts`."""
    name = indexed()
    if not transcripts or name == "local":
        return []
    if name != "openai":
        try:
            async_to_sync(store(name).index)(transcripts)
        except StoreUnavailable as error:
            return [_stopped(f"The store did not answer: {error}")]
        return []
    if not (settings.OPENAI_API_KEY and settings.VECTOR_STORE_ID):
        return []
    # Imported here, because OpenAI's client takes longer to import than the rest of the site.
    from transcripts import syncing

    try:
        return [syncing.sync_summary(syncing.sync(only=transcripts, progress=task.progress))]
    except syncing.SyncStopped as stopped:
        return [_stopped(f"The sync with the vector store stopped: {stopped}")]


def _stopped(sentence: str) -> Summary:
    return Summary(
        columns=[],
        rows=[],
        notes=[
            f"{sentence} The transcripts are loaded; use the action “Sync with the vector store” in "
            "their list to continue."
        ],
        failed=True,
    )


register_loader(
    Loader(
        kind="transcripts",
        title="transcripts",
        permission="transcripts.add_transcript",
        form=TranscriptsForm,
        run=run,
        list_url="admin:transcripts_transcript_changelist",
    )
)
