from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from mcpsite.access import signing


class Command(BaseCommand):
    help = (
        "Sign access tokens with a new key from now on. The older keys stay published until the last token "
        "that they signed has expired, so nobody has to sign in again; a running server needs no restart."
    )

    def handle(self, **_: Any) -> None:
        if not signing.is_own_issuer():
            raise CommandError(
                f"Tokens are signed by {settings.AUTH0_ISSUER} (AUTH0_ISSUER); roll its keys there."
            )
        try:
            kid, older = signing.rotate()
        except (OSError, ImproperlyConfigured) as error:
            raise CommandError(f"The key could not be rolled: {error}") from error
        self.stdout.write(f"The new key is {kid}; {older} older stay published.")
