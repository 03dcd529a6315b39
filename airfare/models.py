"""What is stored: files, their loads, the rows of each load, and what curators want of rows.

Rows belong to a load, and a file points at the load that answers speak of: the others are being written,
or were replaced. The rows are kept lean, for a file may hold a million of them: free text is stored once
for each distinct text, counts are kept beside the rows instead of being counted, and no row has a foreign
key that the database checks; what such keys would guard, `airfare.checking` verifies.
"""

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Exists, OuterRef, Q

from airfare.expressions import Among, CurrentLoads
from mcpsite.access.policies import GroupPolicy, Principal, keep_limiting_groups

FILES = GroupPolicy(permission="airfare.view_farerow")

NO_DAY = datetime.date.min
"""`FareRow.snapshot_day` of a row whose date is missing or impossible; it sorts behind every real day.

A value instead of NULL, because the databases do not agree on where NULL sorts.
"""


class SourceFileQuerySet(models.QuerySet["SourceFile"]):
    def visible_to(self, principal: Principal) -> "SourceFileQuerySet":
        """Return the files whose rows `principal` may read."""
        return FILES.visible_to(principal, self)

    def published(self) -> "SourceFileQuerySet":
        """Files that answers speak of: those whose rows are here, even if only curated ones are left."""
        counts = CombinationCount.objects.filter(load=OuterRef("current"), rows__gt=0)
        return self.filter(Q(current__isnull=False) & (~Q(digest="") | Exists(counts)))

    def loaded_from(self, folders: Iterable[Path]) -> "SourceFileQuerySet":
        """Files of `folders` whose rows are here; those that were pruned or removed are not."""
        return self.filter(folder__in=[str(folder) for folder in folders]).exclude(digest="")


class SourceFile(models.Model):
    """A file that was loaded, and where its rows come from: what is said of it is so for its current load."""

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        TSV = "tsv", "TSV"
        JSON = "json", "JSON"
        JSONL = "jsonl", "JSON Lines"
        XLSX = "xlsx", "Excel"

    class State(models.TextChoices):
        LOADING = "loading", "being loaded"
        """For the first time: nothing of it is in an answer yet."""
        LOADED = "loaded", "loaded"
        GONE = "gone", "gone from its folder"
        REMOVED = "removed", "removed"
        """Deleted by somebody: its groups are kept, and a load that does not name it leaves it out."""

    name = models.CharField(unique=True, help_text="Path below the folder that was loaded.")
    folder = models.CharField(help_text="The folder that was loaded.")
    digest = models.CharField("SHA-256", max_length=64)
    """Empty once its rows were deleted, so that they are loaded again should the file come back as it was."""
    format = models.CharField(max_length=5, choices=Format)
    rows = models.PositiveIntegerField(default=0, help_text="Rows that the file held when it was loaded.")
    unreadable = models.PositiveIntegerField(
        "unreadable values", default=0, help_text="Cells that should hold a day or a number and do not."
    )
    loaded_at = models.DateTimeField()
    loaded_by = models.CharField(max_length=150)
    state = models.CharField(max_length=7, choices=State, default=State.LOADED)
    groups = models.ManyToManyField(
        Group, blank=True, help_text="Who may read its rows. With none, everybody who may read fares."
    )
    current = models.OneToOneField(
        "Load", models.SET_NULL, null=True, editable=False, related_name="current_of"
    )
    """The load whose rows are in the answers; None where there are none."""
    serial = models.PositiveBigIntegerField(default=0, editable=False)
    """How often curators changed rows of the file: each of their edits remembers which time it was."""
    undone_digest = models.CharField(max_length=64, blank=True, editable=False)
    """Of the load that somebody undid last: as long as the file is that one, loads leave it out."""

    objects = SourceFileQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = "source file"

    def __str__(self) -> str:
        return self.name


keep_limiting_groups(SourceFile)


