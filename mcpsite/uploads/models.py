"""What somebody uploaded, and what became of it."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from mcpsite.uploads.loaders import Loader, loader_of
from mcpsite.uploads.summaries import Summary


def new_folder() -> str:
    return uuid.uuid4().hex


class Upload(models.Model):
    """Files of one kind that are loaded together, in the background."""

    class State(models.TextChoices):
        QUEUED = "queued", "waiting"
        RUNNING = "running", "being loaded"
        DONE = "done", "loaded"
        FAILED = "failed", "failed"

    kind = models.CharField(max_length=50)
    files = models.JSONField(help_text="The names of the files.")
    size = models.PositiveBigIntegerField(help_text="Size of all files in bytes.")
    options = models.JSONField(default=dict, blank=True)
    check_only = models.BooleanField(default=False, help_text="The files are read, but nothing is saved.")
    folder = models.CharField(
        max_length=32, unique=True, default=new_folder, help_text="The folder of the files."
    )
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name="user"
    )
    username = models.CharField("uploaded by", max_length=150)
    created_at = models.DateTimeField("uploaded at", auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    worker = models.CharField(max_length=100, blank=True, help_text="The process that is loading it.")
    attempts = models.PositiveSmallIntegerField(default=0)
    heard_at = models.DateTimeField(null=True, help_text="When the loading process last reported progress.")
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    summaries = models.JSONField(default=list, blank=True)
    error = models.TextField(blank=True, help_text="Why it failed, in one sentence.")

    class Meta:
        ordering = ["-id"]
        # Who may upload and see uploads follows from what the loaders load.
        default_permissions = ()
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["state"],
                condition=models.Q(state__in=["queued", "running"]),
                name="uploads_unfinished",
            )
        ]

    def __str__(self) -> str:
        first, *others = self.files
        return f"{first} and {len(others)} more" if others else str(first)

    @property
    def loader(self) -> Loader | None:
        """None if the app that loads this kind is no longer installed."""
        return loader_of(self.kind)

    @property
    def finished(self) -> bool:
        return self.state in (self.State.DONE, self.State.FAILED)

    def read_summaries(self) -> list[Summary]:
        return [Summary.from_json(each) for each in self.summaries]


class StoredFile(models.Model):
    """A private file whose content is in the database (`mcpsite.uploads.database_storage`)."""

    name = models.CharField(max_length=300, unique=True, help_text="The folder and the name in it.")
    size = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class StoredPart(models.Model):
    """A part of such a file."""

    file = models.ForeignKey(StoredFile, models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["file", "number"], name="one_part_of_a_number")]

    def __str__(self) -> str:
        return f"{self.file}, part {self.number}"
