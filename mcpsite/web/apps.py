from django.apps import AppConfig
from django.contrib import admin
from django.core.checks import register


class WebConfig(AppConfig):
    name = "mcpsite.web"
    verbose_name = "Site"

    def ready(self) -> None:
        # unfold has replaced Django's site with its own by now.
        admin.site.index_template = "mcpsite/dashboard.html"
        from mcpsite.web.sharing import check_sharing  # needs the models
        from mcpsite.web.static_files import check_gathered

        register(check_sharing, deploy=True)
        register(check_gathered, deploy=True)
