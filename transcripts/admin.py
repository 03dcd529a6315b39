"""Where people curate the transcripts: what is published, to whom, and what is known of a call."""

from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count, F, Model, OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

from mcpsite.core.folders import FILES_STAY
from mcpsite.core.modeladmin import ModelAdmin, ModelForm, TabularInline
from mcpsite.core.texts import clean
from mcpsite.exchange.exporting import ExportMixin, columns
from mcpsite.history import recording
from mcpsite.history.admin import Recorded
from mcpsite.history.forms import KeepsOthersChanges
from mcpsite.history.models import Change
from mcpsite.uploads.loaders import FOLDER as UPLOADS
from transcripts.loading import index_facts, name_speakers, remove_transcripts, restore_facts, understood
from transcripts.models import Collection, Transcript, Turn, VectorStoreFile
from transcripts.reading import PER_PAGE
from transcripts.speakers import SpeakersForm

MOST_SYNCED = 50
"""Transcripts synced from here at once, on a page that waits. More is left to `upload_transcripts`."""
SYNC_SECONDS = 45.0
"""Time for one of them; proxies give up on a page after a minute."""
LONGEST_PARTICIPANTS = 20_000
"""Characters of all participants of a call; PostgreSQL indexes no text of a megabyte."""
MOST_SPEAKERS = 30
"""Names shown on a transcript's page."""
MISSING = "missing"


@admin.register(Collection)
class CollectionAdmin(ExportMixin, Recorded, ModelAdmin[Collection]):
    """Sets of transcripts, and the groups that may read them."""

    list_display = ["name", "readers", "transcript_count"]
    resource_classes = [columns(Collection, "id", "name", "slug", transcripts="transcript_count")]
    prepopulated_fields = {"slug": ["name"]}
    search_fields = ["name"]
    filter_horizontal = ["groups"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Collection]:
        collections: QuerySet[Collection] = super().get_queryset(request)
        return collections.annotate(transcript_count=Count("transcripts")).prefetch_related("groups")

    @admin.display(description="readers")
    def readers(self, collection: Collection) -> str:
        names = [group.name for group in collection.groups.all()]
        return ", ".join(names) or "everybody who may read transcripts"

    @admin.display(description="transcripts", ordering="transcript_count")
    def transcript_count(self, collection: Any) -> int:
        return int(collection.transcript_count)


