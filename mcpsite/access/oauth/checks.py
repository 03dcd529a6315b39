"""System checks of the built-in server, for `manage.py check` and `migrate`."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.db import DatabaseError

GUESSES = ("admin", "password", "demo", "changeme")
MOST_ACCOUNTS = 3
"""Trying a password takes a good part of a second."""


@checks.register(checks.Tags.database)
def no_demo_password(*, databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Return access.oauth.E001: in public an administrator has a password that anybody would try first."""
    if not databases or not settings.PUBLIC:
        return []
    users = get_user_model()._default_manager.filter(is_superuser=True, is_active=True)
    try:
        first = list(users.order_by("pk")[:MOST_ACCOUNTS])
    except DatabaseError:
        return []  # The tables do not exist yet, so there is nobody.
    return [
        checks.Error(
            f"The administrator {user.get_username()!r} has a very common password, and the built-in "
            "authorization server is public.",
            hint=f"Change it: manage.py changepassword {user.get_username()}.",
            id="access.oauth.E001",
        )
        for user in first
        if any(user.check_password(guess) for guess in (user.get_username(), *GUESSES))
    ]
