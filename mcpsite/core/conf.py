"""What the settings mean: pure functions from the environment's text to Django's values.

A mistake is an `ImproperlyConfigured` at start-up whose message holds the remedy.
"""

import os
import re
import secrets
import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from mcpsite.core import database_url, values
from mcpsite.core.environment import masked

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_LOOPBACK_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?")
_PUBLIC_HOST = re.compile(r"([a-z0-9-]+(\.[a-z0-9-]+)*\.?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


def resource_url(value: str) -> str:
    """Return the endpoint's exact public URL: `value` with `/mcp` appended if it has no path.

    Raises ImproperlyConfigured for anything but an http(s) URL without query, fragment or user.
    """
    try:
        parts = values.address(value.strip())
        if parts.query:
            raise ValueError
    except ValueError:
        raise ImproperlyConfigured(
            f"RESOURCE_SERVER_URL is {masked('RESOURCE_SERVER_URL', value)}; set it to the public address of "
            "this server, for example https://data.example.com/mcp."
        ) from None
    path = parts.path.rstrip("/") or "/mcp"
    if path != "/mcp":
        raise ImproperlyConfigured(
            f"RESOURCE_SERVER_URL ends in {path!r}; this server answers at /mcp, so end it with /mcp or "
            "leave the path out."
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def origin_of(url: str) -> str:
    """Return scheme, host and port of `url`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(url: str) -> bool:
    """Return whether `url` names this machine: exactly localhost, 127.0.0.1 or [::1], parsed, not matched."""
    # `hostname` alone would take `[::1].attacker.example` for this machine.
    return _LOOPBACK_HOST.fullmatch(urlsplit(url).netloc.lower()) is not None


def allowed_hosts(url: str, extra: list[str]) -> list[str]:
    """Return Django's ALLOWED_HOSTS: the public host, loopback, and what the operator adds."""
    return list(dict.fromkeys([host_of(urlsplit(url).netloc.rsplit("@")[-1]), *LOOPBACK_NAMES, *extra]))


def host_of(netloc: str) -> str:
    """Return the host of `host:port`, with brackets around an IPv6 address."""
    return netloc if netloc.endswith("]") else netloc.rsplit(":", 1)[0] if ":" in netloc else netloc


def allowed_origins(url: str, extra: list[str]) -> list[str]:
    """Return the origins from which a browser may call `/mcp`; loopback on any port is always among them."""
    return list(dict.fromkeys([origin_of(url), *(origin.rstrip("/") for origin in extra)]))


BUILTIN = "builtin"


def authorization_server(chosen: str, issuer: str, *, url: str, debug: bool) -> str:
    """Return who signs clients in: BUILTIN, or "" for the provider at `issuer` (AUTH0_ISSUER).

    On a loopback `url` the built-in server need not be chosen. Raises ImproperlyConfigured if there is nobody
    to trust, if there are two, or if the built-in server would be public and unsafe.
    """
    public = not is_loopback(url)
    if chosen not in ("", BUILTIN):
        raise ImproperlyConfigured(
            f"AUTHORIZATION_SERVER is {masked('AUTHORIZATION_SERVER', chosen)}; it can be {BUILTIN!r} or "
            "left out."
        )
    if chosen and issuer:
        raise ImproperlyConfigured(
            f"AUTHORIZATION_SERVER is {BUILTIN!r} and AUTH0_ISSUER is set too; unset one of them."
        )
    require_issuer(issuer, public=public and not chosen)
    if issuer:
        return ""
    if public and not url.startswith("https://"):
        raise ImproperlyConfigured(
            "The built-in authorization server is public without https, so passwords and tokens could be "
            "read in transit; set RESOURCE_SERVER_URL to the https:// address of this server."
        )
    if public and debug:
        raise ImproperlyConfigured(
            "The built-in authorization server is public with DEBUG on, which shows secrets in error pages; "
            "set DEBUG=0."
        )
    return BUILTIN


def require_issuer(issuer: str, *, public: bool) -> None:
    """Raise ImproperlyConfigured if a public server has nobody to trust for its tokens."""
    if public and not issuer:
        raise ImproperlyConfigured(
            "AUTH0_ISSUER is not set and RESOURCE_SERVER_URL is public; set AUTH0_ISSUER to your identity "
            "provider's issuer, for example https://your-tenant.eu.auth0.com/, or choose the built-in "
            "authorization server with AUTHORIZATION_SERVER=builtin."
        )
    if issuer:
        check_issuer("AUTH0_ISSUER", issuer)


def check_issuer(name: str, issuer: str) -> None:
    """Raise ImproperlyConfigured unless the variable `name` holds what an OIDC issuer can be."""
    try:
        parts = values.address(issuer)
    except ValueError:
        parts = None
    if parts is None or parts.query or (parts.scheme == "http" and not is_loopback(issuer)):
        raise ImproperlyConfigured(
            f"{name} is {masked(name, issuer)}; it has to be an https:// URL without query, fragment or user "
            "(http:// only on this machine)."
        )


def introspection_endpoint(value: str, *, issuer: str, client_id: str, client_secret: str) -> str:
    """Return INTROSPECTION_ENDPOINT as given; "" for none.

    Every opaque token is sent to it, so it has to be https, or http on exactly localhost, 127.0.0.1 or
    [::1] (client-contract 18). Raises ImproperlyConfigured.
    """
    if not value:
        if client_id or client_secret:
            raise ImproperlyConfigured(
                "INTROSPECTION_CLIENT_ID or INTROSPECTION_CLIENT_SECRET is set without "
                "INTROSPECTION_ENDPOINT; set INTROSPECTION_ENDPOINT, or unset them."
            )
        return ""
    if not _is_safe(value):
        raise ImproperlyConfigured(
            f"INTROSPECTION_ENDPOINT is {masked('INTROSPECTION_ENDPOINT', value)}; it has to be an "
            "https:// URL without user or fragment (http:// only on localhost, 127.0.0.1 or [::1])."
        )
    if not issuer:
        raise ImproperlyConfigured(
            "INTROSPECTION_ENDPOINT is set without AUTH0_ISSUER; set AUTH0_ISSUER to the issuer of those "
            "tokens."
        )
    if not (client_id and client_secret):
        raise ImproperlyConfigured(
            "INTROSPECTION_ENDPOINT needs INTROSPECTION_CLIENT_ID and INTROSPECTION_CLIENT_SECRET: "
            "a confidential client of your provider that may introspect tokens."
        )
    return value


def _is_safe(url: str) -> bool:
    """Return whether `url` is https, or http on this machine, in a spelling that all parsers read alike."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url or "#" in url:
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    hosts = {"https": _PUBLIC_HOST, "http": _LOOPBACK_HOST}.get(parts.scheme)
    return hosts is not None and port != 0 and hosts.fullmatch(parts.netloc.lower()) is not None


def secret_key(value: str, remembered: Path, *, required: bool) -> str:
    """Return SECRET_KEY as given; on a developer's machine one is made once and stored in `remembered`."""
    if value:
        return value
    if required:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set; set it to a long random text, for example the output of python -c "
            "'import secrets; print(secrets.token_urlsafe(50))'."
        )
    try:
        return read_or_create(remembered, secrets.token_urlsafe(50))
    except OSError as error:
        raise ImproperlyConfigured(
            f"STATE_DIR is {masked('STATE_DIR', str(remembered.parent))}, where SECRET_KEY cannot be "
            f"stored: {error.strerror}; make it writable or set SECRET_KEY."
        ) from None


def make_folder(name: str, path: Path) -> None:
    """Make the folder that the variable `name` names, for this account alone. Raises ImproperlyConfigured."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
        # Made before, or by a program that asked nobody. A folder for everybody (/tmp) is left as it is.
        if found.st_uid == os.geteuid() and found.st_mode & 0o077 and not found.st_mode & stat.S_ISVTX:
            path.chmod(0o700)
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name} is {masked(name, str(path))}, where a folder cannot be created: {error.strerror}."
        ) from None


def read_or_create(path: Path, text: str) -> str:
    """Return the content of `path`; a missing one is made with `text` (readable by its owner alone).

    Safe if several processes start at once: one of them wins, and all of them read what it wrote.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_text(text)
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text()


OTHER_CONNECTIONS = 5
"""Beside calls and pages: the audit trail, a readiness probe, and what the home page asks on the side."""


def is_postgresql(url: str) -> bool:
    """Return whether a DATABASE_URL names PostgreSQL, which processes on several hosts can share."""
    return url.strip().lower().startswith(database_url.POSTGRESQL)


def page_threads(url: str) -> int:
    """Return how many pages are answered at once by default; on SQLite no server counts connections."""
    return 8 if is_postgresql(url) else 32


def signing_key_file(path: Path, *, shared: bool) -> Path | None:
    """Return the default file of the signing keys: None, for the database, if that is `shared`.

    A file that exists stays in use.
    """
    return path if not shared or path.exists() else None


def database(url: str, *, setting: str = "DATABASE_URL", connections: int = 16) -> dict[str, Any]:
    """Return Django's DATABASES entry for an address; `connections` is how many calls and pages may need.

    On PostgreSQL connections are pooled, unless `pool=false` or a `conn_max_age` asks for Django's own
    persistent connections. Raises ImproperlyConfigured.
    """
    address = database_url.address_of(url, setting)
    asked, options = address.asked, address.config["OPTIONS"]
    age, checked = asked.get("conn_max_age", 600), asked.get("conn_health_checks", True)
    if not address.is_postgresql:
        # Readers go on while a load writes (WAL); a writer waits for its turn instead of failing.
        options |= {
            "transaction_mode": "IMMEDIATE",
            "timeout": asked.get("timeout", 30),
            # SQLite's own small caches: each thread has a connection, and the system caches the file anyway.
            # The journal is cut to 64 MiB whenever it starts again. No connection maps the file into memory:
            # some builds of SQLite do so by default, each connection anew.
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=67108864; "
                "PRAGMA mmap_size=0;"
            ),
        }
        return address.config | {"CONN_MAX_AGE": age, "CONN_HEALTH_CHECKS": checked}
    if role := asked.get("assume_role"):
        options["assume_role"] = role
    if asked.get("pool", asked.get("conn_max_age", 0) == 0):
        most = asked.get("pool_max_size", connections + OTHER_CONNECTIONS)
        least = asked.get("pool_min_size", 0)
        if least > most:
            raise ImproperlyConfigured(
                f"{setting} has pool_min_size={least}, which is more than the largest size of the pool, "
                f"{most}; lower it or raise pool_max_size."
            )
        options["pool"] = {"min_size": least, "max_size": most}
        age = 0  # The pool keeps the connections, and Django refuses to keep them too.
    else:
        # Django keeps one for each thread that ever served a page.
        age = asked.get("conn_max_age", 0)
    return address.config | {
        "CONN_MAX_AGE": age,
        "CONN_HEALTH_CHECKS": checked,
        "DISABLE_SERVER_SIDE_CURSORS": asked.get("disable_server_side_cursors", False),
    }


