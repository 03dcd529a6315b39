"""Which database holds what."""

from typing import Any


class Router:
    """Sends the models of this app to the warehouse, and migrates nothing there."""

    def db_for_read(self, model: Any, **_: Any) -> str | None:
        return "warehouse" if model._meta.app_label == "warehouse" else None

    def allow_migrate(self, db: str, _app_label: str, **_: Any) -> bool | None:
        return False if db == "warehouse" else None
