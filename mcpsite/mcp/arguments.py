"""What a client sends as a tool's arguments: read as the tool means it, or refused in sentences.

Models, and the programs between them and this server, write the same value in several ways: a list as JSON
text, one text for a list of one, a number as text, null for what is left out (client-contract 42). Each way
that can mean only one thing is accepted here, for every tool, by the schema that its clients see. Everything
else is checked by the tool's own types.
"""

import difflib
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

from mcpsite.core.texts import clean
from mcpsite.mcp.registry import Tool, ToolError
from mcpsite.mcp.schemas import Schema

MOST_FAULTS = 5
"""How many faults are reported in sentences; the others are counted."""
MOST_SHOWN = 40
"""The most characters quoted of a value or a name."""
MOST_NAME = 80
"""The most characters of a name for which a similar one is looked for."""
MOST_CHOICES = 40
MOST_DIGITS = 40
"""The most characters of a number as text."""
INTEGERS = range(-(1 << 63), 1 << 63)
"""The range that databases and other languages have room for."""

_WORDS: dict[str | None, str] = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "an object",
    "string": "text",
}
_BOOLEANS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_FORMATS = {
    "date": (re.compile(r"\d{4}-\d{2}-\d{2}"), "a day, such as 2026-03-31"),
    "date-time": (re.compile(r"\d{4}-\d{2}-\d{2}[T ].*"), "a time, such as 2026-03-31T12:00:00Z"),
}
_TYPES: dict[str | None, Any] = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "object": dict,
    "string": str,
}
_BOUNDS = {
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
}
_LENGTHS = {
    "string_too_short": "at least {min_length}",
    "string_too_long": "at most {max_length}",
    "too_short": "at least {min_length}",
    "too_long": "at most {max_length}",
}


def checked(tool: Tool, sent: Any) -> dict[str, Any]:
    """Return the arguments as the tool's function takes them; raises ToolError about all that do not fit."""
    reading = _Reading(tool.name)
    arguments = reading.arguments(sent, tool.input_schema)
    try:
        model: BaseModel = tool.arguments.model_validate(arguments)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            name = str(details["loc"][0])
            if name not in reading.faulty:
                reading.fault(name, _sentence(details, tool))
    reading.end()
    values = dict(vars(model))
    for name, (kind, parts) in tool.gathered.items():
        values[name] = kind(**{part: values.pop(part) for part in parts})
    return values


def read(value: Any, schema: Schema, name: str) -> Any:
    """Return `value` as `schema` means it, None for nothing; raises ToolError, which calls it `name`."""
    reading = _Reading(name)
    read = reading.value(value, schema, name)
    reading.end()
    return read


def json_object(sent: Any) -> Any:
    """Return the arguments of a call with JSON text parsed, {} for none, and a non-object as it is."""
    if isinstance(sent, str):
        try:
            sent = from_json(sent, allow_inf_nan=False) if sent.strip() else {}
        except ValueError:
            return sent
    # PHP writes an empty object as a list.
    return {} if sent is None or sent == [] else sent


