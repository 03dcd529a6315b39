"""Where people see who changed what, and undo it.

A person who may view an object sees its history, and one who may change it can revert it; so the pages ask
the admin of the object's model, and there are no separate permissions.
"""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Exists, Model, OuterRef, Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from mcpsite.core.any_address import AnyAddress
from mcpsite.core.modeladmin import ModelAdmin
from mcpsite.core.read_only import ReadOnly
from mcpsite.history import kinds, recording, reverting
from mcpsite.history.models import Change, ChangedObject

PAGE = 50
"""Changes or objects on a page."""


# For the admin of each model


class HasHistory(ModelAdmin[Any]):
    """A ModelAdmin whose tab History shows an object's changes of `mcpsite.history.recording`."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        pages = cast(ChangeAdmin, self.admin_site.get_model_admin(Change))
        kind = ContentType.objects.get_for_model(self.model)
        if not object_id.isdecimal():
            raise Http404
        return pages.object_view(request, kind.pk, int(object_id), extra_context)


class Recorded(HasHistory):
    """An admin whose forms and deletions are recorded; its own actions record themselves."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        form.recorded_before = self._stored_values(obj) if change else {}
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        values = recording.differences(form.recorded_before, self._stored_values(form.instance))
        with recording.action(
            Change.Action.EDIT if change else Change.Action.ADD, by=cast(User, request.user)
        ) as action:
            action.add(form.instance, values)

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        with transaction.atomic():
            self._record_deletion(request, [obj])
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            self._record_deletion(request, queryset)
            super().delete_queryset(request, queryset)

    def _record_deletion(self, request: HttpRequest, objects: Any) -> None:
        with recording.action(Change.Action.DELETE, by=cast(User, request.user)) as action:
            for each in objects:
                action.add(each, recording.differences(self._stored_values(each), {}))

    def _stored_values(self, obj: Model) -> dict[str, Any]:
        kind = kinds.of(self.model)
        return kind.stored_values([obj.pk]).get(obj.pk, {}) if kind else {}


# The pages


class FieldChange:
    """A field of a change in words."""

    def __init__(self, model: type[Model] | None, name: str, *values: Any, of_file: bool = False) -> None:
        self.name = _label(model, name)
        self.values = [_display(value) for value in values]
        self.of_file = of_file


def _label(model: type[Model] | None, name: str) -> str:
    try:
        field: Any = model._meta.get_field(name) if model else None
    except FieldDoesNotExist:
        field = None
    label = str(field.verbose_name) if field is not None else name.replace("_", " ")
    return label[:1].upper() + label[1:]


def _display(value: Any) -> str:
    match value:
        case None | "" | []:
            return "–"
        case True:
            return "yes"
        case False:
            return "no"
        case {"label": label}:
            return str(label)
        case list():
            return ", ".join(_display(each) for each in value)
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def field_changes(change: Change, changed: ChangedObject | None = None) -> list[FieldChange]:
    """Return what a change did, in all or to one object, field by field."""
    model = change.content_type.model_class()
    kind = kinds.of(model)
    own = changed.values if changed else None
    values = own if own is not None else change.values or {}
    hidden = kind.corrected if kind else ""
    return [FieldChange(model, name, *pair) for name, pair in values.items() if name != hidden]


