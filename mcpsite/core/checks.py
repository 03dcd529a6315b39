"""System checks of the site's own settings."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning  # noqa: A004

CLIENTS = "clients"
"""The tag of checks about what stops or surprises clients; `doctor` runs them, too."""


def check_environment(**_: Any) -> list[CheckMessage]:
    """Return as mcpsite.W001 what is odd about the environment or `.env` but lets the site start."""
    return [Warning(sentence, id="mcpsite.W001") for sentence in settings.ENVIRONMENT.warnings]
