"""A data set's prompts in a client's menu, with its values to complete what is typed."""

from collections.abc import Callable, Iterable
from functools import partial

from mcpsite.access.caller import Caller
from mcpsite.datasets import snapshots
from mcpsite.datasets.declaration import DataSet, data_sets
from mcpsite.mcp.menus import Prompt, menus

MOST_ARGUMENTS = 3
"""How many categories a prompt asks for, from the first."""


def values_like(data_set: DataSet, category: str, caller: Caller, typed: str) -> Iterable[str]:
    """Return the caller's values of a category that contain what was typed, those beginning with it first."""
    folded = typed.casefold()
    values = snapshots.current(data_set, caller).values(category)
    found = [value for value in values if value and folded in value.casefold()]
    return sorted(found, key=lambda value: (not value.casefold().startswith(folded), value))


def _text(data_set: DataSet) -> Callable[..., str]:
    def ask(**given: str) -> str:
        asked = [f"{name.replace('_', ' ')} {value}" for name, value in given.items() if value]
        of = f" for {', '.join(asked)}" if asked else ""
        return (
            f"What do the {data_set.words} say{of}? Call describe_data first, then ask for figures by group "
            "and, where they need an explanation, for single rows. Give a table, name what stands out, and "
            "say which files the numbers come from."
        )

    return ask


for each in data_sets():
    if each.options.tools:
        chosen = each.filtered[:MOST_ARGUMENTS]
        menus.add_prompt(
            Prompt(
                name=f"about_{each.name}",
                title=f"What the {each.words} say",
                description=f"{each.description} Figures and what stands out.",
                permission=each.permission,
                function=_text(each),
                arguments={
                    name: (f"{str(each.columns[name].verbose_name).capitalize()}; empty for all", False)
                    for name in chosen
                },
                complete={name: partial(values_like, each, name) for name in chosen},
            )
        )
