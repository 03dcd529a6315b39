import csv
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth import admin as auth
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from access import charts
from access.models import AuditEvent, Identity
from history.admin import Recorded

if TYPE_CHECKING:
    IdentityAdminBase = admin.ModelAdmin[Identity]
    AuditEventAdminBase = admin.ModelAdmin[AuditEvent]
    UserAdminBase = auth.UserAdmin[User]
    GroupAdminBase = auth.GroupAdmin
else:
    from unfold.admin import ModelAdmin

    IdentityAdminBase = AuditEventAdminBase = ModelAdmin

    class UserAdminBase(auth.UserAdmin, ModelAdmin):
        pass

    class GroupAdminBase(auth.GroupAdmin, ModelAdmin):
        pass


EXPORT_CHUNK = 2000
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


admin.site.unregister([User, Group])


@admin.register(User)
class PersonAdmin(Recorded, UserAdminBase):
    """Who may do what here; making somebody inactive ends their access at their next call."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(Recorded, GroupAdminBase):
    """Sets of permissions, given to everybody in the group."""


@admin.register(Identity)
class IdentityAdmin(Recorded, IdentityAdminBase):
    """Who has called, and as which user; an identity can be added by hand to link it to a user beforehand."""

    list_display = ["subject", "user", "name", "email", "issuer", "last_seen", "created"]
    list_filter = ["issuer", "last_seen", ("user__is_active", admin.BooleanFieldListFilter), "user__groups"]
    list_select_related = ["user"]
    search_fields = ["subject", "name", "email", "user__username"]
    autocomplete_fields = ["user"]
    readonly_fields = ["name", "email", "created", "last_seen"]
    date_hierarchy = "created"


@admin.register(AuditEvent)
class AuditEventAdmin(AuditEventAdminBase):
    """The audit trail: to be read, filtered and exported, not changed; `prune_audit` deletes what is old."""

    list_display = [
        "time",
        "who",
        "tool",
        "outcome",
        "rows",
        "bytes",
        "milliseconds",
        "client_name",
        "note",
    ]
    list_filter = ["time", "outcome", "tool", "protocol"]
    search_fields = [
        "username",
        "subject",
        "client_id",
        "client_name",
        "arguments",
        "note",
        "request_id",
    ]
    search_help_text = "User, subject, client, arguments, note or request id"
    date_hierarchy = "time"
    show_full_result_count = False
    actions = None

    @admin.display(description="who", ordering="username")
    def who(self, event: AuditEvent) -> str:
        return event.username or event.subject

    def get_fields(self, request: HttpRequest, obj: AuditEvent | None = None) -> list[Any]:  # noqa: ARG002
        # Not the user itself, who may be gone; the name is there as it was.
        named = [field.name for field in AuditEvent._meta.fields if field.name != "user"]
        return [*named, "era"]

    def get_readonly_fields(self, request: HttpRequest, obj: AuditEvent | None = None) -> list[Any]:
        return self.get_fields(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 (Django's signature)
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False

    def get_urls(self) -> list[URLPattern]:
        export = self.admin_site.admin_view(self.export_view)
        return [path("export/", export, name="access_auditevent_export"), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"title": "Tool calls", **(extra_context or {})}
        # Django's own view answers what is suppressed here.
        with suppress(IncorrectLookupParameters, PermissionDenied):
            context["chart"] = charts.per_day(self._listed(request))
        return super().changelist_view(request, context)

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """What the list shows under the same filters, all pages of it, as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            events = self._listed(request)
        except IncorrectLookupParameters:
            return redirect("admin:access_auditevent_changelist")
        name = f"tool-calls-{timezone.now():%Y-%m-%d}.csv"
        return StreamingHttpResponse(
            _csv(events),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
        )

    def _listed(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self.get_changelist_instance(request).get_queryset(request)


class _Echo:
    """A file that gives back what is written to it, which is what csv.writer returns."""

    def write(self, text: str) -> str:
        return text


async def _csv(events: QuerySet[AuditEvent]) -> AsyncIterator[str]:
    """Lines of CSV, newest call first, read in chunks so that neither memory nor a cursor is held."""
    names = [field.attname for field in AuditEvent._meta.fields]
    row = csv.writer(_Echo()).writerow
    yield row(names)
    # Ids sort as the times do.
    rest = events.order_by("-pk").values_list(*names)
    while chunk := await sync_to_async(_read)(rest[:EXPORT_CHUNK]):
        yield "".join(row([_cell(value) for value in values]) for values in chunk)
        rest = rest.filter(pk__lt=chunk[-1][names.index("id")])


def _read(rows: "QuerySet[AuditEvent, tuple[Any, ...]]") -> list[tuple[Any, ...]]:
    return list(rows)


def _cell(value: Any) -> Any:
    """A value as it may stand in a spreadsheet: what others wrote is never run as a formula."""
    if isinstance(value, str) and value.startswith(FORMULAS):
        return f"'{value}"
    return value.isoformat() if hasattr(value, "isoformat") else value