class _Reading:
    """One reading of what was sent, which collects a sentence for each value that does not fit."""

    def __init__(self, tool: str) -> None:
        self._tool = tool
        self._sentences: dict[str, str] = {}
        self.faulty: Counter[str] = Counter()
        """The arguments with a fault, and how many each has."""

    def fault(self, where: str, sentence: str) -> None:
        if len(self._sentences) < MOST_FAULTS:
            self._sentences.setdefault(where, sentence)
        self.faulty[where.partition(".")[0]] += 1

    def end(self) -> None:
        """Raise ToolError if anything does not fit."""
        more = self.faulty.total() - len(self._sentences)
        if self.faulty:
            count = [f"There are {more} more problems."] if more else []
            raise ToolError(" ".join([*self._sentences.values(), *count]))

    def arguments(self, sent: Any, schema: Schema) -> dict[str, Any]:
        """Return all arguments of a call; raises ToolError if they are no object."""
        sent = json_object(sent)
        if not isinstance(sent, dict):
            names = ", ".join(schema["properties"])
            takes = f"with the names {names}" if names else "with nothing in it"
            raise ToolError(f"The arguments of {self._tool} have to be an object {takes}.")
        return self._object(sent, schema, "")

    def value(self, value: Any, schema: Schema, where: str, verb: str = "is") -> Any:
        """Return `value` as `schema` means it; `where verb` begins the sentence if it does not fit.

        None is nothing: the tool's own types decide whether that is allowed.
        """
        kind = schema.get("type")
        if value is None:
            return None
        if "anyOf" in schema:
            return self._one_of(value, schema["anyOf"], where, verb)
        if kind == "string":
            return self._text(value, schema, where, verb)
        if isinstance(value, str) and kind is not None and value.strip() in ("", "null"):
            return None  # what a form, or null in a template, leaves if a text is not allowed
        if kind == "array":
            return self._list(value, schema.get("items", {}), where)
        if kind == "object":
            read = _json(value) if isinstance(value, str) else value
            if not isinstance(read, dict):
                return self._wrong(where, verb, value, kind)
            return self._object(read, schema, where)
        if kind == "boolean":
            read = _BOOLEANS.get(str(value).strip().lower()) if isinstance(value, str | int) else None
            return self._wrong(where, verb, value, kind) if read is None else read
        if kind in ("integer", "number"):
            return self._chosen(self._number(value, kind, where, verb), schema, where, verb)
        return value

    def _object(self, value: Mapping[str, Any], schema: Schema, where: str) -> dict[str, Any]:
        known, required = schema.get("properties", {}), schema.get("required", ())
        others = schema.get("additionalProperties", True)
        unknown = [name for name in value if name not in known] if others is False else []
        if unknown:
            self._unknown(unknown, known, where)
        read = {}
        for name, part in value.items():
            inner = f"{where}.{name[:MOST_SHOWN]}" if where else name
            if name in known:
                found = self.value(part, known[name], inner)
                if found is not None or name in required:
                    read[name] = found
            elif others is not False:
                read[name] = self.value(part, others, inner) if isinstance(others, dict) else part
        for name in required:
            if name not in value:
                argument = "" if where else "the argument "
                self.fault(where or name, f"{where or self._tool} needs {argument}{name!r}.")
        return read

    def _list(self, value: Any, items: Schema, where: str) -> list[Any] | None:
        if isinstance(value, str) and value.lstrip().startswith("["):
            value = _json(value)
            if not isinstance(value, list):
                self.fault(where, f'{where} begins like a list, but is not JSON; write ["one", "two"].')
                return None
        elif isinstance(value, str):
            value = _split(value, items.get("enum", ()))
        elif not isinstance(value, list):
            value = [value]
        return [self.value(item, items, where, "holds") for item in value]

    def _text(self, value: Any, schema: Schema, where: str, verb: str) -> Any:
        pattern, form = _FORMATS.get(schema.get("format", ""), (None, ""))
        if type(value) is int and pattern is None and value in INTEGERS:
            value = str(value)
        if not isinstance(value, str):
            return self._wrong(where, verb, value, "string")
        value = clean(value)
        if pattern is not None and not pattern.fullmatch(value.strip()):
            self.fault(where, f"{where} {verb} {shown(value)}; it has to be {form}.")
        if not value.strip() and value not in schema.get("enum", [value]):
            return None
        return self._chosen(value, schema, where, verb)

    def _number(self, value: Any, kind: str, where: str, verb: str) -> Any:
        number = _json(value) if isinstance(value, str) and len(value) <= MOST_DIGITS else value
        whole = type(number) is int or (isinstance(number, float) and number.is_integer())
        if not whole and (kind == "integer" or not isinstance(number, float) or not math.isfinite(number)):
            return self._wrong(where, verb, value, kind)
        number = int(number) if kind == "integer" else number
        if isinstance(number, int) and number not in INTEGERS:
            self.fault(where, f"{where} {verb} a number with too many digits.")
            return None
        return number

    def _one_of(self, value: Any, kinds: list[Schema], where: str, verb: str) -> Any:
        """Return `value` as the first of `kinds` that it fits, unconverted if possible."""
        for kind in sorted(kinds, key=lambda kind: not isinstance(value, _TYPES.get(kind.get("type"), ()))):
            trial = _Reading(self._tool)
            found = trial.value(value, kind, where, verb)
            if not trial.faulty:
                return found
        words = " or ".join(dict.fromkeys(_WORDS.get(kind.get("type"), "a value") for kind in kinds))
        self.fault(where, f"{where} {verb} {shown(value)}; it has to be {words}.")
        return None

    def _chosen(self, value: Any, schema: Schema, where: str, verb: str) -> Any:
        choices = schema.get("enum")
        if value is not None and choices is not None and value not in choices:
            names = [str(choice) for choice in choices[:MOST_CHOICES]] + ["…"] * (len(choices) > MOST_CHOICES)
            self.fault(where, f"{where} {verb} {shown(value)}; it takes {', '.join(names)}.")
        return value

    def _wrong(self, where: str, verb: str, value: Any, kind: str) -> None:
        self.fault(where, f"{where} {verb} {shown(value)}; it has to be {_WORDS[kind]}.")

    def _unknown(self, names: list[str], known: Iterable[str], where: str) -> None:
        named = []
        for name in names[:MOST_FAULTS]:
            near = _nearest(name[:MOST_NAME], list(known))
            named.append(shown(name) + (f" (did you mean {near!r}?)" if near else ""))
        if len(names) > MOST_FAULTS:
            named.append(f"or {len(names) - MOST_FAULTS} others that were sent")
        what = f"{where} has no" if where else f"{self._tool} has no argument"
        takes = ", ".join(known) or "no arguments"
        self.fault(where or names[0], f"{what} {', '.join(named)}; it takes {takes}.")


