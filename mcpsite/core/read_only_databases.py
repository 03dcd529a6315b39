"""Further databases, which this site reads and never writes: `DATABASE_URL_<ALIAS>`.

Not even a mistake writes there: each connection is opened for reading only, and `Router` keeps migrations
and instances away. The owner's own protection is a user of that database who may only SELECT.
"""

import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, NotSupportedError

from mcpsite.core import conf
from mcpsite.core.environment import Environment

PREFIX = "DATABASE_URL_"
_ALIAS = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)


def from_environment(env: Environment, *, connections: int) -> dict[str, dict[str, Any]]:
    """Return Django's DATABASES entries by alias; `connections` is how many calls may need of each."""
    found = {}
    for name in env.beginning_with(PREFIX):
        url = env.text(name)
        entry = env.derive(None, database, name, url, connections=connections) if url else None
        if entry is not None:
            found[name.removeprefix(PREFIX).lower()] = entry
    return found


def database(setting: str, url: str, *, connections: int = 16) -> dict[str, Any] | None:
    """Return the DATABASES entry for the variable `setting`. Raises ImproperlyConfigured."""
    alias = setting.removeprefix(PREFIX)
    if not _ALIAS.fullmatch(alias) or alias.lower() == DEFAULT_DB_ALIAS:
        raise ImproperlyConfigured(
            f"{setting} does not name a database; write {PREFIX}ERP for one that is called erp here, in "
            "capital letters, digits and _ (the site's own is DATABASE_URL)."
        )
    config = conf.database(url, setting=setting, connections=connections)
    options = config["OPTIONS"]
    if config["ENGINE"].endswith("postgresql"):
        asked = options.get("options", "")
        options["options"] = f"{asked} -c default_transaction_read_only=on".strip()
        return config
    if config["NAME"] == ":memory:":
        raise ImproperlyConfigured(f"{setting} does not name a file; write sqlite:////folder/file.sqlite3.")
    # The file's journal is its owner's business; a missing file is not created.
    config["NAME"] = f"{Path(config['NAME']).absolute().as_uri()}?mode=ro"
    config["OPTIONS"] = {"timeout": options["timeout"], "init_command": "PRAGMA query_only=ON;"}
    return config


class Router:
    """Django's database router for these databases: no migration goes there, and no instance is saved."""

    def allow_migrate(self, db: str, app_label: str, **_: Any) -> bool | None:  # noqa: ARG002 (Django's)
        return False if db in settings.READ_ONLY_DATABASES else None

    def db_for_write(self, model: type[Any], *, instance: Any = None, **_: Any) -> str | None:  # noqa: ARG002
        alias = instance._state.db if instance is not None else None
        if alias in settings.READ_ONLY_DATABASES:
            raise NotSupportedError(f"This site only reads the database {alias!r}; it cannot write to it.")
        return None
