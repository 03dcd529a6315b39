from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.auth import admin as auth
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from mcpsite.access.dashboard import calls_per_day
from mcpsite.access.models import AuditEvent, Identity
from mcpsite.core.any_address import WITHOUT_MEANING
from mcpsite.core.modeladmin import ModelAdmin
from mcpsite.core.read_only import ReadOnly
from mcpsite.exchange.exporting import ExportMixin, columns
from mcpsite.history.admin import Recorded

if TYPE_CHECKING:
    UserAdmin = auth.UserAdmin[User]
else:
    UserAdmin = auth.UserAdmin


admin.site.unregister([User, Group])


@admin.register(User)
class PersonAdmin(ExportMixin, Recorded, UserAdmin, ModelAdmin[User]):
    """Who may do what here; making somebody inactive ends their access at their next call."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    resource_classes: ClassVar[list[Any]] = [
        columns(
            User,
            *("id", "username", "email", "first_name", "last_name", "is_active", "is_staff", "is_superuser"),
            *("last_login", "date_joined"),
        )
    ]


@admin.register(Group)
class GroupAdmin(ExportMixin, Recorded, auth.GroupAdmin, ModelAdmin[Group]):
    """Sets of permissions, given to everybody in the group."""

    resource_classes: ClassVar[list[Any]] = [columns(Group, "id", "name")]


@admin.register(Identity)
class IdentityAdmin(ExportMixin, Recorded, ModelAdmin[Identity]):
    """Who has called, and as which user; an identity can be added by hand to link it to a user in advance."""

    list_display = ["subject", "user", "name", "email", "issuer", "last_seen", "created"]
    list_filter = ["issuer", "last_seen", ("user__is_active", admin.BooleanFieldListFilter), "user__groups"]
    list_select_related = ["user"]
    search_fields = ["subject", "name", "email", "user__username"]
    autocomplete_fields = ["user"]
    resource_classes: ClassVar[list[Any]] = [
        columns(
            Identity,
            *("id", "issuer", "subject", "name", "email", "created", "last_seen"),
            user="user__username",
        )
    ]
    readonly_fields = ["name", "email", "created", "last_seen"]
    date_hierarchy = "created"


@admin.register(AuditEvent)
class AuditEventAdmin(ExportMixin, ReadOnly, ModelAdmin[AuditEvent]):
    """The audit trail: to be read, filtered and exported, not changed; `prune_audit` deletes old events."""

    list_display = [
        "time",
        "caller",
        "tool",
        "outcome",
        "calls",
        "rows",
        "bytes",
        "milliseconds",
        "client_name",
        "note",
    ]
    list_filter = ["time", "outcome", "tool", "protocol"]
    search_fields = [
        "id",
        "username",
        "subject",
        "client_id",
        "client_name",
        "arguments",
        "note",
        "request_id",
    ]
    search_help_text = "Reference, user, subject, client, arguments, note or request id"
    date_hierarchy = "time"
    show_full_result_count = False
    resource_classes: ClassVar[list[Any]] = [
        columns(AuditEvent, *(field.attname for field in AuditEvent._meta.fields))
    ]
    # Ids sort in the order of the times.
    export_newest_first = True

    @admin.display(description="who", ordering="username")
    def caller(self, event: AuditEvent) -> str:
        return event.username or event.subject

    def get_fields(self, request: HttpRequest, obj: AuditEvent | None = None) -> list[Any]:  # noqa: ARG002
        # Not the user itself, who may be gone; the name is stored as it was.
        named = [field.name for field in AuditEvent._meta.fields if field.name != "user"]
        return [*named, "era"]

    def get_readonly_fields(self, request: HttpRequest, obj: AuditEvent | None = None) -> list[Any]:
        return self.get_fields(request, obj)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"title": "Tool calls", **(extra_context or {})}
        # Django's own view answers the parameter that is suppressed here.
        with suppress(PermissionDenied, *WITHOUT_MEANING):
            context["panel"] = calls_per_day(self._listed(request))
        return super().changelist_view(request, context)

    def _listed(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self.get_changelist_instance(request).get_queryset(request)
