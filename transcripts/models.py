"""What is stored of a call: transcript, turns, the passages that search finds, files in vector stores."""

from typing import ClassVar

from django.contrib.auth.models import Group
from django.db import models
from django.urls import reverse
from django.utils import timezone

from mcpsite.access.policies import GroupPolicy, Principal, keep_limiting_groups
from mcpsite.core.texts import clean
from transcripts.stores.base import Within
from transcripts.stores.words import indexed

TRANSCRIPTS = GroupPolicy(
    permission="transcripts.view_transcript", limited="collection", published=models.Q(published=True)
)


class Collection(models.Model):
    """A set of transcripts that is read by the same people."""

    name = models.CharField(max_length=200, unique=True)
    slug = models.SlugField(max_length=200, unique=True)
    groups = models.ManyToManyField(
        Group,
        blank=True,
        help_text="Groups that may read it. Leave empty for everybody who may read transcripts.",
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def default(cls) -> "Collection":
        """Return the collection of transcripts that were put into no other."""
        return cls.objects.get_or_create(slug="default", defaults={"name": "Default"})[0]


keep_limiting_groups(Collection)


class TranscriptQuerySet(models.QuerySet["Transcript"]):
    def visible_to(self, principal: Principal) -> "TranscriptQuerySet":
        """Return the published transcripts in collections that `principal` may read."""
        return TRANSCRIPTS.visible_to(principal, self)

    def within(self, limits: Within) -> "TranscriptQuerySet":
        """Return the transcripts that a store has to search, as the database knows them now."""
        found = self.filter(published=True)
        if limits.collections is not None:
            found = found.filter(collection__slug__in=limits.collections)
        if limits.sectors is not None:
            found = found.filter(sector__in=limits.sectors)
        if limits.since:
            found = found.filter(call_date__gte=limits.since)
        if limits.until:
            found = found.filter(call_date__lte=limits.until)
        return found.exclude(pk__in=limits.without) if limits.without else found


class Transcript(models.Model):
    """One call: the facts of its header, and what was said."""

    FACTS: ClassVar[tuple[str, ...]] = (
        "title",
        "call_date",
        "moderator",
        "sector",
        "duration",
        "participants",
    )
    """Facts that a file states about its call and a curator may correct."""

    slug = models.SlugField(
        max_length=200, unique=True, help_text="The public id in addresses and answers. It never changes."
    )
    title = models.CharField(max_length=300)
    call_date = models.DateField(null=True, blank=True)
    moderator = models.CharField(max_length=300, blank=True)
    sector = models.CharField(max_length=300, blank=True)
    duration = models.CharField(
        max_length=100, blank=True, help_text="As written in the file, for example “32 minutes”."
    )
    participants = models.JSONField(default=list, blank=True, help_text="A list of names.")
    other_facts = models.JSONField(
        default=list, blank=True, editable=False, help_text="Lines of the header that are in no other field."
    )
    speakers = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text="Label in the file → the speaker that a curator named; empty if the label is not a "
        "speaker.",
    )
    notes = models.JSONField(
        default=list,
        blank=True,
        editable=False,
        help_text="Problems found in the file.",
    )
    text = models.TextField(
        help_text="The whole file, header included, without invisible characters; the text of a container."
    )
    digest = models.CharField("SHA-256 of the file", max_length=64)
    source_file = models.CharField(
        max_length=500, unique=True, help_text="The file's path within its folder."
    )
    source_folder = models.CharField(
        max_length=1000, blank=True, help_text="The folder from which the file was last loaded."
    )
    corrected = models.JSONField(
        default=list,
        blank=True,
        editable=False,
        help_text="Facts that a curator corrected; loading keeps them.",
    )
    published = models.BooleanField(
        default=True, help_text="Unpublished transcripts appear in no answer and on no page."
    )
    collection = models.ForeignKey(Collection, models.PROTECT, related_name="transcripts")
    loaded_at = models.DateTimeField(default=timezone.now)

    objects = TranscriptQuerySet.as_manager()

    class Meta:
        # The databases sort NULL differently.
        ordering = [models.F("call_date").desc(nulls_last=True), "slug"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["title"]),
            models.Index(fields=["digest"]),
            # All columns that limit searches, so that nobody reads past the texts for them. No index of one
            # of them alone, which SQLite would use instead.
            models.Index(fields=["published", "collection", "sector", "call_date"]),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("transcripts:transcript", args=[self.slug])


class Tombstone(models.Model):
    """A record of a deleted transcript, so that its file, if it comes back, is visible to no more people."""

    source_file = models.CharField(max_length=500, unique=True)
    collection = models.ForeignKey(
        Collection,
        models.SET_NULL,
        null=True,
        help_text="If it no longer exists, the file comes back unpublished.",
    )
    published = models.BooleanField()
    removed = models.BooleanField(
        help_text="Whether somebody deleted it: loads skip the file unless it is named."
    )

    class Meta:
        # Nobody reads it: it has no page.
        default_permissions = ()

    def __str__(self) -> str:
        return self.source_file


