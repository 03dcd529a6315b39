from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import Tags, register
from django.db.backends.signals import connection_created
from django.db.models.signals import m2m_changed, post_migrate


class DatasetsConfig(AppConfig):
    name = "mcpsite.datasets"
    verbose_name = "Data sets"

    def ready(self) -> None:
        # These need the models.
        from mcpsite.core.checks import CLIENTS
        from mcpsite.datasets.admin import register_rows
        from mcpsite.datasets.checks import check_published
        from mcpsite.datasets.collations import order_by_code_point
        from mcpsite.datasets.declaration import data_sets
        from mcpsite.datasets.declared_checks import check_combinations, check_declared, check_tool_list
        from mcpsite.datasets.medians import add_to_sqlite
        from mcpsite.datasets.models import SourceFile

        connection_created.connect(add_to_sqlite, dispatch_uid="mcpsite.datasets.medians")
        post_migrate.connect(order_by_code_point, dispatch_uid="mcpsite.datasets.collations")
        through = SourceFile.groups.through
        m2m_changed.connect(_forget_readers, sender=through, dispatch_uid="mcpsite.datasets.readers")
        register(check_declared)
        register(check_combinations, Tags.database)
        register(check_tool_list, CLIENTS, deploy=True)
        register(check_published)
        register_rows()
        for data_set in data_sets():
            app = apps.get_app_config(data_set.model._meta.app_label)
            if app.verbose_name == app.label.title():  # Django's own, which keeps underscores
                app.verbose_name = app.label.replace("_", " ").capitalize()


def _forget_readers(*, instance: Any, action: str, reverse: bool, **_: Any) -> None:
    """Forget who may read which file, which is part of the data's version: the next call sees a change."""
    from mcpsite.datasets import versions
    from mcpsite.datasets.declaration import data_set_named, data_sets

    if action.startswith("post_"):
        changed = data_sets() if reverse else [data_set_named(instance.data_set)]
        for data_set in filter(None, changed):
            versions.bump(data_set, counts=False)
