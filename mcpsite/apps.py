from django.apps import AppConfig
from django.contrib import admin
from django.core.checks import register


class McpsiteConfig(AppConfig):
    name = "mcpsite"
    verbose_name = "The site"

    def ready(self) -> None:
        from mcpsite.checks import environment

        register(environment)
        # unfold has put its own site in the place of Django's by now.
        admin.site.index_template = "mcpsite/dashboard.html"