class SyncStatus(admin.SimpleListFilter):
    """A filter by the result of the last sync with the vector store."""

    title = "sync"
    parameter_name = "sync"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        if not settings.VECTOR_STORE_ID:
            return []
        return [*VectorStoreFile.Status.choices, (MISSING, "not synced")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        chosen = self.value()
        if chosen is None:
            return queryset
        return queryset.filter(sync_status=None) if chosen == MISSING else queryset.filter(sync_status=chosen)


class StoreFiles(TabularInline[VectorStoreFile, Transcript]):
    """The transcript's files in vector stores, as of the last sync."""

    model = VectorStoreFile
    verbose_name_plural = "files in vector stores"
    fields = ["store_id", "file_id", "state", "problem", "updated_at"]
    readonly_fields = ["store_id", "file_id", "state", "problem", "updated_at"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Transcript | None = None) -> bool:  # noqa: ARG002
        return False

    @admin.display(description="status")
    def state(self, file: VectorStoreFile) -> SafeString:
        return badge(file.status)

    @admin.display(description="problem")
    def problem(self, file: VectorStoreFile) -> str:
        return file.error or "–"


class TranscriptForm(KeepsOthersChanges, ModelForm[Transcript]):
    """The facts of a call, with one participant per line."""

    participants = forms.CharField(
        required=False,
        max_length=LONGEST_PARTICIPANTS,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text="One participant per line.",
    )

    class Meta:
        model = Transcript
        fields = [*Transcript.FACTS, "collection", "published"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["participants"] = "\n".join(self.instance.participants)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        for name, value in list(cleaned.items()):
            if name in Transcript.FACTS and isinstance(value, str):
                cleaned[name] = clean(value).strip()
                if self.fields[name].required and not cleaned[name]:
                    self.add_error(name, "This has no visible characters.")
        return cleaned

    def clean_participants(self) -> list[str]:
        lines = clean(str(self.cleaned_data["participants"])).splitlines()
        return [line.strip() for line in lines if line.strip()]

    def corrected_facts(self) -> list[str]:
        """Return the facts that the person changed."""
        before = Transcript.objects.values(*Transcript.FACTS).get(pk=self.instance.pk)
        return [name for name in Transcript.FACTS if before[name] != self.cleaned_data[name]]


@admin.register(Transcript)
class TranscriptAdmin(ExportMixin, Recorded, ModelAdmin[Transcript]):
    """Transcripts come from files (`upload_transcripts`); here they are corrected, sorted and published."""

    form = TranscriptForm
    list_display = ["title", "publication", "sync_state", "call_date", "sector", "collection"]
    list_filter = ["published", SyncStatus, "collection", "sector"]
    list_select_related = ["collection"]
    date_hierarchy = "call_date"
    search_fields = ["title", "slug", "source_file", "text"]
    search_help_text = "Title, file name or text"
    inlines = [StoreFiles]
    actions = ["publish", "unpublish", "sync_again", "restore_file_values"]
    actions_list = ["upload_files"]
    # Without the text: an exported list of calls must not be a copy of them.
    resource_classes = [
        columns(
            Transcript,
            *(
                "id",
                "slug",
                *Transcript.FACTS,
                "published",
                "source_file",
                "digest",
                "corrected",
                "loaded_at",
            ),
            collection="collection__name",
        )
    ]
    readonly_fields = [
        *("slug", "source_file", "loaded_at", "corrections"),
        *("not_understood", "others", "named"),
    ]
    fieldsets = [
        (None, {"fields": ["title", "published", "collection"]}),
        ("Call", {"fields": ["call_date", "sector", "moderator", "duration", "participants", "named"]}),
        (
            "File",
            {"fields": ["slug", "source_file", "loaded_at", "not_understood", "others", "corrections"]},
        ),
    ]

    class Media:
        css = {"all": ["transcripts/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transcript]:
        files = VectorStoreFile.objects.filter(
            transcript=OuterRef("pk"), store_id=settings.VECTOR_STORE_ID or None
        )
        transcripts: QuerySet[Transcript] = super().get_queryset(request)
        return transcripts.defer("text").annotate(
            sync_status=Subquery(files.values("status")[:1]), problem=Subquery(files.values("error")[:1])
        )

    def view_on_site(self, obj: Transcript) -> str | None:
        return obj.get_absolute_url() if obj.published else None

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 (they come from files)
        return False

    @admin.display(description="status", ordering="published")
    def publication(self, transcript: Transcript) -> SafeString:
        return badge("published" if transcript.published else "unpublished")

    @admin.display(description="sync", ordering="sync_status")
    def sync_state(self, transcript: Any) -> SafeString | str:
        if not settings.VECTOR_STORE_ID:
            return "searched locally"
        if transcript.sync_status is None:
            return badge(MISSING)
        if transcript.problem:
            return format_html("{} {}", badge(transcript.sync_status), transcript.problem)
        return badge(transcript.sync_status)

    @admin.display(description="corrected facts")
    def corrections(self, transcript: Transcript) -> str:
        names = [name.replace("_", " ") for name in transcript.corrected]
        return f"{', '.join(names)} (kept when the file is loaded again)" if names else "nothing"

    @admin.display(description="problems found")
    def not_understood(self, transcript: Transcript) -> SafeString | str:
        """Return what loading could not read of the file, for the person who corrects it here or there."""
        notes = list(transcript.notes)
        if not transcript.turns.exclude(speaker="").exists():
            notes.append("No speaker was found.")
        if transcript.call_date is None:
            notes.append("No date was found.")
        return format_html_join(SafeString("<br>"), "{}", ([note] for note in notes)) or "nothing"

    @admin.display(description="other facts in the file")
    def others(self, transcript: Transcript) -> SafeString | str:
        return (
            format_html_join(SafeString("<br>"), "{}", ([line] for line in transcript.other_facts)) or "none"
        )

    @admin.display(description="speakers")
    def named(self, transcript: Transcript) -> SafeString:
        """Return who speaks, with the page where a curator corrects that for the whole call."""
        names = transcript.turns.exclude(speaker="").order_by("speaker").values_list("speaker", flat=True)
        some = "; ".join(names.distinct()[:MOST_SPEAKERS]) or "no speakers named"
        link = reverse("admin:transcripts_transcript_speakers", args=[transcript.pk])
        return format_html('{} – <a href="{}">name speakers</a>', some, link)

    def save_model(self, request: HttpRequest, obj: Transcript, form: Any, change: bool) -> None:
        """Remember which facts a person wrote, so that loads keep them, and make them searchable."""
        with transaction.atomic():
            changed = form.corrected_facts()
            obj.corrected = sorted({*obj.corrected, *changed})
            super().save_model(request, obj, form, change)
            if changed:
                index_facts(obj)

    # Deleting

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:  # noqa: ARG002 (Django's signature)
        # Not turn by turn, because each has hundreds.
        lines = [_what_stays(each) for each in objs]
        if any(each.source_folder != str(UPLOADS) for each in objs):
            lines.append(FILES_STAY)
        turns = Turn.objects.filter(transcript__in=[each.pk for each in objs]).count()
        return lines, {"transcripts": len(objs), "turns": turns}, set(), []

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        self.delete_queryset(request, Transcript.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Transcript]) -> None:
        with transaction.atomic():
            self._record_deletion(request, queryset)
            remove_transcripts(queryset)

    # Reading

    def get_urls(self) -> list[URLPattern]:
        read, speakers = (self.admin_site.admin_view(view) for view in (self.read, self.speakers))
        return [
            path("<int:pk>/read/", read, name="transcripts_transcript_read"),
            path("<int:pk>/speakers/", speakers, name="transcripts_transcript_speakers"),
            *super().get_urls(),
        ]

    def read(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the page of the turns, published or not."""
        transcript = self.get_queryset(request).filter(pk=pk).first()
        if not self.has_view_permission(request, transcript):
            raise PermissionDenied
        if transcript is None:
            raise Http404
        return TemplateResponse(
            request,
            "admin/transcripts/transcript/read.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": transcript.title,
                "transcript": transcript,
                "page": Paginator(transcript.turns.all(), PER_PAGE).get_page(request.GET.get("page")),
                "media": self.media,
            },
        )

    def speakers(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the page that names the person of each label for the whole call; loads keep the names."""
        transcript = self.get_queryset(request).filter(pk=pk).first()
        if not self.has_change_permission(request, transcript):
            raise PermissionDenied
        if transcript is None:
            raise Http404
        form = SpeakersForm(understood(transcript), transcript.speakers, request.POST or None)
        if request.method == "POST" and form.is_valid():
            by = cast(User, request.user)
            with transaction.atomic(), recording.action(Change.Action.EDIT, by=by) as action:
                locked = Transcript.objects.select_for_update().get(pk=pk)
                before = locked.speakers
                if before == (form.cleaned_data["seen"] or {}):
                    name_speakers(locked, form.speakers())
                    action.add(
                        locked, recording.differences({"speakers": before}, {"speakers": locked.speakers})
                    )
                    self.message_user(request, f"Named the speakers of “{transcript}”.", messages.SUCCESS)
                    return redirect("admin:transcripts_transcript_change", pk)
            form.add_error(None, "Somebody else named speakers while you were editing; reload this page.")
        return TemplateResponse(
            request,
            "admin/transcripts/transcript/speakers.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": f"Speakers of {transcript.title}",
                "transcript": transcript,
                "form": form,
                "media": self.media + form.media,
            },
        )

    # Actions

    @action(description="Upload files", icon="upload", permissions=["upload_files"])  # type: ignore[untyped-decorator]
    def upload_files(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (unfold's signature)
        return redirect("admin:uploads_upload_new", "transcripts")

    def has_upload_files_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("transcripts.add_transcript")

    @admin.action(description="Publish", permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Transcript]) -> None:
        self._set_published(request, queryset, published=True)

    @admin.action(description="Unpublish: remove from search, answers and pages", permissions=["change"])
    def unpublish(self, request: HttpRequest, queryset: QuerySet[Transcript]) -> None:
        self._set_published(request, queryset, published=False)

    def _set_published(
        self, request: HttpRequest, queryset: QuerySet[Transcript], *, published: bool
    ) -> None:
        word = "Published" if published else "Unpublished"
        name, by = Change.Action.PUBLISH if published else Change.Action.UNPUBLISH, cast(User, request.user)
        with transaction.atomic(), recording.action(name, by=by) as action:
            chosen = Transcript.objects.filter(pk__in=queryset.exclude(published=published).values("pk"))
            action.add_all(chosen, {"published": (not published, published)}, F("title"))
            changed = chosen.update(published=published)
        self.message_user(request, f"{word} {_count(changed)}.", messages.SUCCESS)

    @admin.action(description="Sync with the vector store", permissions=["change"])
    def sync_again(self, request: HttpRequest, queryset: QuerySet[Transcript]) -> None:
        chosen = list(queryset.values_list("pk", flat=True))
        if not (settings.OPENAI_API_KEY and settings.VECTOR_STORE_ID):
            problem = (
                "This site searches transcripts in its own database. To use a vector store, set "
                "OPENAI_API_KEY, run manage.py upload_transcripts, and set the VECTOR_STORE_ID that it "
                "prints."
            )
        elif len(chosen) > MOST_SYNCED:
            problem = (
                f"At most {MOST_SYNCED} transcripts can be synced at once from this page; run manage.py "
                "upload_transcripts for more."
            )
        else:
            problem = ""
        if problem:
            self.message_user(request, problem, messages.ERROR)
            return
        # Imported here, because OpenAI's client takes longer to import than the rest of the site.
        from transcripts.syncing import SyncLimits, SyncStopped, sync

        try:
            summary = sync(only=chosen, limits=SyncLimits(file_seconds=SYNC_SECONDS, attempts=3))
        except SyncStopped as stopped:
            self.message_user(request, f"The sync stopped: {stopped}", messages.ERROR)
            return
        for failure in summary.failures:
            self.message_user(request, f"{failure.name}: {failure.reason}", messages.ERROR)
        result = f"Synced {_count(len(summary.added))}; {len(summary.unchanged)} were up to date."
        if unpublished := queryset.filter(published=False).count():
            result += (
                f" {_count(unpublished)} not synced, because unpublished transcripts are never sent "
                "to the store."
            )
        self.message_user(request, result, messages.SUCCESS if not summary.failures else messages.WARNING)

    @admin.action(description="Restore the file's facts: discard corrections", permissions=["change"])
    def restore_file_values(self, request: HttpRequest, queryset: QuerySet[Transcript]) -> None:
        by = cast(User, request.user)
        with transaction.atomic(), recording.action(Change.Action.RESTORE, by=by) as action:
            corrected = [each for each in queryset if each.corrected]
            for each in corrected:
                before = {name: getattr(each, name) for name in (*Transcript.FACTS, "corrected")}
                restore_facts(each)
                after = {name: getattr(each, name) for name in before}
                action.add(each, recording.differences(before, after))
        self.message_user(
            request, f"Restored the facts of {_count(len(corrected))} from the file.", messages.SUCCESS
        )


def _what_stays(transcript: Transcript) -> str:
    """Return what happens when a transcript is deleted, for the page that asks for confirmation."""
    sentence = f"{transcript.title} ({transcript.source_file})"
    if transcript.corrected:
        names = [name.replace("_", " ") for name in transcript.corrected]
        sentence += f"; its corrections are lost: {', '.join(names)}"
    if not transcript.published:
        sentence += "; if the file is loaded again, it is unpublished"
    if groups := [group.name for group in transcript.collection.groups.all()]:
        sentence += f"; if the file is loaded again, only {', '.join(groups)} may read it"
    return sentence


LABELS = {
    "published": "published",
    "unpublished": "unpublished",
    **{str(value): str(label) for value, label in VectorStoreFile.Status.choices},
    MISSING: "not synced",
}


def badge(state: str) -> SafeString:
    """Return a state as a coloured label."""
    return format_html('<span class="badge badge-{}">{}</span>', state, LABELS.get(state, state))


def _count(number: int) -> str:
    return f"{number} transcript" if number == 1 else f"{number} transcripts"
