"""The kinds of columns in a data set's declaration: fields of Django's that know how files write them.

In a migration each is the plain field of Django that it stands for, so that no migration needs this module,
and another unit, meaning or name makes none.
"""

import datetime
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.db import models

from mcpsite.datasets.columns import BEYOND

if TYPE_CHECKING:  # These classes take parameters only for the type checker.
    from mcpsite.datasets.models import ProseText

    TextBase = models.CharField[str, str]
    DayBase = models.DateField[datetime.date, datetime.date]
    NumberBase = models.FloatField[float | None, float | None]
    ProseBase = models.ForeignKey[ProseText | None, ProseText | None]
else:
    TextBase, DayBase, NumberBase, ProseBase = (
        models.CharField,
        models.DateField,
        models.FloatField,
        models.ForeignKey,
    )

NO_DAY = datetime.date.min
"""The day of a row whose date is missing or impossible; it sorts after every real day.

A value instead of NULL, because the databases sort NULL differently.
"""
LONGEST_CATEGORY = 200
LONGEST_IN_ORDER = 400
"""The most characters of a text in an index."""


class _Declared:
    """What every kind of column has beyond Django's fields."""

    also: tuple[str, ...] = ()
    """Other names of the column in files, beside its own."""
    derived: bool = False
    """Whether the column is derived from others (`Row.derive`), and not set by a file or curator."""
    shown: bool = True
    """Whether it is in answers."""

    def _declare(self, also: Sequence[str], *, derived: bool, shown: bool) -> None:
        self.also, self.derived, self.shown = tuple(also), derived, shown

    def _plain(self, deconstructed: Any, django_class: "type[models.Field[Any, Any]]") -> Any:
        """Return the result of `deconstruct` for the field of Django's that this one is."""
        name, _, args, kwargs = deconstructed
        return name, f"django.db.models.{django_class.__name__}", args, kwargs


class Category(_Declared, TextBase):
    """A text with few distinct values, by which questions filter and group."""

    def __init__(
        self,
        verbose_name: str | None = None,
        *,
        also: Sequence[str] = (),
        longest: int = LONGEST_CATEGORY,
        spelling: Callable[[str], str] | None = None,
        argument: str = "",
        exact: bool = False,
        derived: bool = False,
        **options: Any,
    ) -> None:
        """Declare a category. `longest` is in characters; `spelling` returns the one spelling of a value.

        `argument` is the filter's name in tools, by default `<name>_contains`; with `exact` the filter
        compares the whole value.
        """
        options.setdefault("blank", True)
        if derived:
            options["editable"] = False
        super().__init__(verbose_name, **options)
        self._declare(also, derived=derived, shown=True)
        self.longest, self.spelling, self.argument, self.exact = longest, spelling, argument, exact

    def deconstruct(self) -> Any:
        return self._plain(super().deconstruct(), models.CharField)


class Text(_Declared, TextBase):
    """A text that is shown in answers and not filtered by; leading zeros stay."""

    def __init__(
        self,
        verbose_name: str | None = None,
        *,
        also: Sequence[str] = (),
        longest: int | None = None,
        derived: bool = False,
        shown: bool = True,
        **options: Any,
    ) -> None:
        options.setdefault("blank", True)
        if derived:
            options["editable"] = False
        super().__init__(verbose_name, **options)
        self._declare(also, derived=derived, shown=shown)
        self.longest = longest

    def deconstruct(self) -> Any:
        return self._plain(super().deconstruct(), models.CharField)


class Day(_Declared, DayBase):
    """A day, filtered by day, week, month or year; NO_DAY if the file has none.

    The first one of a data set is the one that its rows are sorted by.
    """

    def __init__(
        self,
        verbose_name: str | None = None,
        *,
        also: Sequence[str] = (),
        given: str = "",
        times: bool = False,
        **options: Any,
    ) -> None:
        """Declare a day; `given` names a Text beside it that answers show and curators edit instead.

        That text is the file's if it is an ISO day, week or, with `times`, time, and the day otherwise.
        """
        options.setdefault("default", NO_DAY)
        options.setdefault("blank", True)
        if given:
            options["editable"] = False
        super().__init__(verbose_name, **options)
        self._declare(also, derived=False, shown=not given)
        self.given, self.times = given, times

    def formfield(self, **options: Any) -> Any:
        return super().formfield(**{"form_class": DayFormField, **options})

    def deconstruct(self) -> Any:
        return self._plain(super().deconstruct(), models.DateField)


class DayFormField(forms.DateField):
    """A day as people edit it: an empty field means NO_DAY."""

    def prepare_value(self, value: Any) -> Any:
        return "" if value == NO_DAY else value

    def clean(self, value: Any) -> Any:
        return super().clean(value) or NO_DAY

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class Number(_Declared, NumberBase):
    """A number, filtered by bounds and summed up by figures."""

    def __init__(
        self,
        verbose_name: str | None = None,
        *,
        also: Sequence[str] = (),
        unit: str = "",
        least: float = -BEYOND,
        most: float = BEYOND,
        **options: Any,
    ) -> None:
        """Declare a number in `unit`, such as USD, % or days; a file with another unit is not read as it.

        A cell below `least` or above `most` means something else, and is reported as unreadable.
        """
        options.setdefault("null", True)
        options.setdefault("blank", True)
        super().__init__(verbose_name, **options)
        self._declare(also, derived=False, shown=True)
        self.unit, self.least, self.most = unit, least, most

    def within(self, value: float | None) -> float | None:
        """Return `value`, or None if it is out of bounds."""
        inside = value is not None and math.isfinite(value) and self.least <= value <= self.most
        return value if inside else None

    def deconstruct(self) -> Any:
        return self._plain(super().deconstruct(), models.FloatField)


class Prose(_Declared, ProseBase):
    """A longer text, or one with many distinct values: each is stored once, and its words are searched."""

    def __init__(
        self,
        verbose_name: str | None = None,
        *,
        also: Sequence[str] = (),
        argument: str = "",
        **options: Any,
    ) -> None:
        """Declare a prose; `argument` is the filter's name in tools, by default `<name>_contains`."""
        fixed = {
            "to": "datasets.ProseText",
            "on_delete": models.DO_NOTHING,
            "null": True,
            "blank": True,
            "db_constraint": False,
            "db_index": False,
            "related_name": "+",
        }
        super().__init__(**{**options, **fixed, "verbose_name": verbose_name})
        self._declare(also, derived=False, shown=True)
        self.argument = argument

    def deconstruct(self) -> Any:
        return self._plain(super().deconstruct(), models.ForeignKey)


Kind = Category | Text | Day | Number | Prose