class Load(models.Model):
    """One reading of a file. Made, switched to and given up by `airfare.loads` alone.

    Its rows are found by their ids, which are from `first_id` to `last_id`; rows of other loads may be there
    too.
    """

    class State(models.TextChoices):
        WRITING = "writing", "being written"
        CURRENT = "current", "current"
        REPLACED = "replaced", "replaced"
        """By a later load, or undone: it is kept for a while, and can be made current again."""
        ABANDONED = "abandoned", "abandoned"

    file = models.ForeignKey(SourceFile, models.SET_NULL, null=True, related_name="loads")
    """None once the file is deleted: the rows go after it, in pieces."""
    name = models.CharField(help_text="The file's name.")
    """Beside the rows, which are in the order of their files' names where they are equal."""
    state = models.CharField(max_length=9, choices=State, default=State.WRITING, db_index=True)
    folder = models.CharField()
    digest = models.CharField("SHA-256", max_length=64)
    rows = models.PositiveIntegerField(default=0, help_text="Rows that the file held.")
    unreadable = models.PositiveIntegerField(default=0)
    loaded_by = models.CharField(max_length=150)
    first_id = models.BigIntegerField(default=0)
    last_id = models.BigIntegerField(default=0)
    serial = models.PositiveBigIntegerField(help_text="Edits up to this serial of the file are in the rows.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()
    """When it was last written to or, where it was replaced, last in an answer."""

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["file"], condition=Q(state="writing"), name="airfare_one_writes")
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.started_at:%Y-%m-%d %H:%M}"

    def extend(self, first: int, last: int) -> None:
        """Remember that the rows with the ids `first` to `last`, which are higher than before, are here."""
        self.first_id, self.last_id = self.first_id or first, last
        Load.objects.filter(pk=self.pk).update(first_id=self.first_id, last_id=last)


class NotableText(models.Model):
    """A distinct text of `notable_event`. Rows point at it, so an index on free text holds it once.

    Made by `airfare.notables` alone, and never changed.
    """

    digest = models.UUIDField(unique=True, help_text="The text's BLAKE2 digest.")
    text = models.TextField()
    folded = models.TextField(help_text="The text casefolded: what is searched.")

    class Meta:
        verbose_name = "notable text"

    def __str__(self) -> str:
        return self.text


class Combination(models.Model):
    """A route, an airline and a season that some row has, in whatever file.

    They are few where rows are many. Rows name theirs, so that what a question means for routes, airlines
    and seasons is one set of numbers. Made by `airfare.combinations` alone, and never changed.
    """

    route = models.CharField()
    origin_airport = models.CharField()
    destination_airport = models.CharField()
    airline = models.CharField()
    season = models.CharField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # The airports follow from the route.
            models.UniqueConstraint(fields=["route", "airline", "season"], name="airfare_combination_once")
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, (self.route, self.airline, self.season)))


class CurrentRows(models.Manager["FareRow"]):
    """The rows of the loads that files point at."""

    def get_queryset(self) -> models.QuerySet["FareRow"]:
        return super().get_queryset().filter(Among("load_id", CurrentLoads()))