@admin.register(Change)
class ChangeAdmin(AnyAddress, ReadOnly, ModelAdmin[Change]):
    """Every change, by a person or a program, and the way to revert it."""

    list_display = ("time", "author", "action", "what", "kind", "why", "undone")
    list_display_links = ("time",)
    list_filter = (
        "time",
        "action",
        ("content_type", admin.RelatedOnlyFieldListFilter),
        ("user", admin.RelatedOnlyFieldListFilter),
        "source",
    )
    list_select_related = ("content_type", "user")
    search_fields = ("username", "reason", "changed__label")
    search_help_text = "Who, why, or what was changed"
    date_hierarchy = "time"
    show_full_result_count = False
    actions = None
    list_per_page = PAGE

    # Who may see what

    def get_queryset(self, request: HttpRequest) -> QuerySet[Change]:
        undone = Change.objects.filter(reverts=OuterRef("pk"))
        visible = [kind.pk for kind in self._visible(request)]
        # The list names the object of a change of one; others may have a million.
        only = Prefetch("changed", ChangedObject.objects.filter(change__size=1), to_attr="only")
        changes: QuerySet[Change] = super().get_queryset(request)
        return (
            changes.filter(content_type__in=visible).annotate(is_undone=Exists(undone)).prefetch_related(only)
        )

    def _visible(self, request: HttpRequest) -> list[ContentType]:
        models = [kind.model for kind in kinds.every()]
        found = ContentType.objects.get_for_models(*models)
        return [found[model] for model in models if self._may(request, model, "view")]

    def _may(
        self, request: HttpRequest, model: type[Model] | None, what: str, obj: Model | None = None
    ) -> bool:
        if model is None or not self.admin_site.is_registered(model):
            return False
        return bool(getattr(self.admin_site.get_model_admin(model), f"has_{what}_permission")(request, obj))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(self._visible(request))

    def has_view_permission(self, request: HttpRequest, obj: Change | None = None) -> bool:
        if obj is None:
            return self.has_module_permission(request)
        return self._may(request, obj.content_type.model_class(), "view")

    def may_revert(
        self, request: HttpRequest, change: Change, changed: ChangedObject | None, obj: Model | None = None
    ) -> bool:
        """Return whether the person may, and there is something to revert; `obj` is the one of `changed`."""
        model = change.content_type.model_class()
        values = changed.values if changed else None
        if changed is None and change.values is None:
            first = change.changed.first()
            values = first.values if first else None
        return reverting.revertable(change, values) and self._may(request, model, "change", obj)

    # The list

    @admin.display(description="who", ordering="username")
    def author(self, change: Change) -> str:
        return change.author

    @admin.display(description="kind", ordering="content_type")
    def kind(self, change: Change) -> str:
        return change.content_type.name

    @admin.display(description="what")
    def what(self, change: Any) -> SafeString | str:
        if change.size != 1:
            return f"{change.size:,} objects"
        if not change.only:
            return "–"
        changed = change.only[0]
        return format_html('<a href="{}">{}</a>', _history_url(change, changed), changed.label or "–")

    @admin.display(description="why", ordering="reason")
    def why(self, change: Change) -> str:
        return change.reason or "–"

    @admin.display(description="state")
    def undone(self, change: Any) -> str:
        return "reverted" if change.is_undone else "–"

    # The pages

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("of/<int:kind>/<int:pk>/", view(self.object_view), name="history_change_of"),
            path("<int:pk>/revert/", view(self.revert_view), name="history_change_revert"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002 (Django's signature)
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Return the page of a change, with the objects that it touched."""
        if not object_id.isdecimal():
            raise Http404
        change = self._get(request, int(object_id))
        page = Paginator(change.changed.order_by("pk"), PAGE).get_page(request.GET.get("p"))
        objects = [
            {"changed": each, "changes": field_changes(change, each), "url": _history_url(change, each)}
            for each in page.object_list
        ]
        context = {
            "change": change,
            "changes": field_changes(change) if change.values is not None else [],
            "objects": objects,
            "page": page,
            "may_revert": self.may_revert(request, change, None),
            "undone_by": change.reverted_by.order_by("pk"),
            **(extra_context or {}),
        }
        return self._page(
            request, "change.html", f"{change.get_action_display()} by {change.author}", context
        )

    def object_view(
        self, request: HttpRequest, kind: int, pk: int, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Return the page of one object's history, even if the object is gone."""
        content_type = get_object_or_404(ContentType, pk=kind)
        model = content_type.model_class()
        if model is None or kinds.of(model) is None:
            raise Http404
        obj = kinds.find(model, pk)
        if not self._may(request, model, "view", obj):
            raise PermissionDenied
        every = (
            ChangedObject.objects.filter(object_id=pk, change__content_type=content_type)
            .select_related("change__content_type", "change__reverts")
            .order_by("-change__time", "-pk")
        )
        page = Paginator(every, PAGE).get_page(request.GET.get("p"))
        if obj is None and not page.object_list:
            raise Http404
        entries = [
            {
                "changed": each,
                "change": each.change,
                "changes": field_changes(each.change, each),
                "may_revert": obj is not None and self.may_revert(request, each.change, each, obj),
            }
            for each in page.object_list
        ]
        name = str(obj) if obj else page.object_list[0].label
        url = f"admin:{content_type.app_label}_{content_type.model}_change"
        context = {
            "object": obj,
            "object_url": reverse(url, args=[pk]) if obj else "",
            "entries": entries,
            "page": page,
            **(extra_context or {}),
        }
        return self._page(request, "object.html", f"History of {name}", context)

    def revert_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the page that shows what a revert would do, or do it if it is confirmed."""
        change = self._get(request, pk)
        only = None
        if chosen := request.GET.get("object"):
            only = get_object_or_404(change.changed, pk=int(chosen) if chosen.isdecimal() else 0)
        if only is None and change.size == 1:
            only = change.changed.first()
        model = change.content_type.model_class()
        obj = kinds.find(model, only.object_id) if only else None
        if not self.may_revert(request, change, only, obj):
            raise PermissionDenied
        if request.method == "POST":
            answer = self._revert(request, change, only)
            if answer is not None:
                return answer
        plan = reverting.plan(change, only)
        steps = [
            {
                "step": step,
                "fields": [
                    {
                        "change": FieldChange(model, field.name, field.now, field.to, of_file=field.of_file),
                        "then": _display(field.before),
                        "moved": field.of_file and field.before != field.to,
                        "changed_since": field.changed_since,
                        "same": field.now == field.to,
                    }
                    for field in step.fields
                ],
            }
            for step in plan.shown
        ]
        back = _history_url(change, only) if only else reverse("admin:history_change_change", args=[pk])
        context = {"change": change, "only": only, "plan": plan, "steps": steps, "back": back}
        return self._page(request, "revert.html", "Revert this change?", context)

    def _revert(
        self, request: HttpRequest, change: Change, only: ChangedObject | None
    ) -> HttpResponse | None:
        seen, reason = str(request.POST.get("seen", "")), str(request.POST.get("reason", ""))
        try:
            done = reverting.revert(change, only, cast(User, request.user), reason.strip(), seen)
        except kinds.CannotRevert as problem:
            self.message_user(request, f"Nothing was reverted: {problem}", messages.ERROR)
            return None
        if done is None:
            self.message_user(
                request,
                "Nothing was reverted, because something has changed since this page was loaded. Check "
                "the page and confirm again.",
                messages.WARNING,
            )
            return None
        text = f"{done.to_revert:,} {'object was' if done.to_revert == 1 else 'objects were'} reverted."
        if done.changed_since:
            text += f" Not reverted, because of later changes: {done.changed_since:,}."
        self.message_user(request, text, messages.SUCCESS)
        if only:
            return HttpResponseRedirect(_history_url(change, only))
        return HttpResponseRedirect(reverse("admin:history_change_change", args=[change.pk]))

    def _get(self, request: HttpRequest, pk: int) -> Change:
        change = get_object_or_404(Change.objects.select_related("content_type", "reverts"), pk=pk)
        if not self.has_view_permission(request, change):
            raise PermissionDenied
        return change

    def _page(self, request: HttpRequest, name: str, title: str, context: dict[str, Any]) -> HttpResponse:
        base = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "media": self.media,
        }
        return TemplateResponse(request, f"admin/history/{name}", {**base, **context})


def _history_url(change: Change, changed: ChangedObject) -> str:
    return reverse("admin:history_change_of", args=[change.content_type_id, changed.object_id])
