from django.apps import AppConfig
from django.conf import settings
from django.core.checks import register
from django.db import connections

from mcpsite.core import postgresql


class CoreConfig(AppConfig):
    name = "mcpsite.core"
    verbose_name = "Core"

    def ready(self) -> None:
        from mcpsite.core.checks import check_environment

        register(check_environment)
        # Here and not in the settings, because a database that somebody adds there needs them too.
        for config in settings.DATABASES.values():
            postgresql.complete(config)
        # The models were made with wrappers of the entries as they were before, which are not connected yet.
        for wrapper in connections.all(initialized_only=True):
            del connections[wrapper.alias]
