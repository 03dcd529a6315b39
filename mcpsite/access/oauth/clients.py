"""Clients: what one may say about itself, and where it may send people.

Anybody may register a client, so nothing here is believed: names are shown as claims, and a redirect
goes to https, to the person's own machine, or to an application on it.
"""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mcpsite.core import conf

AUTH_METHODS = ("none", "client_secret_basic", "client_secret_post")
GRANT_TYPES = ("authorization_code", "refresh_token")

APP_SCHEMES = frozenset(
    {
        *("cursor", "kiro", "raycast", "trae", "vscode", "vscode-insiders", "vscodium"),
        *("warp", "windsurf", "windsurf-next", "zed"),
    }
)
"""Private-use schemes of applications that do not name theirs after a domain that they own."""
_DOMAIN_SCHEME = re.compile(r"[a-z]{2,}(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
"""RFC 8252 §7.1: a domain name in reverse order, such as com.example.app."""
_NAMED_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?")

MAX_METADATA_BYTES = 16 * 1024
MAX_REDIRECT_URIS = 20
MAX_URI_LENGTH = 2000
MAX_NAME_LENGTH = 100


class InvalidMetadata(Exception):
    """The metadata cannot be accepted: an error code of RFC 7591 §3.2.2 and a sentence."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


@dataclass(frozen=True, kw_only=True, slots=True)
class Metadata:
    """The stored part of a client's metadata (RFC 7591 §2)."""

    name: str
    redirect_uris: tuple[str, ...]
    auth_method: str
    """One of AUTH_METHODS."""

    @classmethod
    def from_json(cls, body: bytes) -> "Metadata":
        """Return the metadata in a registration request; raises InvalidMetadata."""
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise InvalidMetadata("invalid_client_metadata", "The request is not a JSON object.")
        return cls.from_document(document)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Metadata":
        """Return the metadata in `document`; members without use for this server are left out (RFC 7591 §2).

        Grant types are not refused if the code flow is among them, nor redirect URIs if one can be used,
        because clients list whatever they could do. A member that is null or empty counts as left out, and a
        text in place of a list as that list. Raises InvalidMetadata.
        """
        uris = _member_list(document, "redirect_uris")
        if not uris or len(uris) > MAX_REDIRECT_URIS:
            raise InvalidMetadata(
                "invalid_redirect_uri", f"redirect_uris has to be a list of 1 to {MAX_REDIRECT_URIS} URLs."
            )
        usable = dict.fromkeys(uri for uri in uris if not redirect_fault(uri))
        if not usable:
            raise InvalidMetadata("invalid_redirect_uri", redirect_fault(uris[0]))
        if "authorization_code" not in (_member_list(document, "grant_types") or ["authorization_code"]):
            raise InvalidMetadata("invalid_client_metadata", "grant_types has to include authorization_code.")
        if "code" not in (_member_list(document, "response_types") or ["code"]):
            raise InvalidMetadata("invalid_client_metadata", "response_types has to include code.")
        method = document.get("token_endpoint_auth_method") or "client_secret_basic"
        if method not in AUTH_METHODS:
            raise InvalidMetadata(
                "invalid_client_metadata",
                f"token_endpoint_auth_method has to be one of {', '.join(AUTH_METHODS)}.",
            )
        return cls(
            name=clean_name(document.get("client_name")), redirect_uris=tuple(usable), auth_method=method
        )


def redirect_fault(uri: object) -> str:
    """Return what is wrong with a redirect URI, as a sentence; empty if it can be used.

    https, http on this machine at any port (RFC 8252 §7.3), or the scheme of an application (§7.1), whose
    codes are useless to another application without the verifier of PKCE. No fragment (RFC 6749
    §3.1.2), no user.
    """
    if not isinstance(uri, str) or len(uri) > MAX_URI_LENGTH:
        return f"A redirect URI has to be a text of at most {MAX_URI_LENGTH} characters."
    # Browsers and servers read backslashes, spaces and other scripts differently.
    if not all("!" <= each <= "~" and each not in '"<>\\^`{|}' for each in uri):
        return "A redirect URI may only contain the characters of a URL."
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018  (raises for what is no port)
    except ValueError:
        return "A redirect URI has to be a URL."
    if "@" in parts.netloc or "#" in uri:
        return "A redirect URI must not contain a user or a fragment."
    if is_of_app(uri):
        # com.example.app:/callback has no host, and three slashes are another spelling of one.
        return (
            ""
            if parts.hostname or re.match(r"[^:]+:/[^/]", uri)
            else "A redirect URI needs a path or host after its scheme."
        )
    if not parts.hostname:
        return "A redirect URI needs a host."
    if parts.scheme != "https" and not (parts.scheme == "http" and conf.is_loopback(uri)):
        return (
            "A redirect URI has to be https, http on localhost, 127.0.0.1 or [::1], or have the scheme of an "
            "application, such as com.example.app or cursor."
        )
    return ""


def is_of_app(uri: str) -> bool:
    """Return whether a redirect URI opens an application by its private-use scheme (RFC 8252 §7.1)."""
    scheme = urlsplit(uri).scheme
    return scheme in APP_SCHEMES or _DOMAIN_SCHEME.fullmatch(scheme) is not None


def allowed_schemes(application: Any) -> list[str]:
    """Return the schemes of an application's redirect URIs; the toolkit's list is the same for all."""
    return [urlsplit(uri).scheme for uri in application.redirect_uris.split() if not redirect_fault(uri)]


def form_target(uri: str) -> str:
    """Return a redirect URI's origin as a source of a Content-Security-Policy (CSP3 §2.3.1).

    It is the scheme alone for an address that such a source cannot name: [::1], a host with odd characters,
    or that of an application.
    """
    parts = urlsplit(uri)
    named = _NAMED_HOST.fullmatch(parts.netloc) and not is_of_app(uri)
    return f"{parts.scheme}://{parts.netloc}" if named else f"{parts.scheme}:"


def clean_name(value: object) -> str:
    """Return a client's name as it may be shown: one bounded line without invisible or turning characters."""
    if not isinstance(value, str):
        return ""
    return " ".join("".join(each if each.isprintable() else " " for each in value).split())[:MAX_NAME_LENGTH]


def _member_list(document: dict[str, Any], name: str) -> list[Any]:
    """Return the list in a member, whose items may be anything; a text counts as a list of its words."""
    value = document.get(name) or []
    if isinstance(value, str):
        return value.split()
    if not isinstance(value, list):
        raise InvalidMetadata("invalid_client_metadata", f"{name} has to be a list.")
    return value
