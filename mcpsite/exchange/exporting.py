"""Lists of the admin as files: the listed rows under the same filters and search, or the selected rows.

A list is read by its primary key in chunks, and CSV and JSON are sent while it is read, so that a million
rows occupy neither memory nor a cursor. A file's columns are the fields of a django-import-export resource.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from copy import copy
from itertools import islice
from types import MappingProxyType
from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.loader import select_template
from django.urls import reverse
from django.utils.text import capfirst
from import_export import admin as base
from import_export.fields import Field
from import_export.resources import ModelResource, modelresource_factory
from unfold.contrib.import_export.forms import SelectableFieldsExportForm

from mcpsite.core.any_address import WITHOUT_MEANING, AnyAddress
from mcpsite.core.modeladmin import ModelAdmin
from mcpsite.exchange.cells import cell_value
from mcpsite.exchange.formats import FORMATS, XLSX

CHUNK = 2000
SELECTED = "selected"
"""The parameter that names the selected rows of a list."""


class Derived(Field):  # type: ignore[misc]
    """A column that is computed from other values of its row."""

    def __init__(self, name: str, paths: Sequence[str], function: Callable[[Sequence[Any]], Any]) -> None:
        """Compute a column by `function` from the values at `paths`, in their order."""
        super().__init__(attribute=name, column_name=name)
        self.paths = paths
        self.function = function


def columns(
    model: type[Model],
    *names: str,
    first: Mapping[str, Derived] = MappingProxyType({}),
    derived: Mapping[str, Derived] = MappingProxyType({}),
    **paths: str,
) -> type[ModelResource]:
    """Return a resource of these fields of `model`, others by their paths (`a__b`), and derived ones.

    Those of `first` come before all others, those of `derived` after them.
    """
    every = {**{name: name for name in names}, **paths}
    order = [*first, *every, *derived]
    fields = {name: Field(attribute=path, column_name=name) for name, path in every.items()}
    fields |= {**first, **derived}
    resource: type[ModelResource] = modelresource_factory(
        model, meta_options={"fields": order, "export_order": order}, custom_fields=fields
    )
    return resource


class ExportForm(SelectableFieldsExportForm):  # type: ignore[misc]
    """Which columns, by their labels. The file has the names by which an import knows them."""

    def _get_field_label(self, resource: ModelResource, field_name: str) -> str:
        fields = {each.name: str(each.verbose_name) for each in resource._meta.model._meta.concrete_fields}
        return str(capfirst(fields.get(field_name, field_name.replace("_", " "))))


class _OwnTemplate(base.ExportMixin, ModelAdmin[Any]):  # type: ignore[misc]
    """Puts the button of the export on the list's own template."""

    ie_base_change_list_template = ""
    import_export_change_list_template = "exchange/change_list.html"

    def init_change_list_template(self) -> None:
        # Ours extends the model's own: see `changelist_view`.
        self.change_list_template = self.import_export_change_list_template  # type: ignore[misc]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response: HttpResponse = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None)
        if context is not None:
            app, model = self.get_model_info()
            own = [f"admin/{app}/{model}/change_list.html", "admin/change_list.html"]
            context["ie_base_change_list_template"] = select_template(own)
        return response


