"""Pages of rows that are addressed by key, and so outlive the loads of their files."""

import re
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Q
from django.forms import BaseModelFormSet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.admin import checkbox
from unfold.views import ChangeList

from mcpsite.core.modeladmin import ModelAdmin
from mcpsite.datasets.models import Row

_EDITED = re.compile(r"form-\d+-id")
"""The inputs that name the rows which are edited in the list."""


def _page_of(row: Row, page: str) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=[row.key])


class KeyedChangeList(ChangeList):  # type: ignore[misc]
    """Links to its rows by their keys."""

    def url_for_result(self, result: Row) -> str:
        return _page_of(result, "change")


class KeyedFormSet(BaseModelFormSet):  # type: ignore[type-arg]
    """Names the rows that are edited in the list by their keys."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if not form.is_bound:
            form.fields["id"].initial = form.instance.key


class KeyedAdmin(ModelAdmin[Any]):
    """Finds rows, on their pages and where they were selected in the list, by their keys.

    Addresses with a row's present number, as Django's templates write them, lead to the permanent page.
    """

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:  # noqa: ARG002 (Django's signature)
        return KeyedChangeList

    def get_changelist_formset(self, request: HttpRequest, **kwargs: Any) -> Any:
        return super().get_changelist_formset(request, formset=KeyedFormSet, **kwargs)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if "_save" in request.POST:
            data = request.POST.copy()
            named = {name: str(key) for name, key in data.items() if _EDITED.fullmatch(name)}
            edited = {name: key for name, key in named.items() if key.isdecimal()}
            rows = self.model.objects.filter(Q(key__in=edited.values()) | Q(pk__in=edited.values()))
            # A refused page names its rows by their present numbers.
            today = {str(name): str(pk) for key, pk in rows.values_list("key", "pk") for name in (key, pk)}
            if gone := {key for key in edited.values() if key not in today}:
                what = (
                    "A row on this page no longer exists"
                    if len(gone) == 1
                    else (f"{len(gone)} rows on this page no longer exist")
                )
                text = f"{what}, so nothing was saved. Reload the list."
                self.message_user(request, text, messages.ERROR)
            for name, key in edited.items():
                data[name] = today.get(key, key)
            request.POST = data  # type: ignore[assignment]
        return super().changelist_view(request, extra_context)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Row | None:
        return super().get_object(request, object_id, from_field or "key") or super().get_object(
            request, object_id
        )

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return self._elsewhere(request, object_id, "change") or super().changeform_view(
            request, object_id, form_url, extra_context
        )

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self._elsewhere(request, object_id, "history") or super().history_view(
            request, object_id, extra_context
        )

    def _elsewhere(self, request: HttpRequest, object_id: str | None, page: str) -> HttpResponse | None:
        """Return a redirect to the page of the row that is named by its present number, if it is."""
        if request.method != "GET" or object_id is None:
            return None
        row = self.get_object(request, object_id)
        if row is None or str(row.key) == object_id:
            return None
        return redirect(_page_of(row, page))

    @admin.display(description=checkbox.render("action_toggle_all", 1))
    def action_checkbox(self, obj: Row) -> SafeString:
        rendered: SafeString = checkbox.render(ACTION_CHECKBOX_NAME, str(obj.key))
        return rendered

    def response_action(self, request: HttpRequest, queryset: Any, *_: Any) -> HttpResponse | None:
        data = request.POST.copy()
        selected = [key for key in data.getlist(ACTION_CHECKBOX_NAME) if key.isdecimal()]
        rows = queryset.filter(key__in=selected).order_by().values_list("pk", flat=True)
        data.setlist(ACTION_CHECKBOX_NAME, list(map(str, rows)))
        request.POST = data  # type: ignore[assignment]
        response: HttpResponse | None = super().response_action(request, queryset)
        return response
