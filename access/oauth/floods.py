"""Limits for what strangers may ask of the authorization server, counted in Django's cache."""

import ipaddress
import time

from django.core.cache import cache

SECONDS = 3600
COMMON = 100


def seconds_to_wait(what: str, address: str, limit: int) -> int:
    """Count one `what` from `address`; 0 while there are at most `limit` in the hour, else when to come back.

    COMMON times as many are taken from all addresses together: a few addresses keep nobody else out.
    """
    window, passed = divmod(int(time.time()), SECONDS)
    for scope, most in ((_network(address), limit), ("all", limit * COMMON)):
        key = f"oauth:{what}:{scope}:{window}"
        cache.add(key, 0, SECONDS)
        try:
            count = cache.incr(key)
        except ValueError:  # It was evicted in between.
            continue
        if count > most:
            return SECONDS - passed
    return 0


def _network(address: str) -> str:
    """The address, or the /64 that one subscriber has of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        return ipaddress.ip_network((parsed, 64), strict=False).network_address.exploded
    return str(parsed)
