"""Who may read what: the only place that decides it, for one thing and for a queryset.

A data app declares a policy for what it publishes. Tools, menus, completions, pages and figures use it, and
nothing else decides. The admin is for curators, who see everything that their permissions in Django allow.
"""

from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.contrib.auth.models import AnonymousUser, User
from django.db import models
from django.db.models import Q, QuerySet

from mcpsite.access.caller import Caller

Principal = Caller | User | AnonymousUser
Things = TypeVar("Things", bound="QuerySet[Any]")


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupPolicy:
    """People with a permission may read a thing; if it is limited to groups, only those groups' members.

    What can be limited, the thing itself or what it belongs to, has a many-to-many field `groups`. A
    superuser reads everything that is published.
    """

    permission: str
    """The Django permission that reading needs in any case, `app_label.codename`."""
    limited: str = "pk"
    """The foreign key to what is limited, if that is not the thing itself."""
    published: Q = field(default_factory=Q)
    """The things that may be read at all."""

    def admits(self, principal: Principal) -> bool:
        """Return whether `principal` may read such things, or at least those that are not limited."""
        return principal.has_perm(self.permission)

    def groups_of(self, principal: Principal) -> frozenset[int] | None:
        """Return the keys of the groups that `principal` reads with; None for one without limits."""
        if principal.is_superuser:
            return None
        if isinstance(principal, Caller):
            return principal.groups
        return frozenset(principal.groups.values_list("pk", flat=True))

    def visible_to(self, principal: Principal, things: Things) -> Things:
        """Return those of `things` that `principal` may read."""
        if not self.admits(principal):
            return things.none()
        things = things.filter(self.published)
        groups = self.groups_of(principal)
        if groups is None:
            return things
        owner = things.model
        if self.limited != "pk":
            owner = owner._meta.get_field(self.limited).related_model
        many: Any = owner._meta.get_field("groups")
        limits = many.remote_field.through.objects.values(many.m2m_field_name())
        theirs = limits.filter(**{f"{many.m2m_reverse_field_name()}__in": groups})
        within = f"{self.limited}__in"
        return things.filter(~Q(**{within: limits}) | Q(**{within: theirs}))

    def is_visible_to(self, principal: Principal, thing: models.Model) -> bool:
        """Return whether `principal` may read `thing`, as it is in the database."""
        return self.visible_to(principal, type(thing)._default_manager.filter(pk=thing.pk)).exists()


def keep_limiting_groups(model: type[models.Model]) -> None:
    """Prevent that a group is deleted while it limits a thing of `model`, which would open it to everybody.

    Deleting such a group raises a ProtectedError, and in the admin shows a page that names the things.

    Django allows `on_delete` only in a custom `through` model, and gives that no field in the admin.
    """
    field: Any = model._meta.get_field("groups")
    through = field.remote_field.through
    through._meta.get_field(field.m2m_reverse_field_name()).remote_field.on_delete = models.PROTECT
