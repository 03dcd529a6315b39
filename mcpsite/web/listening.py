"""Whether a server can listen at its address: checked before anything else is done."""

import errno
import socket
from typing import Any

RESERVED = 1024
"""Lower ports are for accounts with special rights."""
TRIED = 100
"""How many ports after a used one are tried; the first free one is proposed."""


class CannotListen(Exception):
    """Nothing can listen there; what is wrong and what to do, in a sentence or two."""


def where(host: str, port: int) -> str:
    """Return the host to listen on: `host`, or its only address that this machine has. Raises CannotListen.

    `localhost` means two addresses, and if IPv6 is switched off, one that nobody can use.
    """
    usable: list[str] = []
    unavailable: OSError | None = None
    for family, address in _bind_addresses(host, port):
        try:
            _bind(family, address)
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise CannotListen(_sentence(host, port, error)) from error
            unavailable = error
        else:
            usable.append(str(address[0]))
    if unavailable is None:
        return host
    if not usable:
        raise CannotListen(_sentence(host, port, unavailable)) from unavailable
    return usable[0]


def _bind_addresses(host: str, port: int) -> list[tuple[int, Any]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise CannotListen(
            f"HOST is {host!r}, which is not an address or name that this machine knows. {_HOSTS}"
        ) from None
    return [(family, address) for family, _, _, _, address in found]


_HOSTS = (
    "Set HOST to localhost (for this machine alone), to 0.0.0.0 (for every address of this machine) or to "
    "one of its addresses."
)


def _bind(family: int, address: Any) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server does: a port that was closed a moment ago is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.bind(address)


def _sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        free = _free(host, port)
        other = f": PORT={free} in .env or in front of the command" if free else " with PORT"
        return (
            f"Port {port} is in use by another program, perhaps this site in another terminal. Stop it, "
            f"or choose another port{other}."
        )
    if error.errno in (errno.EACCES, errno.EPERM) and port < RESERVED:
        return (
            f"This account may not use port {port}: ports below {RESERVED} need special permissions. Set "
            f"PORT to {RESERVED} or more, and let a proxy listen on {port}."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"HOST is {host}, which is not an address of this machine. {_HOSTS}"
    return f"Nothing can listen on {host}, port {port}: {error.strerror}. {_HOSTS}"


def _free(host: str, port: int) -> int | None:
    for each in range(port + 1, min(port + TRIED, 65_535) + 1):
        try:
            for family, address in _bind_addresses(host, each):
                _bind(family, address)
        except OSError:
            continue
        return each
    return None
