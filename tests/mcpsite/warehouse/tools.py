"""Tools that read the warehouse."""

from django.db import DatabaseError
from typing_extensions import TypedDict

from mcpsite.mcp import in_database, tool
from tests.mcpsite.warehouse.models import Reading


class Readings(TypedDict):
    ids: list[int]


def _read() -> list[int]:
    return [reading.pk for reading in Reading.objects.all()]


@tool(permission="auth.view_user", title="Readings")
def readings() -> Readings:
    """Readings of the instruments."""
    return {"ids": _read()}


@tool(permission="auth.view_user", title="Readings, awaited")
async def awaited_readings() -> Readings:
    """Readings of the instruments, read by an async tool."""
    return {"ids": await in_database(_read)}


@tool(permission="auth.view_user", title="Readings, asked for twice")
def stubborn_readings() -> Readings:
    """Readings of the instruments, asked for again where that fails."""
    try:
        return {"ids": _read()}
    except DatabaseError:
        return {"ids": _read()}
