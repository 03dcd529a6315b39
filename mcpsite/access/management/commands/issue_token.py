import re
from argparse import ArgumentTypeError
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from mcpsite.access import signing
from mcpsite.access.scopes import SCOPE

SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def duration(text: str) -> int:
    """Return the seconds in `3600`, `90s`, `30m`, `1h` or `7d`."""
    found = re.fullmatch(r"([1-9][0-9]{0,9})([smhd]?)", text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is not a duration; write for example 3600, 30m, 1h or 7d")
    return int(found[1]) * SECONDS[found[2]]


class Command(BaseCommand):
    help = (
        "Print an access token for USER, signed by this site. It goes through the same checks as a token of "
        "an identity provider. Nothing but the token is written to standard output."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="USER", help="the user's name")
        parser.add_argument(
            "--scope",
            metavar="SCOPES",
            default=" ".join(settings.REQUIRED_SCOPES),
            help='scopes separated by spaces, for example "a b"; by default REQUIRED_SCOPES',
        )
        parser.add_argument(
            "--ttl",
            metavar="DURATION",
            type=duration,
            default="1h",
            help="how long the token is valid: seconds, or 30m, 1h, 7d (default 1h)",
        )

    def handle(self, *, user: str, scope: str, ttl: int, **_: Any) -> None:
        if not signing.is_own_issuer():
            raise CommandError(
                f"Tokens come from {settings.AUTH0_ISSUER} (AUTH0_ISSUER), so this site issues none; "
                "get one there, or unset AUTH0_ISSUER on a developer's machine."
            )
        if signing.ALGORITHM not in settings.JWT_ALGORITHMS:
            raise CommandError(f"This site signs with {signing.ALGORITHM}; add it to JWT_ALGORITHMS.")
        if ttl > settings.JWT_MAX_LIFETIME_SECONDS:
            raise CommandError(
                f"A token may be valid for {settings.JWT_MAX_LIFETIME_SECONDS} seconds at most "
                "(JWT_MAX_LIFETIME_SECONDS); choose a shorter --ttl."
            )
        scopes = scope.split()
        if not all(SCOPE.fullmatch(each) for each in scopes):
            raise CommandError("A scope may contain printable ASCII without quotes and backslashes.")
        users = get_user_model()
        found = users._default_manager.filter(**{users.USERNAME_FIELD: user}).first()
        if found is None:
            raise CommandError(
                f"There is no user {user!r}; create one with createsuperuser or in the admin under Users."
            )
        if not found.is_active:
            raise CommandError(f"User {user!r} is not active, so a token would be refused.")
        self.stdout.write(
            signing.issue(signing.own_subject(found), scopes=scopes, lifetime=ttl, client_id="issue_token")
        )
