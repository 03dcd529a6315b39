"""Lists of the admin that are only for reading, because their records are made elsewhere."""

from typing import Any

from django.db.models import Model
from django.http import HttpRequest

from mcpsite.core.modeladmin import ModelAdmin


class ReadOnly(ModelAdmin[Any]):
    """A ModelAdmin in which nobody adds, changes or deletes anything."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 (Django's signature)
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False
