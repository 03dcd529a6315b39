from typing import TYPE_CHECKING

from django.contrib import admin

from access.models import Identity

if TYPE_CHECKING:
    IdentityAdminBase = admin.ModelAdmin[Identity]
else:
    IdentityAdminBase = admin.ModelAdmin


@admin.register(Identity)
class IdentityAdmin(IdentityAdminBase):
    """Who has called, and as which user; an identity can be added by hand to link it to a user beforehand."""

    list_display = ["subject", "user", "name", "email", "issuer", "last_seen", "created"]
    list_filter = ["issuer", "last_seen", ("user__is_active", admin.BooleanFieldListFilter), "user__groups"]
    list_select_related = ["user"]
    search_fields = ["subject", "name", "email", "user__username"]
    autocomplete_fields = ["user"]
    readonly_fields = ["name", "email", "created", "last_seen"]
    date_hierarchy = "created"
