from django.apps import AppConfig
from django.core.checks import register
from django.db.backends.signals import connection_created


class DatasetsConfig(AppConfig):
    name = "mcpsite.datasets"
    verbose_name = "Data sets"

    def ready(self) -> None:
        from mcpsite.datasets.checks import check_published  # needs the models
        from mcpsite.datasets.medians import add_to_sqlite

        connection_created.connect(add_to_sqlite, dispatch_uid="mcpsite.datasets.medians")
        register(check_published)
