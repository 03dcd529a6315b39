"""Settings that name tools: a system check for `manage.py check --deploy` and `doctor`."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning  # noqa: A004

from mcpsite.mcp.menus import discover_menus
from mcpsite.mcp.registry import discover

METHODS = frozenset({"resources/list", "resources/read", "prompts/get", "completion/complete"})


def check_names(**_: Any) -> list[CheckMessage]:
    """Return as access.W030 each name in a setting of a tool that does not exist."""
    tools = {tool.name for tool in discover().all()}
    menus = {each.name for each in discover_menus().all()}
    known = {"TOOL_RATE_LIMITS": tools | METHODS, "TOOL_SCOPES": tools | menus}
    return [
        Warning(
            f"{setting} names {', '.join(unknown)}, which does not exist, so it has no effect.",
            hint=f"Correct the name; the known names are {', '.join(sorted(names))}.",
            id="access.W030",
        )
        for setting, names in known.items()
        if (unknown := sorted(set(getattr(settings, setting)) - names))
    ]
