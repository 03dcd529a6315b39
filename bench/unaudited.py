"""Settings of a site that records no call: what `bench.audit` compares with. No setting switches it off."""

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

        # By name, since the type checker rightly objects to what this does.
        vars(calls)["event"] = nothing
        setattr(Trail, "record", nothing)  # noqa: B010
