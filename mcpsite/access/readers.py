"""What the group `readers` may read at first: what is published, because tools and menus need that."""

from collections.abc import Callable, Iterable
from typing import Any

from django.apps import AppConfig
from django.contrib.auth.models import Group, Permission
from django.db import connections, router, transaction

from mcpsite.access.models import DefaultGrant

READERS = "readers"

_sources: list[Callable[[], Iterable[str]]] = []


def add_source(permissions: Callable[[], Iterable[str]]) -> None:
    """Register `permissions`, a function that returns permissions for reading (`app_label.view_model`)."""
    _sources.append(permissions)


def published(app: AppConfig) -> set[str]:
    """Return the permissions to view what `app` publishes; empty if it publishes nothing."""
    needed = {each for permissions in _sources for each in permissions()}
    return {each for each in needed if each.startswith(f"{app.label}.view_")}


def grant_new_permissions(sender: AppConfig, *, using: str, **_: Any) -> None:
    """Give `readers` the permissions to view what `sender` publishes that they were not given before.

    Runs after each `migrate` (post_migrate), after Django has made the permissions. The group is made
    with the first of them, and not again after an operator has deleted it.
    """
    needed = published(sender)
    if not needed or not router.allow_migrate_model(using, DefaultGrant):
        return
    connection = connections[using]
    if DefaultGrant._meta.db_table not in connection.introspection.table_names():
        return  # `migrate` was told to stop before this app's tables.
    with transaction.atomic(using=using):
        given = DefaultGrant.objects.using(using)
        first = not given.exists()
        new = list(
            Permission.objects.using(using)
            .filter(
                content_type__app_label=sender.label,
                codename__in=[each.partition(".")[2] for each in needed],
            )
            .exclude(pk__in=given.values("permission"))
        )
        groups = Group.objects.using(using)
        if first and new:
            groups.get_or_create(name=READERS)
        group = groups.filter(name=READERS).first()
        if group is not None:
            group.permissions.add(*new)
        given.bulk_create([DefaultGrant(permission=permission) for permission in new], ignore_conflicts=True)
