"""What a data set's model declares, as plain data that everything else reads; and the existing data sets.

Django's own words say most of it: the docstring is the description, `help_text` the meaning of a column,
`Meta.ordering` the order of answers, `Meta.verbose_name_plural` the title. What Django has no word for is in
a class `Dataset` inside the model (see `Options`).
"""

import datetime
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from typing import Any, Protocol, cast

from django.apps import apps
from django.db.models import Case, CharField, Expression, F, Value, When
from django.db.models.functions import Cast, Concat
from django.utils.text import capfirst

from mcpsite.access.policies import GroupPolicy
from mcpsite.core.texts import clean
from mcpsite.datasets import records
from mcpsite.datasets.columns import Column, DateOrder, DecimalMark
from mcpsite.datasets.columns import Kind as CellKind
from mcpsite.datasets.dates import iso_day
from mcpsite.datasets.formats.objects import Layout
from mcpsite.datasets.headings import Headings
from mcpsite.datasets.kinds import LONGEST_IN_ORDER, NO_DAY, Category, Day, Kind, Number, Prose, Text
from mcpsite.datasets.models import Row, SourceFile, SourceFileQuerySet
from mcpsite.datasets.units import CURRENCIES


class Texts(Protocol):
    """Returns the numbers of texts (`mcpsite.datasets.texts.Texts`)."""

    def numbers(self, texts: Sequence[str]) -> list[int | None]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What a class `Dataset` inside the model may set."""

    name: str = ""
    """Name in tools and `load_data`; by default the app's label."""
    identity: tuple[str, ...] = ()
    """The columns that identify a row over all loads of its file; by default its categories and days."""
    label: tuple[str, ...] = ()
    """The columns that name a row for a person; by default the first of its order."""
    filters: tuple[str, ...] = ()
    """The numbers that tools can filter by range; by default the first six."""
    metrics: tuple[str, ...] = ()
    """The default figures of a summary; by default the means of the first four numbers."""
    examples: tuple[str, ...] = ()
    """Questions that the data answer, in plain words."""
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What is read of a file only for `Row.derive`: names, and their names in files."""
    dates: DateOrder | None = None
    """Whether the day or the month comes first, in files whose dates leave it open."""
    decimal: DecimalMark | None = None
    """The decimal mark, in files in which it could be a thousands separator."""
    icon: str = "table_rows"
    """Icon in the admin's side bar: a name of Material Symbols."""
    command: str = ""
    """The command that loads its files, unless it is `load_data`."""
    layout: Layout | None = None
    """A special shape of JSON."""
    tools: bool = True
    """Whether tools are made from the declaration; otherwise the app brings its own."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DataSet:
    """A data set: its model, and what that declares."""

    model: type[Row]
    options: Options
    columns: Mapping[str, Kind]
    """By name, in the order of the model."""
    unknown_options: tuple[str, ...] = ()
    """Other names in its class `Dataset`, which a check reports."""

    # Names

    @cached_property
    def label(self) -> str:
        """Its name in the tables that data sets share."""
        return self.model._meta.label_lower

    @cached_property
    def sql(self) -> str:
        """Its table's name in SQL."""
        return f'"{self.model._meta.db_table}"'

    def column(self, name: str) -> str:
        """Return a column of its table, as named in SQL."""
        return f'"{cast(Any, self.model._meta.get_field(name)).column}"'

    @cached_property
    def name(self) -> str:
        """Its name in tools and commands."""
        return self.options.name or self.model._meta.app_label

    @property
    def words(self) -> str:
        """Its name in plain words, as part of a sentence."""
        return self.name.replace("_", " ")

    @property
    def title(self) -> str:
        return capfirst(str(self.model._meta.verbose_name_plural))

    @property
    def description(self) -> str:
        """The model's docstring, as one paragraph."""
        documented = inspect.getdoc(self.model) or ""
        if documented.startswith(f"{self.model.__name__}("):
            documented = ""  # Django's own, which names every field.
        return " ".join((documented or f"{self.title}.").split())

    def attribute(self, name: str) -> str:
        """Return the attribute of a row with what its table has: of prose, the text's number."""
        return str(cast(Any, self.model._meta.get_field(name)).attname)

    # Who may read it

    @cached_property
    def permission(self) -> str:
        options = self.model._meta
        return f"{options.app_label}.view_{options.model_name}"

    def may(self, action: str) -> str:
        """Return the permission of this name (`add`, `change`, `delete`, `view`) for its rows."""
        options = self.model._meta
        return f"{options.app_label}.{action}_{options.model_name}"

    @cached_property
    def policy(self) -> GroupPolicy:
        """Who may read which files' rows."""
        return GroupPolicy(permission=self.permission)

    @property
    def files(self) -> SourceFileQuerySet:
        """The files it was loaded from."""
        return SourceFile.objects.filter(data_set=self.label)

    # Its columns

    @cached_property
    def categories(self) -> tuple[str, ...]:
        return self._of(Category)

    @cached_property
    def filtered(self) -> tuple[str, ...]:
        """The categories that the file itself gives."""
        return tuple(name for name in self.categories if name not in self.derived)

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        return self._of(Number)

    @cached_property
    def proses(self) -> tuple[str, ...]:
        return self._of(Prose)

    @cached_property
    def days(self) -> tuple[str, ...]:
        return self._of(Day)

    @cached_property
    def day(self) -> str:
        """The column of days by which rows are sorted; empty if there is none."""
        return self.days[0] if self.days else ""

    @cached_property
    def stored(self) -> tuple[str, ...]:
        """The columns stored in the row itself: all but prose."""
        return tuple(name for name in self.columns if name not in self.proses)

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """The columns of answers."""
        return tuple(name for name, column in self.columns.items() if column.shown)

    @cached_property
    def shown_days(self) -> tuple[str, ...]:
        return tuple(name for name in self.days if self.columns[name].shown)

    @cached_property
    def editable(self) -> tuple[str, ...]:
        """The columns that a curator may change."""
        return tuple(name for name, column in self.columns.items() if column.editable)

    @cached_property
    def derived(self) -> tuple[str, ...]:
        """The columns that are derived from others."""
        return tuple(name for name, column in self.columns.items() if column.derived)

    @cached_property
    def given(self) -> dict[str, str]:
        """By the name of a text, the day that it states (`Day.given`)."""
        return {day.given: name for name in self.days if (day := cast(Day, self.columns[name])).given}

    @cached_property
    def ordering(self) -> tuple[str, ...]:
        """The order of an answer's rows, in Django's notation."""
        return tuple(map(str, self.model._meta.ordering or ()))

    @cached_property
    def identity(self) -> tuple[str, ...]:
        """The columns that identify a row over all loads of its file."""
        usual = (name for name in (*self.days, *self.categories) if name not in self.derived)
        return self.options.identity or tuple(usual) or tuple(self._of(Text))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The columns that name a row for a person."""
        usual = tuple(each.removeprefix("-") for each in self.ordering)
        return self.options.label or usual[:4]

    def _of(self, kind: type[Any]) -> tuple[str, ...]:
        return tuple(name for name, column in self.columns.items() if isinstance(column, kind))

    def words_of(self, name: str) -> str:
        """Return what sentences call a column, or what else a table has."""
        column = self.columns.get(name)
        return str(column.verbose_name) if column else name.replace("_", " ")

    # How files are read

    @cached_property
    def read(self) -> tuple[Column, ...]:
        """What is read of a file, in the order in which headings are matched."""
        return (
            *(
                _column(name, column)
                for name, column in self.columns.items()
                if not column.derived and name not in self.given
            ),
            *(
                Column(name=name, names=names, kind="category", longest=LONGEST_IN_ORDER)
                for name, names in self.options.reads.items()
            ),
            # Last, because a declared column with one of its names comes first.
            *([_CURRENCY] if any(_is_money(column) for column in self.columns.values()) else []),
        )

    @cached_property
    def headings(self) -> Headings:
        return Headings(self.read)

    def expected(self, name: str) -> str:
        """Return what a cell of a column has to contain: a day, a text, or a number from … to …"""
        name = self.given.get(name, name)
        return _column(name, self.columns[name]).expected

    def too_long(self, name: str, text: str) -> str:
        """Return what is wrong with a text that is too long for an index; empty for any other."""
        column = self.columns.get(name)
        return records.too_long(_column(name, column), text) if isinstance(column, Category | Text) else ""

    # Values in edits and the history: texts, numbers, days as YYYY-MM-DD

    def value_of(self, row: Row, name: str) -> Any:
        """Return the value of `row` in a column; empty for a missing day or prose."""
        value = getattr(row, name)
        if name in self.proses:
            return value.text if value else ""
        if isinstance(value, datetime.date):
            return "" if value == NO_DAY else value.isoformat()
        return value

    def as_stored(self, name: str, value: Any) -> Any:
        """Return a value as a row may have it: a text cleaned, no number out of bounds, no bad day."""
        if name == "hidden":
            return value
        column = self.columns[name]
        if isinstance(column, Number):
            return column.within(value)
        if isinstance(column, Day):
            day = value if isinstance(value, datetime.date) else iso_day(str(value or ""))
            return day.isoformat() if day and day != NO_DAY else ""
        text = clean(str(value or "")).strip()
        if isinstance(column, Category):
            text = " ".join(text.split())
            return column.spelling(text) if column.spelling else text
        return text

    def assign(self, row: Row, name: str, value: Any, texts: Texts) -> None:
        """Set a column of `row`."""
        if name in self.proses:
            setattr(row, f"{name}_id", texts.numbers([value])[0])
        elif name in self.days:
            setattr(row, name, iso_day(value) or NO_DAY)
        else:
            setattr(row, name, value)

    def follow(self, row: Row) -> None:
        """Update the columns of `row` that are derived from others."""
        for text, day in self.given.items():
            setattr(row, day, iso_day(getattr(row, text)) or NO_DAY)
        if self.derived:
            values = {name: [self.value_of(row, name)] for name in self.stored}
            self.model.derive(values, clean(row.load.name))
            for name in self.derived:
                setattr(row, name, values[name][0])

    def combination_of(self, row: Row) -> tuple[str, ...]:
        """Return the values of all categories."""
        return tuple(getattr(row, name) for name in self.categories)

    # Rows in words

    def label_of(self, row: Row) -> str:
        """Return the name of a row for a person."""
        return " ".join(filter(None, (str(self.value_of(row, name) or "") for name in self.labels)))

    @cached_property
    def label_expression(self) -> Expression:
        """The same for many rows, computed by the database."""
        parts: list[Any] = []
        for name in self.labels:
            text: Any = Cast(F(self.path(name)), CharField())
            if name in self.days:
                text = Case(When(**{name: NO_DAY}, then=Value("")), default=text)
            parts += [Value(" "), text]
        return Concat(Value(""), *parts[1:])

    def path(self, name: str) -> str:
        """Return the path to a column's value from a row."""
        return f"{name}__text" if name in self.proses else name


