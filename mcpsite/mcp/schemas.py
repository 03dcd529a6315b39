"""JSON schemas that every client can read: written out in place, each of a single type.

pydantic names a type once and refers to it (`$ref`), and writes what may be left out as an alternative to
null. Copilot Studio leaves out a tool with a reference anywhere in it, Bedrock AgentCore, n8n and Copilot CLI
break on one; Gemini's clients make a list of types from null, which its API refuses, as it does `const`; and
Copilot Studio fails on an exclusive bound (client-contract 42).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured

Schema = dict[str, Any]

NULL = {"type": "null"}
_REFERENCES = ("$ref", "$dynamicRef", "$defs", "definitions")
_SILENT = ("title", "$defs", "discriminator")
"""Keywords without meaning, or without meaning once references are replaced."""
_DATA = ("default", "enum", "const", "examples")
"""Keywords whose values are not schemas."""
_NAMED = ("properties", "patternProperties", "dependentSchemas")
"""Keywords whose values are schemas by name: a property may be called `$ref`."""


def of_arguments(schema: Schema) -> Schema:
    """Return the schema of arguments for clients: without null, which may still be sent for optional ones."""
    return _Simplifier(schema.get("$defs", {}), is_sent=True).simple(schema)


def of_result(schema: Schema) -> Schema:
    """Return the schema of a result for clients: of several kinds, or null, only in words."""
    return _Simplifier(schema.get("$defs", {}), is_sent=False).simple(schema)


def require_plain(schema: Schema, whose: str) -> None:
    """Raise ImproperlyConfigured if `schema`, of `whose`, has a reference or a list of types."""
    for part in _parts(schema):
        for keyword in _REFERENCES:
            if keyword in part:
                raise ImproperlyConfigured(
                    f"{whose} has a schema with a reference ({keyword} {part[keyword]!r:.80}), which "
                    "Copilot Studio, Bedrock AgentCore and other clients cannot read. A type that "
                    "contains itself always needs references: end the nesting with another type, or pass "
                    "that part as text."
                )
        if isinstance(part.get("type"), list):
            raise ImproperlyConfigured(
                f"{whose} has a schema with a list of types ({part['type']!r:.80}), which Copilot Studio, "
                "Gemini and other clients cannot read; use one type, and leave out what has no value."
            )


@dataclass(frozen=True, slots=True)
class _Simplifier:
    definitions: Mapping[str, Schema]
    is_sent: bool
    """Whether clients write values of the schema."""

    def simple(self, schema: Schema, inside: tuple[str, ...] = ()) -> Schema:
        """Return `schema` in the plain form; `inside` names the definitions around it.

        A reference to one of those is kept, and `require_plain` will refuse it.
        """
        name = schema.get("$ref", "").removeprefix("#/$defs/")
        if name in self.definitions and name not in inside:
            beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
            return self.simple({**self.definitions[name], **beside}, (*inside, name))
        schema = {keyword: value for keyword, value in schema.items() if keyword not in _SILENT}
        if schema.get("default", ...) is None:
            del schema["default"]
        if "const" in schema:
            schema["enum"] = [schema.pop("const")]
        kinds = [self.simple(kind, inside) for kind in _alternatives(schema)]
        if None in schema.get("enum", ()):
            kinds = [*_kinds_of(value for value in schema.pop("enum") if value is not None), NULL]
        if kinds:
            schema = self._merged(schema, kinds)
        _replace_exclusive(schema)
        for keyword in _NAMED:
            if keyword in schema:
                schema[keyword] = {name: self.simple(part, inside) for name, part in schema[keyword].items()}
        for keyword in ("items", "additionalProperties"):
            if isinstance(schema.get(keyword), dict):
                schema[keyword] = self.simple(schema[keyword], inside)
        if self.is_sent and "properties" in schema:
            schema.setdefault("additionalProperties", False)
        return schema

    def _merged(self, schema: Schema, kinds: list[Schema]) -> Schema:
        """Return `schema` with its possible kinds of value, which are plain already."""
        real = [kind for kind in kinds if kind != NULL]
        if self.is_sent and (several := _one_or_several(real)):
            real = [several]
            if not isinstance(schema.get("default", []), list):
                schema["default"] = [schema["default"]]
        if len(real) == 1 and (self.is_sent or real == kinds):
            return {**real[0], **schema}
        if self.is_sent:
            return {"anyOf": real, **schema}
        types = " or ".join(dict.fromkeys(kind.get("type", "anything") for kind in kinds))
        return {"description": f"{schema['description']} ({types})" if "description" in schema else types}


def _alternatives(schema: Schema) -> list[Schema]:
    """Remove the alternatives from `schema` and return them."""
    parts: list[Schema] = schema.pop("allOf") if len(schema.get("allOf", ())) == 1 else []
    return [*parts, *schema.pop("anyOf", ()), *schema.pop("oneOf", ())]


def _one_or_several(kinds: list[Schema]) -> Schema | None:
    """Return the list among `kinds` if each other kind is one item of it: a list of one means the same."""
    lists = [kind for kind in kinds if kind.get("type") == "array"]
    if len(lists) == 1 and all(kind is lists[0] or kind == lists[0].get("items") for kind in kinds):
        return lists[0]
    return None


def _kinds_of(values: Iterator[Any]) -> list[Schema]:
    """Return a schema for the values of each type."""
    names = {str: "string", bool: "boolean", int: "integer", float: "number"}
    by_type: dict[str, list[Any]] = {}
    for value in values:
        by_type.setdefault(names[type(value)], []).append(value)
    return [{"enum": same, "type": name} for name, same in by_type.items()]


def _replace_exclusive(schema: Schema) -> None:
    """Write an exclusive bound of integers as an inclusive one; other bounds are checked but not shown."""
    for exclusive, inclusive, step in (
        ("exclusiveMinimum", "minimum", 1),
        ("exclusiveMaximum", "maximum", -1),
    ):
        bound = schema.pop(exclusive, None)
        if bound is not None and schema.get("type") == "integer":
            schema[inclusive] = int(bound) + step


def _parts(schema: Any) -> Iterator[Schema]:
    """Yield `schema` and every schema within it."""
    if isinstance(schema, list):
        for part in schema:
            yield from _parts(part)
    elif isinstance(schema, dict):
        yield schema
        for keyword, value in schema.items():
            if keyword in _NAMED:
                yield from _parts(list(value.values()))
            elif keyword not in _DATA:
                yield from _parts(value)
