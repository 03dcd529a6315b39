from django.apps import AppConfig
from django.conf import settings
from django.contrib import admin
from django.core.checks import register
from django.db import connections

from mcpsite import postgresql


class McpsiteConfig(AppConfig):
    name = "mcpsite"
    verbose_name = "The site"

    def ready(self) -> None:
        from mcpsite.checks import environment

        register(environment)
        # Here and not in the settings, so that a database that somebody adds there has them too.
        for config in settings.DATABASES.values():
            postgresql.complete(config)
        # The models were made with wrappers of the entries as they stood, which are not connected yet.
        for wrapper in connections.all(initialized_only=True):
            del connections[wrapper.alias]
        # unfold has put its own site in the place of Django's by now.
        admin.site.index_template = "mcpsite/dashboard.html"
