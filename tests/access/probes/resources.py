"""A kind of resource for the same people as the tools."""

from mcpsite.access.caller import Caller
from mcpsite.mcp import Entry, Resources, menus

TEXTS = {"alpha": "The first.", "beta": "The second."}


def entries(_: Caller, offset: int, count: int) -> list[Entry]:
    """What there is."""
    return [Entry(key=key, title=key) for key in TEXTS][offset : offset + count]


def read(_: Caller, key: str) -> str | None:
    """One text."""
    return TEXTS.get(key)


menus.add_resources(
    Resources(
        scheme="probe",
        variable="key",
        title="Probe",
        description="A text.",
        permission="auth.view_user",
        mime_type="text/plain",
        read=read,
        entries=entries,
        complete=lambda _, typed: [key for key in TEXTS if typed in key],
    )
)