class ExportMixin(AnyAddress, _OwnTemplate):
    """A ModelAdmin whose list can be exported by everybody who may view it.

    `resource_classes` holds one resource; the paths of its columns go to `QuerySet.values_list`.
    """

    export_template_name = "exchange/export.html"
    export_form_class = ExportForm
    export_identity: ClassVar[str] = "pk"
    """The field that identifies the selected rows of the list."""
    export_newest_first: ClassVar[bool] = False
    """Whether the rows with the highest keys come first."""

    def get_export_formats(self) -> list[Any]:
        return FORMATS

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_export_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        listed = copy(request)
        parameters = request.GET.copy()
        selected = parameters.pop(SELECTED, None)
        listed.GET = parameters  # type: ignore[assignment]
        rows: QuerySet[Any] = super().get_export_queryset(listed)
        if selected:
            return rows.filter(**{f"{self.export_identity}__in": selected[-1].split(",")})
        return rows

    def export_action(self, request: HttpRequest) -> HttpResponseBase:
        try:
            response: HttpResponseBase = super().export_action(request)
        except WITHOUT_MEANING:
            return redirect(reverse("admin:{}_{}_changelist".format(*self.get_model_info())))
        return response

    def init_request_context_data(self, request: HttpRequest, form: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().init_request_context_data(request, form)
        selected = request.GET.get(SELECTED)
        narrowed = any(value for name, value in request.GET.items() if name not in ("o", "p"))
        return {
            **context,
            "title": f"Export {self.opts.verbose_name_plural}",
            "selected": len(selected.split(",")) if selected else 0,
            "narrowed": narrowed,
            "most_rows": f"{XLSX.MOST_ROWS:,}",
            "list_url": reverse("admin:{}_{}_changelist".format(*self.get_model_info())),
        }

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        if self.has_export_permission(request):
            actions["export_selected"] = (type(self).export_selected, "export_selected", "Export")
        return actions

    def export_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        """Return the export of the selected rows; if all are selected, it is the export of the list."""
        parameters = request.GET.copy()
        if request.POST.get("select_across") != "1":
            keys = queryset.order_by().values_list(self.export_identity, flat=True)
            parameters[SELECTED] = ",".join(map(str, keys))
        url = reverse("admin:{}_{}_export".format(*self.get_model_info()))
        return redirect(f"{url}?{parameters.urlencode()}" if parameters else url)

    def _do_file_export(
        self, file_format: Any, request: HttpRequest, queryset: QuerySet[Any], export_form: Any = None
    ) -> HttpResponseBase:
        """Send the rows in pieces; the library has no hook for that and builds the whole file in memory."""
        resource = self.choose_export_resource_class(export_form, request)()
        fields = resource.get_export_fields(self.get_export_resource_fields_from_form(export_form))
        header = [field.column_name for field in fields]
        rows = _Rows(queryset, fields, newest_first=self.export_newest_first)
        if isinstance(file_format, XLSX):
            if queryset.order_by()[: XLSX.MOST_ROWS + 1].count() > XLSX.MOST_ROWS:
                self.message_user(
                    request,
                    f"An Excel file can have {XLSX.MOST_ROWS:,} rows at most; filter the list, or choose "
                    "CSV.",
                    level="error",
                )
                return redirect(request.get_full_path())
            response: HttpResponseBase = HttpResponse(file_format.workbook(header, rows))
        else:
            response = StreamingHttpResponse(file_format.stream(header, rows.stream()))
        name = self.get_export_filename(request, queryset, file_format)
        response["Content-Type"] = file_format.get_content_type()
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


class _Rows:
    """The rows of a list as plain values, in chunks."""

    def __init__(self, queryset: QuerySet[Any], fields: Sequence[Field], *, newest_first: bool) -> None:
        self._fields = fields
        paths: list[str] = []
        for field in fields:
            paths += field.paths if isinstance(field, Derived) else [field.attribute]
        order, self._after = ("-pk", "pk__lt") if newest_first else ("pk", "pk__gt")
        self._rest = queryset.order_by(order).values_list("pk", *paths)

    def _read(self, after: Any) -> tuple[Any, list[list[Any]]]:
        """Return the chunk after the row `after`, and the key of its last row."""
        rest = self._rest if after is None else self._rest.filter(**{self._after: after})
        found = list(rest[:CHUNK])
        return (found[-1][0] if found else None), [self._cells(iter(row[1:])) for row in found]

    def _cells(self, values: Iterator[Any]) -> list[Any]:
        return [
            field.function(list(islice(values, len(field.paths))))
            if isinstance(field, Derived)
            else cell_value(next(values))
            for field in self._fields
        ]

    def __iter__(self) -> Iterator[list[list[Any]]]:
        last, chunk = self._read(None)
        while chunk:
            yield chunk
            last, chunk = self._read(last)

    async def stream(self) -> AsyncIterator[list[list[Any]]]:
        read = sync_to_async(self._read)
        last, chunk = await read(None)
        while chunk:
            yield chunk
            last, chunk = await read(last)