def cache(url: str) -> dict[str, Any]:
    """Return Django's CACHES entry for a CACHE_URL: this process's memory by default, else `redis://…`."""
    if not url:
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    from redis import ConnectionPool  # takes a tenth of the start of a command, and most sites have none

    try:
        # Made and not connected: the library reports what it cannot read, options too.
        ConnectionPool.from_url(url).make_connection()
    except (ValueError, TypeError):
        raise ImproperlyConfigured(
            f"CACHE_URL is {masked('CACHE_URL', url)}; it has to be like redis://:password@host:6379/0 "
            "(or rediss://, unix:///socket), with special characters in the password percent-encoded, or "
            "be left out."
        ) from None
    return {"BACKEND": "mcpsite.core.cache.SharedCache", "LOCATION": url}


def assignments(setting: str, text: str) -> dict[str, str]:
    """Return the `name=value` pairs of a list with commas; a value may be empty and contain equals signs.

    Raises ImproperlyConfigured, also for a name that occurs twice and for pairs separated by blanks.
    """
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    for name, equals, value in pairs:
        if not equals or not name.strip() or re.search(r"\s[\w./-]+=", value):
            raise ImproperlyConfigured(
                f"{setting} contains {masked(setting, (name + equals + value).strip())}; write "
                "name=value, and separate several with commas."
            )
    found = {name.strip(): value.strip() for name, _, value in pairs}
    if len(found) < len(pairs):
        raise ImproperlyConfigured(f"{setting} contains a name twice; write each name once.")
    return found
