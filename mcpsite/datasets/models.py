"""What is stored of data sets: files, their loads, the rows of each load, and what curators want of rows.

A data set is a model that is a `Row`; all other tables are shared, and `data_set` in them is that model's
label (`airfare.farerow`). Rows belong to a load, and a file points at the load that answers use: the others
are being written, or were replaced. Rows are lean, because a file may have a million of them: prose is stored
once for each distinct text, counts are stored beside the rows instead of being counted, and no row has a
foreign key that the database checks; `mcpsite.datasets.checking` verifies what such keys would guard.

Promised over versions are `Row` and the kinds of columns: `Category`, `Day`, `Number`, `Prose`, `Text`.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.backends.utils import names_digest
from django.db.models import Exists, OuterRef, Q
from django.db.models.base import ModelBase
from django.db.models.sql import Query

from mcpsite.access.policies import keep_limiting_groups
from mcpsite.datasets.expressions import Among, CurrentLoads
from mcpsite.datasets.kinds import NO_DAY, Category, Day, Number, Prose, Text

__all__ = ["NO_DAY", "Category", "Day", "Number", "Prose", "Row", "Text"]

AnyRow = TypeVar("AnyRow", bound="Row")


class DataVersion(models.Model):
    """Random numbers that change with what answers hold (see `mcpsite.datasets.versions`).

    Each data set has two rows: one for all of it, and one for the combinations there are.
    """

    class What(models.TextChoices):
        ROWS = "rows", "rows"
        COMBINATIONS = "combinations", "combinations"

    data_set = models.CharField()
    what = models.CharField(max_length=12, choices=What)
    rows = models.BigIntegerField()
    counts = models.BigIntegerField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["data_set", "what"], name="datasets_version_once")
        ]

    def __str__(self) -> str:
        return str(self.rows)


class CountsChange(models.Model):
    """Which combinations have other counts than in the previous version; only the latest changes are kept."""

    data_set = models.CharField(db_index=True)
    before = models.BigIntegerField()
    after = models.BigIntegerField()
    combinations = models.JSONField()

    def __str__(self) -> str:
        return f"{self.before} to {self.after}"


class SourceFileQuerySet(models.QuerySet["SourceFile"]):
    def published(self) -> "SourceFileQuerySet":
        """Return files with rows in the answers, even if only curated ones are left."""
        counts = CombinationCount.objects.filter(load=OuterRef("current"), rows__gt=0)
        return self.filter(Q(current__isnull=False) & (~Q(digest="") | Exists(counts)))

    def loaded_from(self, folders: Iterable[Path]) -> "SourceFileQuerySet":
        """Return files of `folders` whose rows are here; those that were pruned or removed are not."""
        return self.filter(folder__in=[str(folder) for folder in folders]).exclude(digest="")


class SourceFile(models.Model):
    """A file that was loaded, and where its rows come from; its fields describe its current load."""

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        TSV = "tsv", "TSV"
        JSON = "json", "JSON"
        JSONL = "jsonl", "JSON Lines"
        XLSX = "xlsx", "Excel"

    class State(models.TextChoices):
        LOADING = "loading", "being loaded"
        """For the first time: none of its rows is in an answer yet."""
        LOADED = "loaded", "loaded"
        GONE = "gone", "missing from its folder"
        REMOVED = "removed", "removed"
        """Deleted by somebody: its groups are kept, and a load that does not name it skips it."""

    data_set = models.CharField(editable=False)
    name = models.CharField(help_text="Path within the folder that was loaded.")
    folder = models.CharField(help_text="The folder that was loaded.")
    digest = models.CharField("SHA-256", max_length=64)
    """Empty after its rows were deleted, because they have to be loaded if the file comes back unchanged."""
    format = models.CharField(max_length=5, choices=Format)
    rows = models.PositiveIntegerField(default=0, help_text="Number of rows in the file when it was loaded.")
    unreadable = models.PositiveIntegerField(
        "unreadable values", default=0, help_text="Cells that should contain a day or a number but do not."
    )
    loaded_at = models.DateTimeField()
    loaded_by = models.CharField(max_length=150)
    state = models.CharField(max_length=7, choices=State, default=State.LOADED)
    groups = models.ManyToManyField(
        Group,
        blank=True,
        help_text="Groups that may read its rows. Leave empty for everybody who may read its data set.",
    )
    current = models.OneToOneField(
        "Load", models.SET_NULL, null=True, editable=False, related_name="current_of"
    )
    """The load whose rows are in the answers; None if there are none."""
    serial = models.PositiveBigIntegerField(default=0, editable=False)
    """How often curators changed rows of the file: each of their edits stores this number."""
    undone_digest = models.CharField(max_length=64, blank=True, editable=False)
    """Of the load that somebody undid last: while the file is that one, loads skip it."""
    said = models.JSONField(default=dict, editable=False)
    """What a person stated because the file leaves it open (`columns.Said`), for its next load, too."""

    objects = SourceFileQuerySet.as_manager()

    class Meta:
        ordering = ["data_set", "name"]
        verbose_name = "source file"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["data_set", "name"], name="datasets_file_once")
        ]

    def __str__(self) -> str:
        return self.name


keep_limiting_groups(SourceFile)


class Load(models.Model):
    """One reading of a file. Made, switched to and given up only by `mcpsite.datasets.loads`.

    Its rows have ids from `first_id` to `last_id`; rows of other loads may be there too.
    """

    class State(models.TextChoices):
        WRITING = "writing", "being written"
        CURRENT = "current", "current"
        REPLACED = "replaced", "replaced"
        """By a later load, or undone: it is kept for a while, and can be made current again."""
        ABANDONED = "abandoned", "abandoned"

    data_set = models.CharField()
    file = models.ForeignKey(SourceFile, models.SET_NULL, null=True, related_name="loads")
    """None after the file is deleted: the rows are deleted later, in pieces."""
    name = models.CharField(help_text="The file's name.")
    """Stored beside the rows, because equal rows are sorted by their files' names."""
    state = models.CharField(max_length=9, choices=State, default=State.WRITING, db_index=True)
    folder = models.CharField()
    digest = models.CharField("SHA-256", max_length=64)
    rows = models.PositiveIntegerField(default=0, help_text="Number of rows in the file.")
    unreadable = models.PositiveIntegerField(default=0)
    findings = models.JSONField(default=list, help_text="Problems found in the file.")
    loaded_by = models.CharField(max_length=150)
    first_id = models.BigIntegerField(default=0)
    last_id = models.BigIntegerField(default=0)
    serial = models.PositiveBigIntegerField(help_text="Edits up to this serial of the file are in the rows.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()
    """When it was last written to or, if it was replaced, last in an answer."""

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["file"], condition=Q(state="writing"), name="datasets_one_writes")
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.started_at:%Y-%m-%d %H:%M}"

    def extend(self, first: int, last: int) -> None:
        """Record that the rows with the ids `first` to `last`, which are higher than before, are here."""
        self.first_id, self.last_id = self.first_id or first, last
        Load.objects.filter(pk=self.pk).update(first_id=self.first_id, last_id=last)


