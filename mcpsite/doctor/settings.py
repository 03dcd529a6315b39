"""Settings that contradict each other."""

from collections.abc import Iterator

from django.core.checks import ERROR, run_checks

from mcpsite.core.checks import CLIENTS
from mcpsite.core.findings import Finding, Level


def about_settings() -> Iterator[Finding]:
    """Yield the findings of `manage.py check --deploy` that concern clients."""
    messages = run_checks(tags=[CLIENTS], include_deployment_checks=True)
    for message in messages:
        level: Level = "error" if message.level >= ERROR else "warning"
        yield Finding(id=message.id or "", level=level, what=str(message.msg), change=message.hint or "")
    if not messages:
        yield Finding(id="settings", level="ok", what="The settings are consistent.")