def _is_money(column: Kind) -> bool:
    return isinstance(column, Number) and column.unit in CURRENCIES


_CURRENCY = Column(
    name="currency",
    names=("currency", "currency_code", "ccy", "curr", "waehrung", "währung"),
    kind="currency",
)


def _column(name: str, column: Kind) -> Column:
    """Return what a cell of a column has to contain, and its names in files."""
    names = column.also if name in column.also else (name, *column.also)
    make = partial(Column, name=name, names=names)
    kinds: tuple[tuple[type, CellKind], ...] = (
        (Day, "day"),
        (Category, "category"),
        (Prose, "prose"),
        (Text, "text"),
    )
    if isinstance(column, Number):
        return make(kind="number", unit=column.unit, least=column.least, most=column.most)
    if isinstance(column, Day) and column.given:
        names = tuple(dict.fromkeys((column.given, *column.also)))
        return Column(name=column.given, names=names, kind="day")
    kind = next(said for each, said in kinds if isinstance(column, each))
    return make(kind=kind, longest=getattr(column, "longest", None))


# Existing data sets


_declared: dict[type[Row], DataSet] = {}


def data_set_of(model: type[Row]) -> DataSet:
    """Return what `model` declares."""
    if model not in _declared:
        _declared[model] = _read(model)
    return _declared[model]


def _read(model: type[Row]) -> DataSet:
    columns = {each.name: each for each in model._meta.concrete_fields if isinstance(each, Kind)}
    known = {each.name for each in fields(Options)}
    said = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in vars(getattr(model, "Dataset", object)).items()
        if not name.startswith("__")
    }
    options: dict[str, Any] = {name: value for name, value in said.items() if name in known}
    return DataSet(
        model=model,
        options=Options(**options),
        columns=columns,
        unknown_options=tuple(name for name in said if name not in known),
    )


def data_sets() -> tuple[DataSet, ...]:
    """Return every data set of the installed apps, in their order."""
    return tuple(data_set_of(model) for model in apps.get_models() if issubclass(model, Row))


def data_set_named(name: str) -> DataSet | None:
    """Return the data set with this name in tools and commands, or in tables."""
    return next((each for each in data_sets() if name in (each.name, each.label)), None)