class ProseText(models.Model):
    """A distinct text of a data set. Rows point at it, so an index on prose holds it once.

    Made only by `mcpsite.datasets.texts`, and never changed.
    """

    data_set = models.CharField()
    digest = models.UUIDField(help_text="The BLAKE2 digest of the data set and the text.", unique=True)
    text = models.TextField()
    folded = models.TextField(help_text="The text casefolded: what is searched.")

    class Meta:
        verbose_name = "text"

    def __str__(self) -> str:
        return self.text


class Combination(models.Model):
    """The values of all categories that some row of a data set has, in any file.

    They are few even if rows are many. Rows point at theirs, so a question about categories means one set of
    numbers. Made only by `mcpsite.datasets.combinations`, and never changed.
    """

    data_set = models.CharField()
    digest = models.UUIDField(help_text="The BLAKE2 digest of the data set and the values.", unique=True)
    values = models.JSONField(help_text="By category, without empty ones.")

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["data_set"], name="datasets_combination_of")
        ]

    def __str__(self) -> str:
        return " ".join(map(str, self.values.values()))


class CombinationCount(models.Model):
    """How many published rows of a load have a combination, and between which days they are.

    Changed in the transaction that changes the rows (see `mcpsite.datasets.combinations`), so no call has to
    count a million rows to find out which values there are. The number is exact, and 0 if all rows are
    hidden; curators only widen the days.
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
            models.UniqueConstraint(fields=["load", "combination"], name="datasets_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.combination}: {self.rows}"


class EditQuerySet(models.QuerySet["Edit"]):
    def of(self, model: type["Row"]) -> "EditQuerySet":
        """Return the edits of rows of `model`."""
        return self.filter(file__data_set=model._meta.label_lower)

    def edited(self) -> "EditQuerySet":
        """Return the edits that set columns to other values than the file's."""
        return self.exclude(values={})


class Edit(models.Model):
    """A curator's wishes for a row, by the row's key: each load of the file gets them.

    If nothing is wanted any more, the edit stays while there is a load that may not know this yet, and while
    the row has vanished from its file.
    """

    file = models.ForeignKey(SourceFile, models.CASCADE, db_index=False, related_name="edits")
    key = models.BigIntegerField()
    values = models.JSONField(default=dict, help_text="The value of each edited column.")
    hidden = models.BooleanField(default=False)
    deleted = models.BooleanField(default=False)
    """Whether the row was deleted after it vanished from its file."""
    met = models.JSONField(default=dict, help_text="Columns whose edited values the file has taken over.")
    met_in = models.ForeignKey(Load, models.SET_NULL, null=True, related_name="+")
    """The load that did so: if it is undone, they are edited again."""
    serial = models.PositiveBigIntegerField()
    edited_at = models.DateTimeField(auto_now=True)
    edited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    objects = EditQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["key", "file"], name="datasets_edit_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["file", "serial"], name="datasets_edit_by_serial")
        ]

    def __str__(self) -> str:
        return ", ".join(sorted(self.values))


