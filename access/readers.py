"""What the group `readers` may read to begin with: everything that the data apps publish."""

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.models import Group, Permission
from django.db import connections, router, transaction
from django.utils.module_loading import module_has_submodule

from access.models import DefaultGrant

READERS = "readers"


def is_data_app(app: AppConfig) -> bool:
    """Whether `app` offers tools, and so publishes data: it has a module `tools`."""
    return app.module is not None and module_has_submodule(app.module, "tools")


def grant_new_permissions(sender: AppConfig, *, using: str, **_: Any) -> None:
    """Give `readers` the `view` permissions of a data app that they have not been given before.

    Runs after each `migrate` (post_migrate), after Django has made the permissions. The group is made
    with the first of them, and not again after an operator has deleted it.
    """
    if not is_data_app(sender) or not router.allow_migrate_model(using, DefaultGrant):
        return
    connection = connections[using]
    if DefaultGrant._meta.db_table not in connection.introspection.table_names():
        return  # `migrate` was told to stop before this app's tables.
    with transaction.atomic(using=using):
        given = DefaultGrant.objects.using(using)
        first = not given.exists()
        new = list(
            Permission.objects.using(using)
            .filter(content_type__app_label=sender.label, codename__startswith="view_")
            .exclude(pk__in=given.values("permission"))
        )
        groups = Group.objects.using(using)
        if first and new:
            groups.get_or_create(name=READERS)
        group = groups.filter(name=READERS).first()
        if group is not None:
            group.permissions.add(*new)
        given.bulk_create([DefaultGrant(permission=permission) for permission in new], ignore_conflicts=True)
