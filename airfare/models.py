"""What is stored: files, the rows they hold, and what a curator changed in them.

The rows are kept lean, for a file may hold a million of them: free text is stored once for each
distinct text, counts are kept beside the rows instead of being counted, and a row that no curator
touched carries nothing for curation but two booleans.
"""

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Exists, OuterRef, Q

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
        counts = CombinationCount.objects.filter(source_file=OuterRef("pk"))
        return self.filter(~Q(digest="") | Exists(counts))

    def loaded_from(self, folders: Iterable[Path]) -> "SourceFileQuerySet":
        """Files of `folders` whose rows are here; those that were pruned or removed are not."""
        return self.filter(folder__in=[str(folder) for folder in folders]).exclude(digest="")


class SourceFile(models.Model):
    """A file that was loaded, and where its rows come from."""

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        TSV = "tsv", "TSV"
        JSON = "json", "JSON"

    class State(models.TextChoices):
        LOADED = "loaded", "loaded"
        GONE = "gone", "gone from its folder"
        REMOVED = "removed", "removed"
        """Deleted by somebody: its groups are kept, and a load that does not name it leaves it out."""

    name = models.CharField(unique=True, help_text="Path below the folder that was loaded.")
    folder = models.CharField(help_text="The folder that was loaded.")
    digest = models.CharField("SHA-256", max_length=64)
    """Empty once its rows were deleted, so that they are loaded again should the file come back as it was."""
    format = models.CharField(max_length=4, choices=Format)
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

    objects = SourceFileQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = "source file"

    def __str__(self) -> str:
        return self.name


keep_limiting_groups(SourceFile)


class NotableText(models.Model):
    """A distinct text of `notable_event`. Rows point at it, so an index on free text holds it once.

    Made by `airfare.notables` alone, which gives the ids.
    """

    digest = models.BigIntegerField(db_index=True, help_text="The first 64 bits of the text's BLAKE2 digest.")
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


class FareRow(models.Model):
    """One row of a file: a fare on a route, or a week of searches.

    An empty text and a NULL number mean that the file says nothing; 0 is a value.
    """

    source_file = models.ForeignKey(SourceFile, models.CASCADE, related_name="fare_rows")
    combination = models.ForeignKey(
        Combination, models.DO_NOTHING, editable=False, db_constraint=False, db_index=False, related_name="+"
    )
    """That of the row's route, airline and season; without a constraint, for it is checked for each row."""
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
        NotableText, models.PROTECT, null=True, blank=True, db_index=False, related_name="fare_rows"
    )
    hidden = models.BooleanField(default=False, help_text="A hidden row is in no answer.")
    vanished = models.BooleanField(
        default=False,
        editable=False,
        help_text="A curator changed this row, and its file no longer holds it.",
    )

    class Meta:
        verbose_name = "fare row"
        # The first two serve the two plans of `airfare.queries`; hidden rows, not in them, cost nothing.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["snapshot_day", "subject", "airline"],
                condition=Q(hidden=False),
                name="airfare_by_day",
            ),
            models.Index(
                fields=["combination", "snapshot_day"],
                condition=Q(hidden=False),
                name="airfare_by_combination",
            ),
            models.Index(fields=["notable", "hidden"], name="airfare_by_notable"),
            # Few rows are in these two: they find what a curator did.
            models.Index(fields=["source_file"], condition=Q(hidden=True), name="airfare_hidden"),
            models.Index(fields=["source_file"], condition=Q(vanished=True), name="airfare_vanished"),
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


class Edit(models.Model):
    """What a curator changed in a row; the row itself holds the new values."""

    row = models.OneToOneField(FareRow, models.CASCADE, related_name="edit")
    original = models.JSONField(help_text="The file's value of each edited field.")
    edited_at = models.DateTimeField(auto_now=True)
    edited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    def __str__(self) -> str:
        return ", ".join(sorted(self.original))


class CombinationCount(models.Model):
    """How many published rows of a file have a combination, and between which days they are.

    Changed in the transaction that changes the rows (see `airfare.combinations`), so that no call counts a
    million rows to find out which routes there are. The number is exact; curators only widen the days.
    """

    source_file = models.ForeignKey(SourceFile, models.CASCADE, related_name="counts", db_index=False)
    combination = models.ForeignKey(
        Combination, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    rows = models.IntegerField()
    first_day = models.DateField()
    last_day = models.DateField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["source_file", "combination"], name="airfare_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.combination}: {self.rows}"


class DataVersion(models.Model):
    """One row: a random number that changes in every transaction that changes what answers hold."""

    token = models.BigIntegerField()
    combinations = models.BigIntegerField(default=0)
    """The same for the combinations there are, which most changes leave as they are."""

    def __str__(self) -> str:
        return str(self.token)
