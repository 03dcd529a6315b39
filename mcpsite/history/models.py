"""The record of every change: a row for the action, and one for each object that it touched.

A bulk action may touch 100,000 rows, so what is the same for all of them is stored once, and the row of an
object has only its id and its name.
"""

from typing import ClassVar

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.utils import timezone


class Change(models.Model):
    """An action on objects of one model. Written by `mcpsite.history.recording`, never changed.

    It stores the names as they were, and outlives the people and objects that it names.
    """

    class Action(models.TextChoices):
        """What was done. `RESTORE` gives back the values of a file, `REVERT` undoes a change."""

        ADD = "add"
        EDIT = "edit"
        DELETE = "delete"
        HIDE = "hide"
        PUBLISH = "publish"
        UNPUBLISH = "unpublish"
        IMPORT = "import"
        LOAD = "load"
        PRUNE = "prune"
        RESTORE = "restore"
        REVERT = "revert"

    time = models.DateTimeField(default=timezone.now, db_index=True)
    content_type = models.ForeignKey(ContentType, models.CASCADE, related_name="+", verbose_name="kind")
    action = models.CharField(max_length=40, choices=Action)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    username = models.CharField("who", max_length=150, blank=True)
    source = models.CharField(
        max_length=40, blank=True, help_text="A command or an import; empty for a person."
    )
    reason = models.CharField(max_length=500, blank=True)
    size = models.PositiveIntegerField("objects", default=0, help_text="How many objects were changed.")
    values = models.JSONField(
        null=True, help_text="Field → [before, after], if they are the same for all objects."
    )
    reverts = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        related_name="reverted_by",
        help_text="The change that this one reverted.",
    )

    class Meta:
        ordering = ["-time", "-pk"]
        # Who may see or revert a change follows from what they may do to its objects.
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.action} by {self.author} at {self.time:%Y-%m-%d %H:%M:%S}"

    @property
    def author(self) -> str:
        """The person, the command or both."""
        return " with ".join(each for each in (self.username, self.source) if each) or "unknown"


class ChangedObject(models.Model):
    """An object that a change touched."""

    change = models.ForeignKey(Change, models.CASCADE, related_name="changed")
    object_id = models.BigIntegerField()
    label = models.CharField(max_length=1000, help_text="What the object was called.")
    values = models.JSONField(
        null=True, help_text="Field → [before, after]; null if the change itself has them."
    )

    class Meta:
        default_permissions = ()
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["object_id", "change"], name="history_by_object")
        ]

    def __str__(self) -> str:
        return self.label
