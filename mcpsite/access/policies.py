"""Who may read what is limited to groups: one rule, for one thing and for a queryset of them.

A kind of thing that can be limited has a many-to-many field `groups`: with none, everybody who holds
the permission may read it; with some, their members only. A superuser reads each.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib.auth.models import AnonymousUser, User
from django.db import models
from django.db.models import Exists, OuterRef, QuerySet

from mcpsite.access.caller import Caller

Who = Caller | User | AnonymousUser
Things = TypeVar("Things", bound="QuerySet[Any]")


@dataclass(frozen=True, slots=True)
class GroupPolicy:
    """The rule for one kind of thing."""

    permission: str
    """The Django permission that reading needs in any case, `app_label.codename`."""

    def visible_to(self, who: Who, things: Things) -> Things:
        """Those of `things` that `who` may read."""
        if not who.has_perm(self.permission):
            return things.none()
        if who.is_superuser:
            return things
        field: Any = things.model._meta.get_field("groups")
        limits = field.remote_field.through.objects.filter(**{field.m2m_field_name(): OuterRef("pk")})
        held = limits.filter(**{f"{field.m2m_reverse_field_name()}__in": groups_of(who)})
        return things.filter(~Exists(limits) | Exists(held))

    def is_visible_to(self, who: Who, thing: models.Model) -> bool:
        """Whether `who` may read `thing`, as the database holds it."""
        return self.visible_to(who, type(thing)._default_manager.filter(pk=thing.pk)).exists()


def groups_of(who: Who) -> frozenset[int]:
    """The primary keys of the groups that `who` is in; a call has read them already."""
    return who.groups if isinstance(who, Caller) else frozenset(who.groups.values_list("pk", flat=True))


def keep_limiting_groups(model: type[models.Model]) -> None:
    """Let no group be deleted while it limits a thing of `model`, which would open that to everybody.

    Whoever deletes such a group gets a ProtectedError, and in the admin a page that names the things.
    """
    field: Any = model._meta.get_field("groups")
    through = field.remote_field.through
    through._meta.get_field(field.m2m_reverse_field_name()).remote_field.on_delete = models.PROTECT
