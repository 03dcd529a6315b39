"""DATABASE_URL and similar settings: an address of PostgreSQL, read by libpq itself, or of a SQLite file."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from urllib.parse import unquote

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from mcpsite.core.environment import masked
from mcpsite.core.values import TEN_YEARS, flag, whole

POSTGRESQL = ("postgres", "postgresql", "pgsql", "psql")
FORMS = "postgres://user:password@host:5432/name or sqlite:////folder/file.sqlite3"
ENCODED = (
    "special characters in the user, the password or an option are percent-encoded: @ %40, : %3A, / %2F, "
    "? %3F, % %25"
)
MOST_CONNECTIONS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """What a DATABASE_URL means."""

    config: dict[str, Any]
    """ENGINE, NAME, USER, PASSWORD, HOST, PORT and the driver's OPTIONS, as in Django's DATABASES."""
    asked: dict[str, Any]
    """The given options for Django and this site, by their names in lower case."""

    @property
    def is_postgresql(self) -> bool:
        return bool(self.config["ENGINE"].endswith("postgresql"))


def address_of(url: str, setting: str = "DATABASE_URL") -> Address:
    """Return what the value of `setting` means. Raises ImproperlyConfigured, never showing a password."""
    try:
        return _address_of(url)
    except ValueError as error:
        raise ImproperlyConfigured(f"{setting} is {masked(setting, url)}; {error}.") from None


def _address_of(url: str) -> Address:
    """Return what `url` means. Raises ValueError with what the value has to be."""
    base, _, query = url.strip().partition("?")
    scheme, _, place = base.partition("://")
    if scheme.lower() in POSTGRESQL:
        known, read = _POSTGRESQL_OPTIONS, _postgresql
    elif scheme.lower() == "sqlite" and base != scheme:
        known, read = _SQLITE_OPTIONS, _sqlite
    else:
        raise ValueError(f"it has to be like {FORMS}")
    if "@" in query:
        # Most likely part of a password with a question mark, so no piece of it is shown.
        raise ValueError(ENCODED)
    asked: dict[str, Any] = {}
    others: list[str] = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        key = unquote(name).lower()
        if key not in known:
            others.append(part)
        elif value:
            try:
                asked[key] = known[key](unquote(value).strip())
            except ValueError as error:
                raise ValueError(f"its option {key} {error}") from None
    return Address(config=read(place, others), asked=asked)


def _postgresql(place: str, options: list[str]) -> dict[str, Any]:
    authority, _, path = place.partition("/")
    if authority.count("@") > 1 or "@" in path:
        # libpq would take a part of the password for the host.
        raise ValueError(ENCODED)
    known = {option.keyword.decode() for option in Conninfo.get_defaults()} | {"ssl"}
    for name in (unquote(option.partition("=")[0]) for option in options):
        if name not in known:
            near = get_close_matches(name, [*known, *_POSTGRESQL_OPTIONS], n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise ValueError(f"neither PostgreSQL nor this site has an option {name[:40]!r}{hint}")
    try:
        # libpq has two names for this.
        read = conninfo_to_dict(f"postgresql://{place}?{'&'.join(options)}")
    except (psycopg.ProgrammingError, UnicodeError):
        # The library's own message may quote a part of the password.
        raise ValueError(f"it has to be like {FORMS}; {ENCODED}") from None
    given = {name: str(value) for name, value in read.items()}
    if not given.get("connect_timeout", "0").isdecimal():
        raise ValueError("its option connect_timeout has to be a number of seconds")
    name, port = given.pop("dbname", ""), given.pop("port", "")
    if not all(each == "" or (each.isdecimal() and 0 < int(each) < 65_536) for each in port.split(",")):
        raise ValueError(f"its port has to be a number from 1 to 65535; {ENCODED}")
    if not name and "service" not in given:
        raise ValueError(f"it does not name a database; it has to be like {FORMS}")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": given.pop("user", ""),
        "PASSWORD": given.pop("password", ""),
        "HOST": given.pop("host", ""),
        "PORT": port,
        "OPTIONS": given,
    }


def _sqlite(place: str, options: list[str]) -> dict[str, Any]:
    if options:
        raise ValueError(f"with SQLite its options can be {', '.join(_SQLITE_OPTIONS)}")
    if place not in ("", ":memory:") and not place.startswith("/"):
        raise ValueError(
            "write sqlite:/// before a path relative to this folder, and sqlite://// before an absolute path"
        )
    name = unquote(place.removeprefix("/")) or ":memory:"
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": {}}


def _age(text: str) -> int | None:
    if text.lower() == "none":
        return None
    try:
        return whole(0, TEN_YEARS)(text)
    except ValueError as error:
        raise ValueError(f"{error}, or None for connections that stay") from None


_SQLITE_OPTIONS: dict[str, Callable[[str], Any]] = {
    "conn_max_age": _age,
    "conn_health_checks": flag,
    "timeout": whole(0, 3600),
}
_POSTGRESQL_OPTIONS: dict[str, Callable[[str], Any]] = {
    "conn_max_age": _age,
    "conn_health_checks": flag,
    "disable_server_side_cursors": flag,
    "assume_role": str,
    "pool": flag,
    "pool_min_size": whole(0, MOST_CONNECTIONS),
    "pool_max_size": whole(1, MOST_CONNECTIONS),
}
