"""How a tool describes a column, and how it filters it: for every published table."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict, create_model

Kind = Literal["category", "day", "number", "prose", "text"]
"""*category* and *prose* are filtered by a part of the text, and a category can be grouped by; *day* by a
day, week, month or year; *number* by its bounds, and it has figures; *text* is only shown.
"""

Arguments = list[tuple[str, Any, Any]]
"""Arguments of a tool: name, type, and the field with its description."""


@dataclass(frozen=True, slots=True)
class PublishedColumn:
    """A column of a table that tools answer from."""

    name: str
    kind: Kind | None = None
    """None until it is read from the field of a model."""
    unit: str = ""
    """For a number, for example USD."""
    meaning: str = ""
    """A few words for somebody who does not know the table."""
    argument: str = ""
    """The name of its filter, if it differs from the default."""
    exact: bool = False
    """Whether the filter compares the whole text."""
    bounded: bool = False
    """For a number: whether tools can filter it by range, even if others come before it."""

    @property
    def asked(self) -> str:
        """The name of its filter."""
        usual = self.name if self.kind == "day" else f"{self.name}_contains"
        return self.argument or usual

    @property
    def described(self) -> str:
        """The column in words."""
        return f"{self.meaning or self.name} in {self.unit}" if self.unit else self.meaning or self.name


def of_kind(columns: Iterable[PublishedColumn], *kinds: Kind) -> list[PublishedColumn]:
    """Return those of `columns` that are of one of `kinds`, in their order."""
    return [column for column in columns if column.kind in kinds]


def arguments_model(tool: str, *parts: Arguments) -> type[BaseModel]:
    """Return the model that checks a tool's arguments; raises ImproperlyConfigured if two have one name."""
    arguments: dict[str, Any] = {}
    for name, hint, field in (argument for part in parts for argument in part):
        if name in arguments:
            raise ImproperlyConfigured(
                f"Tool {tool!r} would have two arguments {name!r}; give one of the columns another name "
                "(a field of a model keeps its column by db_column)."
            )
        if name.startswith("_") or hasattr(BaseModel, name):
            raise ImproperlyConfigured(
                f"Tool {tool!r} cannot have an argument {name!r}; give that column another name "
                "(a field of a model keeps its column by db_column)."
            )
        arguments[name] = (hint, field)
    return create_model(f"{tool}_arguments", __config__=ConfigDict(extra="forbid"), **arguments)
