"""Settings of a site that records no call, for comparison in `bench.audit`. No setting switches it off."""

from typing import Any

from django.apps import AppConfig

from mcpsite.settings import *  # noqa: F403
from mcpsite.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "bench.unaudited.Unaudited"]


class Unaudited(AppConfig):
    name = "bench"

    def ready(self) -> None:
        from mcpsite.access.audit import Trail
        from mcpsite.mcp import calls

        def nothing(*_: Any) -> Any:
            return None

        # By name, because the type checker rightly objects to this.
        vars(calls)["event"] = nothing
        setattr(Trail, "record", nothing)  # noqa: B010
