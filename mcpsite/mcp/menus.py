"""Resources and prompts: what people choose from a client's menus.

An app offers them in its `resources.py` and `prompts.py`, found like `tools.py`. As with tools, the
functions are plain and synchronous, take the caller, and know nothing of the protocol library.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TypeVar, get_type_hints

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from pydantic.fields import FieldInfo

from mcpsite.access import scopes
from mcpsite.access.caller import Caller
from mcpsite.core.contributions import modules
from mcpsite.core.texts import clean
from mcpsite.mcp.registry import Registry, ToolError, discover, registry

PAGE = 100
"""Entries on one page of `resources/list`."""
MAX_COMPLETIONS = 100
"""The most values in a completion (MCP, completion/complete)."""

Complete = Callable[[Caller, str], Iterable[str]]
"""Returns the values that fit what was typed so far, best first."""
Function = TypeVar("Function", bound=Callable[..., str])


Offered = TypeVar("Offered", bound="Resources | Prompt")


class NotOffered(Exception):
    """No such resource or prompt for this caller; one that they may not see is refused in the same words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One resource in a menu."""

    key: str
    """What comes after `scheme://`."""
    title: str
    description: str = ""

    def cleaned(self) -> "Entry":
        """Return the entry without invisible characters in its texts."""
        return Entry(key=self.key, title=clean(self.title), description=clean(self.description))


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
    """Returns the text of one resource; None if the caller has no such resource."""
    entries: Callable[[Caller, int, int], Iterable[Entry]]
    """Returns the resources from an offset on, at most so many."""
    complete: Complete
    scope: str = ""
    """Scopes that the token needs, as for a tool; TOOL_SCOPES names this kind `scheme://`."""

    @property
    def name(self) -> str:
        return f"{self.scheme}://"

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
    scope: str = ""


class Menus:
    """The resources and prompts of this process, and access to them for a caller.

    The methods are synchronous and run in a database section.
    """

    def __init__(self, tools: Registry = registry) -> None:
        self._tools = tools
        self._resources: dict[str, Resources] = {}
        self._prompts: dict[str, Prompt] = {}

    def add_resources(self, kind: Resources) -> None:
        """Offer `kind`; raises ImproperlyConfigured if its scheme is taken."""
        scopes.valid_scopes(f"Resource {kind.name}", kind.scope)
        if kind.scheme in self._resources:
            raise ImproperlyConfigured(f"Two kinds of resources are called {kind.scheme}://; rename one.")
        self._resources[kind.scheme] = kind

    def add_prompt(self, prompt: Prompt) -> None:
        """Offer `prompt`; raises ImproperlyConfigured if its name is taken."""
        scopes.valid_scopes(f"Prompt {prompt.name!r}", prompt.scope)
        if prompt.name in self._prompts:
            raise ImproperlyConfigured(f"Two prompts are called {prompt.name!r}; rename one of them.")
        self._prompts[prompt.name] = prompt

    def all(self) -> list[Resources | Prompt]:
        return [*self._resources.values(), *self._prompts.values()]

    def scopes_of(self, offered: Resources | Prompt) -> tuple[str, ...]:
        """Return the scopes that the use of `offered` needs.

        If none are named, they are those of all tools with its permission: these show the same data, and
        what is closed there must not be open here.
        """
        if offered.scope or offered.name in settings.TOOL_SCOPES:
            return scopes.needed(offered.name, offered.scope)
        alike = [tool.scopes for tool in self._tools.all() if tool.permission == offered.permission]
        return tuple(dict.fromkeys(chain.from_iterable(alike)))

    def templates(self, caller: Caller) -> list[Resources]:
        """Return the kinds that the caller may read, also if the token lacks a scope: it can be asked for."""
        return [kind for kind in self._resources.values() if caller.has_perm(kind.permission)]

    def prompts(self, caller: Caller) -> list[Prompt]:
        """Return the prompts that the caller may use, also if the token lacks a scope."""
        return [prompt for prompt in self._prompts.values() if caller.has_perm(prompt.permission)]

    def entries(self, caller: Caller, offset: int) -> list[tuple[Resources, Entry]]:
        """Return a page of the caller's resources, kind after kind, and one more if there is a next page.

        Their titles are data, so a kind for which the token lacks a scope is left out.
        """
        found: list[tuple[Resources, Entry]] = []
        for kind in self.templates(caller):
            if caller.claims.has_scopes(self.scopes_of(kind)):
                wanted = offset + PAGE + 1 - len(found)
                found += [(kind, entry.cleaned()) for entry in kind.entries(caller, 0, wanted)]
        return found[offset : offset + PAGE + 1]

    def read(self, caller: Caller, uri: str) -> tuple[Resources, str]:
        """Return the kind and the text of the resource at `uri`; raises NotOffered and MissingScope."""
        scheme, _, key = uri.partition("://")
        kind = self._allowed(self._resources.get(scheme), caller)
        text = kind.read(caller, key)
        if text is None:
            raise NotOffered(uri)
        return kind, clean(text)

    def fill(self, caller: Caller, name: str, arguments: Mapping[str, str]) -> tuple[Prompt, str]:
        """Return the prompt `name`, filled in; raises NotOffered, MissingScope and ToolError."""
        prompt = self._allowed(self._prompts.get(name), caller)
        for unknown in arguments.keys() - prompt.arguments.keys():
            raise ToolError(
                f"{name} has no argument {unknown[:80]!r}; it takes {', '.join(prompt.arguments)}."
            )
        for argument, (_, required) in prompt.arguments.items():
            if required and not arguments.get(argument, "").strip():
                raise ToolError(f"{name} needs the argument {argument!r}.")
        asked = {argument: clean(value) for argument, value in arguments.items()}
        return prompt, clean(prompt.function(**asked))

    def complete(self, caller: Caller, reference: str, argument: str, typed: str) -> list[str]:
        """Return values for an argument of the prompt or resource template `reference`; maybe none.

        Raises NotOffered and MissingScope.
        """
        prompt = self._prompts.get(reference)
        kind = next((kind for kind in self._resources.values() if kind.template == reference), None)
        values: Complete | None = None
        if prompt is not None:
            values = self._allowed(prompt, caller).complete.get(argument)
        elif (allowed := self._allowed(kind, caller)).variable == argument:
            values = allowed.complete
        if values is None:
            return []
        return [clean(value) for value in islice(values(caller, clean(typed)), MAX_COMPLETIONS)]

    def _allowed(self, offered: Offered | None, caller: Caller) -> Offered:
        """Return `offered` if the caller may use it; raises NotOffered, then MissingScope."""
        if offered is None or not caller.has_perm(offered.permission):
            raise NotOffered
        scopes.demand(caller.claims, self.scopes_of(offered))
        return offered


menus = Menus()


def prompt(
    *,
    title: str,
    permission: str,
    scope: str = "",
    complete: Mapping[str, Complete] | None = None,
    menus: Menus = menus,
) -> Callable[[Function], Function]:
    """Offer the decorated function as the prompt of its name.

    Its parameters are texts, annotated `Annotated[str, Field(description=...)]`; it returns what a
    person would ask. Raises ImproperlyConfigured if the function does not fit.
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
                scope=scope,
            )
        )
        return function

    return register


def discover_menus() -> Menus:
    """Import `resources.py` and `prompts.py` of every installed app and return what they offer."""
    modules("resources")
    modules("prompts")
    return menus


def permissions_needed() -> set[str]:
    """Return the permissions that `readers` need for the tools, prompts and resources of the apps."""
    tools = [tool for tool in discover().all() if tool.for_readers]
    return {offer.permission for offer in [*tools, *discover_menus().all()]}


def scopes_in_use(tools: Registry, menus: Menus) -> dict[str, list[str]]:
    """Return the scopes of tools, prompts and resources, each with the titles of those that need it."""
    titles: dict[str, list[str]] = {}
    taking = [(tool.title, tool.scopes) for tool in tools.all()]
    taking += [(offer.title, menus.scopes_of(offer)) for offer in menus.all()]
    for title, taken in taking:
        for scope in taken:
            titles.setdefault(scope, []).append(title)
    return titles