def shown(value: Any) -> str:
    """Return what a client wrote, short enough to be quoted."""
    if isinstance(value, str):
        return repr(value if len(value) <= MOST_SHOWN else f"{value[:MOST_SHOWN]}…")
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    return str(value)


def _json(text: str) -> Any:
    """Return what `text` contains as JSON; the text itself if it is not JSON."""
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        return text


def _split(text: str, choices: Iterable[Any]) -> list[str]:
    """Return the items that one text means: itself, or names from `choices` with commas between."""
    parts = [part.strip() for part in text.split(",")]
    return parts if text not in choices and all(part in choices for part in parts) else [text]


def _nearest(name: str, known: list[str]) -> str:
    """Return the name that was probably meant, or an empty text."""
    folded = name.casefold().replace("-", "_").strip("_ ")
    close = difflib.get_close_matches(folded, known, n=1, cutoff=0.65)
    parts = [like for like in known if len(folded) > 2 and (folded in like or like in folded)]
    return next(iter(close or parts), "")


def _sentence(error: ErrorDetails, tool: Tool) -> str:
    """Return what the tool's own types report about an argument."""
    where, value, limits = _where(error["loc"], tool.input_schema), error["input"], error.get("ctx", {})
    if value is None:
        item = isinstance(error["loc"][-1], int)
        return f"{where} holds null." if item else f"{tool.name} needs the argument {where!r}."
    if error["type"] in _BOUNDS:
        bound = _BOUNDS[error["type"]].format(**limits)
        return f"{where} is {shown(value)}; it has to be {bound}."
    if error["type"] in _LENGTHS:
        length = _LENGTHS[error["type"]].format(**limits)
        unit = "characters" if isinstance(value, str) else "items"
        return f"{where} has {len(value)} {unit}; it takes {length}."
    reason = error["msg"].removeprefix("Value error, ")
    return f"The argument {where!r} does not fit: {reason[:1].lower()}{reason[1:]}."


def _where(path: tuple[int | str, ...], schema: Schema) -> str:
    """Return an argument's name as clients know it, from a path in which pydantic also names types."""
    names = []
    for part in path:
        schema = schema.get("items", schema)
        if part in schema.get("properties", ()):
            names.append(str(part))
            schema = schema["properties"][part]
    return ".".join(names)