class Turn(models.Model):
    """What one person said at one time; a paragraph if the file names no speakers."""

    transcript = models.ForeignKey(Transcript, models.CASCADE, related_name="turns", db_index=False)
    position = models.PositiveIntegerField(help_text="Counted from 1.")
    offset = models.PositiveIntegerField(
        null=True, blank=True, help_text="Seconds from the start of the call."
    )
    anchor = models.CharField(
        max_length=40, help_text="Its anchor in the page's address, for example t-00-12."
    )
    speaker = models.CharField(max_length=200, blank=True)
    text = models.TextField()

    class Meta:
        ordering = ["transcript_id", "position"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["transcript", "position"], name="transcripts_turn_once")
        ]

    def __str__(self) -> str:
        return f"{self.speaker}: {self.text[:80]}" if self.speaker else self.text[:80]

    @property
    def stamp(self) -> str:
        """The offset as `mm:ss`, from an hour on as `h:mm:ss`; empty if there is none."""
        return stamp(self.offset)


class SpeakerLabel(models.Model):
    """A label under which somebody speaks in a call: what a filter by speaker looks at first."""

    transcript = models.ForeignKey(Transcript, models.CASCADE, related_name="speaker_labels", db_index=False)
    label = models.CharField(max_length=200)
    folded = models.CharField(
        max_length=400, help_text="Case-folded, because databases do not fold all of Unicode."
    )

    class Meta:
        # Nobody reads it: it has no page.
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["transcript", "label"], name="transcripts_label_once")
        ]

    def __str__(self) -> str:
        return self.label

    @classmethod
    def containing(cls, part: str) -> "models.QuerySet[SpeakerLabel]":
        """Return the labels that contain `part`, in any case."""
        wanted = clean(part).strip().casefold()
        return cls.objects.filter(folded__contains=wanted) if wanted else cls.objects.none()


class WordsField(models.TextField):  # type: ignore[type-arg]
    """The words by which a passage is found, made from its text whenever it is saved, like `auto_now`."""

    def pre_save(self, model_instance: models.Model, add: bool) -> str:  # noqa: ARG002
        """Return the words of the passage `model_instance`."""
        words = " ".join(indexed(model_instance.text))  # type: ignore[attr-defined]
        setattr(model_instance, self.attname, words)
        return words


class Passage(models.Model):
    """Consecutive turns, about 120 words together: what search finds and shows.

    The first one holds the facts instead (title and header) and no turn. The database itself keeps
    the full-text index over `words`, in the same transaction: see the migration.
    """

    transcript = models.ForeignKey(Transcript, models.CASCADE, related_name="passages", db_index=False)
    position = models.PositiveIntegerField(help_text="Counted from 1.")
    first_turn = models.PositiveIntegerField(null=True, help_text="Position of the first turn.")
    last_turn = models.PositiveIntegerField(null=True, help_text="Position of the last turn.")
    text = models.TextField(help_text="Its turns as “Speaker: text”, one per line.")
    words = WordsField(default="", editable=False, help_text="The words by which it is found.")

    class Meta:
        ordering = ["transcript_id", "position"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["transcript", "position"], name="transcripts_passage_once")
        ]

    def __str__(self) -> str:
        return self.text[:80]


class VectorStoreFile(models.Model):
    """A transcript's file in an OpenAI vector store, as of the last sync."""

    class Status(models.TextChoices):
        IN_PROGRESS = "in_progress", "being indexed"
        COMPLETED = "completed", "indexed"
        FAILED = "failed", "failed"

    transcript = models.ForeignKey(
        Transcript,
        models.SET_NULL,
        null=True,
        related_name="store_files",
        help_text="Empty once it is deleted here, until its file is removed from the store.",
    )
    store_id = models.CharField(max_length=100)
    file_id = models.CharField(max_length=100, blank=True)
    attributes = models.JSONField(
        default=dict,
        blank=True,
        help_text="The file's attributes in the store, by which searches filter; empty if unknown.",
    )
    described_for = models.CharField(
        max_length=500,
        blank=True,
        help_text="The site's address in its attributes; empty if attributes to filter by are missing.",
    )
    digest = models.CharField("SHA-256 of the text synced", max_length=64, blank=True)
    status = models.CharField(max_length=20, choices=Status, default=Status.IN_PROGRESS)
    error = models.TextField(blank=True, help_text="The problem that the API reported.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "vector store file"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["transcript", "store_id"], name="transcripts_store_file_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["file_id"]),
            models.Index(fields=["store_id", "described_for"]),
        ]

    def __str__(self) -> str:
        return f"{self.file_id or '-'} ({self.get_status_display()})"


def stamp(offset: int | None) -> str:
    """Return `offset` seconds as `mm:ss`, from an hour on as `h:mm:ss`; empty for None."""
    if offset is None:
        return ""
    hours, rest = divmod(offset, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60:02}:{rest % 60:02}"
