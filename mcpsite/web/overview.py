"""What of this site is on and what is not, in a few lines for the person who starts it. No secrets."""

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from mcpsite.access import signing
from mcpsite.core import samples, storages
from mcpsite.core.contributions import contributed
from mcpsite.core.shared_store import shared_store
from mcpsite.web import connecting


def overview_lines(*, migrated: bool) -> Iterator[tuple[str, str]]:
    """Yield each part's name and state; those that need the tables only if the site is `migrated`."""
    yield "MCP endpoint", settings.RESOURCE_SERVER_URL
    yield "Admin", f"{settings.SITE_URL}/admin/"
    yield "Sign-in", _sign_in()
    yield "Who may call", _callers()
    yield "Database", _database()
    yield "Cache", "Redis" if shared_store() else "memory of each process"
    for services in contributed("holdings", "services"):
        yield from services()
    yield "Uploads", _uploads()
    yield "Limits", _limits()
    yield "Sample data", _sample_data() if migrated else "not loaded"


def _sign_in() -> str:
    own = "built-in, with the accounts of this site"
    pages = f"; the pages also through {_host(settings.OIDC_ISSUER)}" if settings.OIDC_RP_CLIENT_ID else ""
    return f"{own if signing.is_own_issuer() else f'through {settings.AUTH0_ISSUER}'}{pages}"


def _callers() -> str:
    if signing.is_own_issuer():
        callers = "accounts of this site; each may read what its groups may"
    elif not settings.ACCESS_AUTO_CREATE_USERS:
        callers = "people who have an account here; each may read what their groups may"
    elif settings.ACCESS_GROUPS_CLAIM:
        callers = f"everybody who signs in; groups come from the claim {settings.ACCESS_GROUPS_CLAIM}"
    elif settings.ACCESS_DEFAULT_GROUP:
        callers = f"everybody who signs in; new people join the group {settings.ACCESS_DEFAULT_GROUP}"
    else:
        callers = "everybody who signs in; new people have no access until it is granted"
    scopes = ", ".join(settings.REQUIRED_SCOPES)
    return f"{callers}; tokens need the scope {scopes}" if scopes else callers


def _database() -> str:
    settings_dict = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"SQLite, {_near(Path(settings_dict['NAME']))}"
    return f"{connection.display_name}, {settings_dict['HOST'] or 'on this machine'}"


def _uploads() -> str:
    by = "" if settings.UPLOAD_AUTOSTART else f"; {typed('process_uploads', '--watch')} loads them"
    places = {storages.FOLDER: "", storages.DATABASE: ", kept in the database"}
    place = places.get(settings.UPLOAD_STORAGE["BACKEND"], ", kept in a bucket")
    return f"on, up to {settings.UPLOAD_MAX_MB} MB at once{place}{by}"


def _limits() -> str:
    on = [f"{settings.RATE_LIMIT} per user and tool"] if _limits_something(settings.RATE_LIMIT) else []
    on += ["other limits for some tools"] if settings.TOOL_RATE_LIMITS else []
    on += [f"{settings.CONCURRENT_CALLS} concurrent calls per user"] if settings.CONCURRENT_CALLS else []
    return ", ".join(on) if on else "off"


def _limits_something(rate: str) -> bool:
    return rate not in ("", "none")


def _sample_data() -> str:
    counts = {each.noun: each.loaded().count() for each in samples.installed()}
    loaded = [f"{n} {what}{'' if n == 1 else 's'}" for what, n in counts.items() if n]
    if loaded:
        public = " and public" if settings.PUBLIC else ""
        return "\n".join(
            [f"loaded{public}: {', '.join(loaded)}; delete it with", typed("remove_sample_data")]
        )
    if samples.wanted():
        return "not loaded"
    why = "the address is public" if settings.PUBLIC else "somebody removed it"
    commands = [typed(each.command, _near(samples.folder_of(each.kind))) for each in samples.installed()]
    return "\n".join([f"not loaded, because {why}; load it with", *commands])


def typed(*arguments: str) -> str:
    """Return a management command as typed in the folder of this site."""
    # Without it the command would use another database, and make it.
    file = os.environ.get("ENV_FILE")
    named = f"ENV_FILE={shlex.quote(file)} " if file else ""
    return f"{named}{connecting.manage(elsewhere=shlex.quote(sys.executable))} {shlex.join(arguments)}"


def _near(path: Path) -> str:
    """Return `path` as typed there."""
    return str(path.relative_to(settings.BASE_DIR) if path.is_relative_to(settings.BASE_DIR) else path)


def _host(url: str) -> str:
    return urlsplit(url).netloc