@cache
def _current_rows(model: type[models.Model]) -> Query:
    """Return the query of the rows of `model` in current loads, to be copied.

    A list that is edited in place asks for it once a row, and the condition takes long to build.
    """
    current = Among("load_id", CurrentLoads(model._meta.label_lower))
    return models.QuerySet(model).filter(current).order_by().query


class CurrentRows(models.Manager[AnyRow]):
    """The rows of the loads that files point at."""

    def get_queryset(self) -> models.QuerySet[AnyRow]:
        rows = super().get_queryset()
        rows.query = _current_rows(self.model).chain()
        return rows


class AllRows(models.Manager[AnyRow]):
    """The rows of all loads, in no order: the data set's order is for answers, which ask for it."""

    def get_queryset(self) -> models.QuerySet[AnyRow]:
        return super().get_queryset().order_by()


class _DataSet(ModelBase):
    """Gives a data set its indexes, because a data set without one would be slow without any message."""

    def __new__(cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any], **options: Any) -> Any:
        if any(isinstance(base, _DataSet) for base in bases):
            said = attrs.get("Meta") or next(base.Meta for base in bases if hasattr(base, "Meta"))
            if not getattr(said, "abstract", False):
                indexes = [*getattr(said, "indexes", ()), *_indexes(name, bases, attrs, said)]
                attrs["Meta"] = type("Meta", (said,), {"indexes": indexes})
        return super().__new__(cls, name, bases, attrs, **options)


def _indexes(name: str, bases: Sequence[type], attrs: dict[str, Any], meta: type) -> list[models.Index]:
    """Return the indexes of a data set.

    The first two are for the two plans of `mcpsite.datasets.queries`; hidden rows, not in them, cost nothing,
    and rows of other loads next to nothing, because the index tells them apart. The first has the order of an
    answer and the columns that filters use, so that only a page's rows are read. Rows with a text are counted
    in the second and the others alone.
    """
    inherited = {
        field.name: field for base in bases if hasattr(base, "_meta") for field in base._meta.local_fields
    }
    fields = {
        **inherited,
        **{each: field for each, field in attrs.items() if isinstance(field, models.Field)},
    }
    day = [each for each, field in fields.items() if isinstance(field, Day)][:1]
    prose = [each for each, field in fields.items() if isinstance(field, Prose)]
    ordering = list(getattr(meta, "ordering", ()))
    app = apps.get_containing_app_config(attrs["__module__"])
    label = f"{getattr(meta, 'app_label', None) or (app.label if app else '')}_{name.lower()}"

    def named(what: str) -> str:
        whole = f"{label}_{what}"
        return whole if len(whole) <= 30 else f"{label[:8]}_{names_digest(whole, length=6)}_{what}"[:30]

    published = Q(hidden=False)
    by_combination = ["combination", *day, "load", *prose[:1]]
    return [
        models.Index(
            fields=[*ordering, "load", "position", "id", "combination", *prose],
            condition=published,
            name=named("by_order"),
        ),
        models.Index(fields=by_combination, condition=published, name=named("by_combination")),
        *(
            models.Index(
                fields=[each, "hidden", "load", *day, "combination"],
                name=named("by_prose" + (f"_{place}" if place else "")),
            )
            for place, each in enumerate(prose)
        ),
        models.Index(fields=["key"], name=named("by_key")),
    ]


class Row(models.Model, metaclass=_DataSet):
    """One row of a load; each data set is a model that is one, and its columns are declared as fields.

    An empty text and a NULL number mean that the file has no value; 0 is a value.
    """

    load = models.ForeignKey(
        Load, models.DO_NOTHING, editable=False, db_constraint=False, db_index=False, related_name="+"
    )
    combination = models.ForeignKey(
        Combination, models.DO_NOTHING, editable=False, db_constraint=False, db_index=False, related_name="+"
    )
    """The combination of the row's categories."""
    key = models.BigIntegerField(editable=False)
    """Identifies the row in its file, over all loads of the file (see `mcpsite.datasets.keys`)."""
    position = models.PositiveIntegerField(help_text="The row's place in its file, from 1.", editable=False)
    hidden = models.BooleanField(default=False, help_text="Hidden rows appear in no answer.")
    vanished = models.BooleanField(
        default=False,
        editable=False,
        help_text="A curator changed this row, and its file no longer contains it.",
    )
    file_values = models.JSONField(null=True, editable=False)
    """The file's values of the columns that a curator changed; NULL if there are none."""

    objects: ClassVar[models.Manager[Any]] = CurrentRows()
    all_loads: ClassVar[models.Manager[Any]] = AllRows()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        from mcpsite.datasets.declaration import data_set_of

        return data_set_of(type(self)).label_of(self)

    @classmethod
    def derive(cls, values: dict[str, list[Any]], file: str) -> None:
        """Set columns of a batch of rows that are derived from others: new lists in `values`.

        `values` has a list for each column (days as YYYY-MM-DD, empty if there is none), and, while a file is
        read, for each name of `Dataset.reads`. `file` is the file's name. After a curator's edit it runs for
        one row without its prose, and only the columns declared as `derived` are used.
        """

    @classmethod
    def show(cls, row: dict[str, Any]) -> None:
        """Change a row, in place, to what answers show: its columns with a value, and its file."""