class FareRow(models.Model):
    """One row of a load: a fare on a route, or a week of searches.

    An empty text and a NULL number mean that the file says nothing; 0 is a value.
    """

    load = models.ForeignKey(
        Load, models.DO_NOTHING, editable=False, db_constraint=False, db_index=False, related_name="+"
    )
    combination = models.ForeignKey(
        Combination, models.DO_NOTHING, editable=False, db_constraint=False, db_index=False, related_name="+"
    )
    """That of the row's route, airline and season."""
    key = models.BigIntegerField(editable=False)
    """Which row of which file it is, over all loads of the file (see `airfare.keys`)."""
    position = models.PositiveIntegerField(help_text="The row's place in its file, from 1.")
    snapshot_date = models.CharField(blank=True, help_text="As the file gives it.")
    snapshot_day = models.DateField(default=NO_DAY, editable=False)
    subject = models.CharField(editable=False)
    """The route, or the query where there is no route: the second key of an answer's order."""
    route = models.CharField(blank=True, help_text="For example JFK-LAX.")
    origin_airport = models.CharField(blank=True, editable=False)
    destination_airport = models.CharField(blank=True, editable=False)
    airline = models.CharField(blank=True)
    season = models.CharField(blank=True)
    query = models.CharField(blank=True, help_text="Empty: route, airline and season stand for it.")
    region = models.CharField(blank=True)
    provider = models.CharField(blank=True)
    collection_window = models.CharField(blank=True)
    query_count = models.CharField(blank=True)
    week_id = models.CharField(blank=True)
    linked_tickers = models.CharField(blank=True)
    search_index = models.FloatField(null=True, blank=True)
    branding_mix = models.FloatField(null=True, blank=True)
    avg_fare_usd = models.FloatField("average fare (USD)", null=True, blank=True)
    premium_fare_usd = models.FloatField("premium fare (USD)", null=True, blank=True)
    fare_yoy_pct = models.FloatField("fare against last year (%)", null=True, blank=True)
    advance_purchase_days = models.FloatField("advance purchase (days)", null=True, blank=True)
    load_factor_pct = models.FloatField("load factor (%)", null=True, blank=True)
    ancillary_revenue_pct = models.FloatField("ancillary revenue (%)", null=True, blank=True)
    notable = models.ForeignKey(
        NotableText,
        models.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    hidden = models.BooleanField(default=False, help_text="A hidden row is in no answer.")
    vanished = models.BooleanField(
        default=False,
        editable=False,
        help_text="A curator changed this row, and its file no longer holds it.",
    )
    file_values = models.JSONField(null=True, editable=False)
    """What the file says of the fields that a curator changed; NULL where there are none."""

    objects = CurrentRows()
    all_loads: ClassVar[models.Manager["FareRow"]] = models.Manager()

    class Meta:
        verbose_name = "fare row"
        # The first two serve the two plans of `airfare.queries`; hidden rows, not in them, cost nothing, and
        # rows of other loads next to nothing, for the index tells them. The first has the order of an answer
        # and what rows are filtered by, so that no rows are read but a page's. Rows with a text are counted
        # in the second and the third alone.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=[
                    *("-snapshot_day", "-subject", "-airline", "load", "position", "id"),
                    *("combination", "notable"),
                ],
                condition=Q(hidden=False),
                name="airfare_by_day",
            ),
            models.Index(
                fields=["combination", "snapshot_day", "load", "notable"],
                condition=Q(hidden=False),
                name="airfare_by_combination",
            ),
            models.Index(
                fields=["notable", "hidden", "load", "snapshot_day", "combination"], name="airfare_by_notable"
            ),
            models.Index(fields=["key"], name="airfare_by_key"),
        ]

    def __str__(self) -> str:
        return " ".join(part for part in (self.snapshot_date, self.effective_query) if part)

    @property
    def effective_query(self) -> str:
        """The query, or what stands for it."""
        return self.query or " ".join(part for part in (self.route, self.airline, self.season) if part)

    @property
    def notable_event(self) -> str:
        """The text that `notable` points at."""
        return self.notable.text if self.notable else ""


class EditQuerySet(models.QuerySet["Edit"]):
    def edited(self) -> "EditQuerySet":
        """Return those that give fields other values than the file does."""
        return self.exclude(values={})


class Edit(models.Model):
    """What curators want of a row, by the row's key: each load of the file is given it.

    Where nothing is wanted any more the edit stays as long as there is a load that may not know it yet, and
    as long as the row has vanished from its file.
    """

    file = models.ForeignKey(SourceFile, models.CASCADE, db_index=False, related_name="edits")
    key = models.BigIntegerField()
    values = models.JSONField(default=dict, help_text="The value of each edited field.")
    hidden = models.BooleanField(default=False)
    deleted = models.BooleanField(default=False)
    """Whether the row, having vanished from its file, was deleted."""
    met = models.JSONField(default=dict, help_text="Fields of which the file came to say the same.")
    met_in = models.ForeignKey(Load, models.SET_NULL, null=True, db_index=False, related_name="+")
    """The load that did: with it undone, they are edited again."""
    serial = models.PositiveBigIntegerField()
    edited_at = models.DateTimeField(auto_now=True)
    edited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    objects = EditQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["key", "file"], name="airfare_edit_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["file", "serial"], name="airfare_edit_by_serial")
        ]

    def __str__(self) -> str:
        return ", ".join(sorted(self.values))


class CombinationCount(models.Model):
    """How many published rows of a load have a combination, and between which days they are.

    Changed in the transaction that changes the rows (see `airfare.combinations`), so that no call counts a
    million rows to find out which routes there are. The number is exact, and 0 where all rows are hidden;
    curators only widen the days.
    """

    load = models.ForeignKey(
        Load, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="counts"
    )
    combination = models.ForeignKey(
        Combination, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    rows = models.IntegerField()
    first_day = models.DateField()
    last_day = models.DateField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["load", "combination"], name="airfare_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.combination}: {self.rows}"


class DataVersion(models.Model):
    """Random numbers that change with what answers hold (see `airfare.versions`).

    There are two rows: one for all of it, and one for the combinations there are.
    """

    rows = models.BigIntegerField()
    counts = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.rows)


class CountsChange(models.Model):
    """Which combinations have other counts than in the version before; the latest changes alone are kept."""

    before = models.BigIntegerField()
    after = models.BigIntegerField()
    combinations = models.JSONField()

    def __str__(self) -> str:
        return f"{self.before} to {self.after}"
