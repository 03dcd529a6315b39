"""Resources and prompts: what people pick from a client's menus.

An app offers them in its `resources.py` and `prompts.py`, found like `tools.py`. As with tools, the
functions are plain and synchronous, take the caller, and know nothing of the protocol library.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_type_hints

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import autodiscover_modules
from pydantic.fields import FieldInfo

from access.caller import Caller, Claims
from access.identities import AccessDenied, caller_for
from mcpsite.mcp.database import in_database

PAGE = 100
"""Entries on one page of `resources/list`."""
MAX_COMPLETIONS = 100
"""The most values a completion may hold (MCP, completion/complete)."""

Complete = Callable[[Caller, str], Iterable[str]]
"""From what was typed so far to the values that fit, best first."""
R = TypeVar("R")
Function = TypeVar("Function", bound=Callable[..., str])


class NotOffered(Exception):
    """No such resource or prompt for this caller; what they may not see is told in the same words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One resource in a menu."""

    key: str
    """What follows `scheme://`."""
    title: str
    description: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """One kind of resource, `scheme://{variable}`."""

    scheme: str
    variable: str
    title: str
    description: str
    permission: str
    mime_type: str
    read: Callable[[Caller, str], str | None]
    """The text of one resource; None where the caller has no such resource."""
    entries: Callable[[Caller, int, int], Iterable[Entry]]
    """The resources from an offset on, at most so many."""
    complete: Complete

    @property
    def template(self) -> str:
        return f"{self.scheme}://{{{self.variable}}}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One prompt: a text for the model, made from a few arguments."""

    name: str
    title: str
    description: str
    permission: str
    function: Callable[..., str]
    arguments: Mapping[str, tuple[str, bool]]
    """Description, and whether it is required, by name."""
    complete: Mapping[str, Complete] = field(default_factory=dict)


class Menus:
    """The resources and prompts of this process, and how each is reached by a caller."""

    def __init__(self) -> None:
        self._resources: dict[str, Resources] = {}
        self._prompts: dict[str, Prompt] = {}

    def add_resources(self, kind: Resources) -> None:
        """Offer `kind`; raises ImproperlyConfigured when its scheme is taken."""
        if kind.scheme in self._resources:
            raise ImproperlyConfigured(f"Two kinds of resources are called {kind.scheme}://; rename one.")
        self._resources[kind.scheme] = kind

    def add_prompt(self, prompt: Prompt) -> None:
        """Offer `prompt`; raises ImproperlyConfigured when its name is taken."""
        if prompt.name in self._prompts:
            raise ImproperlyConfigured(f"Two prompts are called {prompt.name!r}; rename one of them.")
        self._prompts[prompt.name] = prompt

    async def templates(self, claims: Claims) -> list[Resources]:
        """The kinds that the caller may read."""
        return await self._for(claims, lambda caller: self._allowed(self._resources, caller), [])

    async def prompts(self, claims: Claims) -> list[Prompt]:
        """The prompts that the caller may use."""
        return await self._for(claims, lambda caller: self._allowed(self._prompts, caller), [])

    async def entries(self, claims: Claims, offset: int) -> list[tuple[Resources, Entry]]:
        """A page of the caller's resources, of all kinds in turn, and one more where there is a next page."""

        def list_entries(caller: Caller) -> list[tuple[Resources, Entry]]:
            found: list[tuple[Resources, Entry]] = []
            for kind in self._allowed(self._resources, caller):
                wanted = offset + PAGE + 1 - len(found)
                found += [(kind, entry) for entry in kind.entries(caller, 0, wanted)]
            return found[offset : offset + PAGE + 1]

        return await self._for(claims, list_entries, [])

    async def read(self, claims: Claims, uri: str) -> tuple[Resources, str]:
        """The kind and the text of the resource at `uri`; raises NotOffered."""
        scheme, _, key = uri.partition("://")
        kind = self._resources.get(scheme)

        def read(caller: Caller) -> str | None:
            return kind.read(caller, key) if kind and caller.has_perm(kind.permission) else None

        text = await self._for(claims, read, None)
        if kind is None or text is None:
            raise NotOffered(uri)
        return kind, text

    async def fill(self, claims: Claims, name: str, arguments: Mapping[str, str]) -> tuple[Prompt, str]:
        """The prompt `name` with its arguments put in; raises NotOffered, and ValueError with a sentence."""
        prompt = self._prompts.get(name)

        def allowed(caller: Caller) -> bool:
            return prompt is not None and caller.has_perm(prompt.permission)

        if not await self._for(claims, allowed, False) or prompt is None:
            raise NotOffered(name)
        for unknown in arguments.keys() - prompt.arguments.keys():
            raise ValueError(
                f"{name} has no argument {unknown[:80]!r}; it takes {', '.join(prompt.arguments)}."
            )
        for argument, (_, required) in prompt.arguments.items():
            if required and not arguments.get(argument, "").strip():
                raise ValueError(f"{name} needs the argument {argument!r}.")
        return prompt, prompt.function(**arguments)

    async def complete(self, claims: Claims, reference: str, argument: str, typed: str) -> list[str]:
        """Values for an argument of the prompt or of the resource template named `reference`; maybe none."""
        prompt = self._prompts.get(reference)
        kind = next((each for each in self._resources.values() if each.template == reference), None)
        if prompt is not None:
            permission, values = prompt.permission, prompt.complete.get(argument)
        elif kind is not None and argument == kind.variable:
            permission, values = kind.permission, kind.complete
        else:
            return []
        if values is None:
            return []

        def find(caller: Caller) -> list[str]:
            return list(values(caller, typed)) if caller.has_perm(permission) else []

        none: list[str] = []
        return (await self._for(claims, find, none))[:MAX_COMPLETIONS]

    @staticmethod
    def _allowed(offered: Mapping[str, Any], caller: Caller) -> list[Any]:
        return [each for each in offered.values() if caller.has_perm(each.permission)]

    @staticmethod
    async def _for(claims: Claims, use: Callable[[Caller], R], without_access: R) -> R:
        """`use` with the caller, in a database section."""

        def run() -> R:
            return use(caller_for(claims))

        try:
            return await in_database(run)
        except AccessDenied:
            return without_access


menus = Menus()


def prompt(
    *, title: str, permission: str, complete: Mapping[str, Complete] | None = None, menus: Menus = menus
) -> Callable[[Function], Function]:
    """Offer the decorated function as the prompt of its name.

    Its parameters are texts, annotated `Annotated[str, Field(description=...)]`; it returns what a
    person would ask. Raises ImproperlyConfigured when the function does not fit.
    """

    def register(function: Function) -> Function:
        hints = get_type_hints(function, include_extras=True)
        arguments = {}
        for parameter in inspect.signature(function).parameters.values():
            info = next(iter(getattr(hints.get(parameter.name), "__metadata__", ())), None)
            if not isinstance(info, FieldInfo) or not info.description:
                raise ImproperlyConfigured(f"Argument {parameter.name!r} of a prompt has no description.")
            arguments[parameter.name] = (info.description, parameter.default is inspect.Parameter.empty)
        menus.add_prompt(
            Prompt(
                name=function.__name__,
                title=title,
                description=inspect.getdoc(function) or "",
                permission=permission,
                function=function,
                arguments=arguments,
                complete=complete or {},
            )
        )
        return function

    return register


def discover_menus() -> Menus:
    """Import `resources.py` and `prompts.py` of every installed app and return what they offer."""
    autodiscover_modules("resources", "prompts")
    return menus
