"""The app of a data set as text: its model, and a test."""

from collections.abc import Sequence
from pathlib import Path

from mcpsite.datasets.generating.understanding import Design, Understood

_KINDS = ("Category", "Day", "Number", "Prose", "Row", "Text")
_WIDTH = 100


def class_name(name: str) -> str:
    """Return the class name for the rows of a data set called `name`, in the singular: HotelRate."""
    words = name.split("_")
    words[-1] = _singular(words[-1])
    return "".join(word[:1].upper() + word[1:] for word in words if word) or "Entry"


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("ss", "us", "is")) or not word.endswith("s") or len(word) < 4:
        return word
    return word[:-2] if word.endswith(("ches", "shes", "xes", "sses")) else word[:-1]


def model(name: str, design: Design, files: Sequence[str], said: dict[str, str]) -> str:
    """Return the text of `models.py`."""
    words = name.replace("_", " ")
    kinds = sorted({"Row", *(each.kind for each in design.columns), *(["Text"] if _times(design) else [])})
    singular = _words(class_name(name))
    lines = [
        f'"""The data set {words}: what a row is. Change it, and run makemigrations and migrate."""',
        "",
        f"from mcpsite.datasets.models import {', '.join(kind for kind in _KINDS if kind in kinds)}",
        "",
        "",
        f"class {class_name(name)}(Row):",
        f'    """Rows of {_short(files[0])}."""',
        "",
        *(line for each in design.columns for line in _declared(each)),
        "",
        "    class Meta(Row.Meta):",
        f"        ordering = {_list(design.ordering)}",
        f'        verbose_name = "{singular}"',
        f'        verbose_name_plural = "{words}"',
    ]
    options = []
    if name != name.lower():
        options.append(f'        name = "{name}"')
    if design.identity is not None:
        options += _wrapped("        identity = (", [f'"{each}"' for each in design.identity], ")")
    options += [f'        {option} = "{value}"' for option, value in said.items() if value]
    if options:
        lines += ["", "    class Dataset:", *options]
    return "\n".join(lines) + "\n"


def _times(design: Design) -> bool:
    return any(each.given for each in design.columns)


def _words(singular: str) -> str:
    return "".join(f" {each.lower()}" if each.isupper() else each for each in singular).strip()


def _short(text: str) -> str:
    return text.replace("\\", "").replace('"', "'")[:70]


def _list(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{each}"' for each in names) + "]"


def _declared(column: Understood) -> list[str]:
    arguments = [_quoted(column.title)] if column.title else []
    if column.also:
        arguments.append(f"also=({_quoted(column.also)},)")
    if column.kind == "Number" and column.unit:
        arguments.append(f'unit="{column.unit}"')
    if column.longest:
        arguments.append(f"longest={column.longest * 2}")
    if column.given:
        also = f'also=("{column.given}", {_quoted(column.heading)})'
        return [
            *_wrapped(f"    {column.name} = Day(", [also, f'given="{column.given}"', "times=True"], ")"),
            f"    {column.given} = Text()",
        ]
    return _wrapped(f"    {column.name} = {column.kind}(", arguments, ")")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _wrapped(before: str, parts: Sequence[str], behind: str) -> list[str]:
    """Return `parts` between `before` and `behind` on one line, or one per line if that is too long."""
    trailing = "," if len(parts) == 1 and behind == ")" and before.endswith("= (") else ""
    one = f"{before}{', '.join(parts)}{trailing}{behind}"
    if len(one) <= _WIDTH:
        return [one]
    indent = " " * (len(before) - len(before.lstrip()) + 4)
    return [before, *(f"{indent}{part}," for part in parts), f"{' ' * (len(indent) - 4)}{behind}"]


def test(name: str, file: Path, rows: int) -> str:
    """Return the text of a test that loads the file from which the data set was made, if it still exists."""
    return f'''"""The file that {name} was made from is read as it was understood."""

from pathlib import Path

import pytest

from mcpsite.datasets.declaration import data_set_named
from mcpsite.datasets.files import find
from mcpsite.datasets.loading import Choices, load

FILE = Path({_quoted(str(file))})


@pytest.mark.django_db
@pytest.mark.skipif(not FILE.exists(), reason="the file is no longer there")
def test_the_file_is_loaded_whole() -> None:
    data_set = data_set_named("{name}")
    assert data_set is not None
    [outcome] = load(data_set, find([FILE]), Choices(loaded_by="test"))
    assert (outcome.result, outcome.rows) == ("new", {rows})
'''
