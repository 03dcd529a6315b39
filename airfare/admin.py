"""Where people look at the data and correct it.

The pages are made for a million rows: nothing counts or sorts all of them, and the choices of the
filters come from `airfare.dimensions`. Everything that changes a row goes through `airfare.curation`.
"""

from collections import Counter
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import ShowFacets
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Model, Q, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

from airfare import corrections, curation, dimensions, loading, loads, notables, queries, versions
from airfare.corrections import Corrections, FareRowColumns
from airfare.dimensions import EVERY, NONE, Chosen, Snapshot
from airfare.edits import EDITABLE
from airfare.expressions import Among, array_of
from airfare.keyed import KeyedAdmin
from airfare.models import Edit, FareRow, SourceFile
from airfare.records import NUMBERS, expected, number_of, too_long
from mcpsite.core.folders import FILES_STAY
from mcpsite.core.modeladmin import ModelAdmin, ModelForm
from mcpsite.core.texts import clean
from mcpsite.exchange.exporting import ExportMixin, columns
from mcpsite.history import recording
from mcpsite.history.admin import HasHistory, Recorded
from mcpsite.history.forms import KeepsOthersChanges
from mcpsite.history.models import Change
from mcpsite.uploads.corrections import QueuedImportMixin
from mcpsite.uploads.loaders import FOLDER as UPLOADS

if TYPE_CHECKING:  # These classes take a parameter for the type checker alone.
    FareRowPaginatorBase = Paginator[FareRow]
    TextFilterBase = admin.SimpleListFilter
else:
    from unfold.contrib.filters.admin import TextFilter as TextFilterBase

    FareRowPaginatorBase = Paginator

ANSWER_ORDER = ("-snapshot_day", "-subject", "-airline")
CATEGORIES = ("route", "airline", "season")
PER_PAGE = 50


# Source files: read only but for who may read them


@admin.register(SourceFile)
class SourceFileAdmin(ExportMixin, Recorded, ModelAdmin[SourceFile]):
    """Where the rows come from: which file, in which state, loaded when and by whom."""

    list_display = (
        *("name", "format", "rows", "unreadable", "state", "readers"),
        *("loaded_at", "loaded_by", "short_digest"),
    )
    list_filter = ("state", "format", "loaded_by", "groups")
    search_fields = ("name", "digest")
    readonly_fields = (
        *("name", "folder", "format", "digest", "rows", "unreadable", "state", "loaded_at", "loaded_by"),
    )
    fields = ("groups", *readonly_fields)
    filter_horizontal = ("groups",)
    date_hierarchy = "loaded_at"
    actions_list = ("upload",)
    actions_submit_line = ("undo_load",)
    resource_classes = (
        columns(
            SourceFile,
            *("id", "name", "format", "digest", "rows", "unreadable", "state", "loaded_at", "loaded_by"),
        ),
    )

    @action(description="Upload files", icon="upload", permissions=["upload"])  # type: ignore[untyped-decorator]
    def upload(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (unfold's signature)
        return redirect("admin:uploads_upload_new", "airfare")

    def has_upload_permission(self, request: HttpRequest) -> bool:
        return cast(User, request.user).has_perm("airfare.add_sourcefile")

    def get_actions_submit_line(self, request: HttpRequest, object_id: int) -> list[Any]:
        source = super().get_object(request, str(object_id))
        if source is None or not self.has_upload_permission(request) or not loads.undoable(source):
            return []
        actions: list[Any] = super().get_actions_submit_line(request, object_id)
        return actions

    @action(description="Undo the last load", icon="undo")  # type: ignore[untyped-decorator]
    def undo_load(self, request: HttpRequest, obj: SourceFile) -> None:
        try:
            load = loading.undo(obj, by=cast(User, request.user))
        except loads.Lost as lost:
            self.message_user(request, f"{obj.name} {lost}.", messages.ERROR)
            return
        text = (
            f"{obj.name} holds again what was loaded {load.finished_at:%Y-%m-%d %H:%M}: {load.rows:,} rows."
        )
        self.message_user(request, text, messages.SUCCESS)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> SourceFile | None:
        if request.method == "POST":
            # No load may switch the file between here and where it is saved.
            versions.lock()
        source: SourceFile | None = super().get_object(request, object_id, from_field)
        return source

    def get_queryset(self, request: HttpRequest) -> QuerySet[SourceFile]:
        files: QuerySet[SourceFile] = super().get_queryset(request)
        return files.prefetch_related("groups")

    @admin.display(description="who may read its rows")
    def readers(self, source: SourceFile) -> str:
        names = [group.name for group in source.groups.all()]
        return ", ".join(names) or "everybody"

    @admin.display(description="SHA-256", ordering="digest")
    def short_digest(self, source: SourceFile) -> str:
        return source.digest[:12]

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 (Django's signature)
        return False

    # Any file can be deleted, whatever loaded it; what is left of it is no file to delete once more.

    def has_delete_permission(self, request: HttpRequest, obj: SourceFile | None = None) -> bool:
        removed = obj is not None and obj.state == SourceFile.State.REMOVED
        return not removed and super().has_delete_permission(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:  # noqa: ARG002 (Django's signature)
        # Not row by row, for there may be a million.
        lines: list[str] = []
        deleted = Counter[str]()
        for source in objs:
            kept = curation.curated(source)
            curated = kept.count()
            # Rows that vanished are none of those that the file held.
            rows = source.rows - kept.filter(vanished=False).count()
            deleted.update({"source files": 1, "fare rows": rows})
            lines.append(_what_stays(source, rows, curated))
        if any(source.folder != str(UPLOADS) for source in objs):
            lines.append(FILES_STAY)
        return lines, deleted, set(), []

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        self._remove(request, [cast(SourceFile, obj)])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[SourceFile]) -> None:
        self._remove(request, queryset)

    def _remove(self, request: HttpRequest, sources: Iterable[SourceFile]) -> None:
        by = cast(User, request.user)
        chosen = [source.pk for source in sources]
        with transaction.atomic(), recording.action(Change.Action.DELETE, by=by):
            versions.lock()
            # Somebody else, or a second click, may have deleted some meanwhile.
            remaining = sum(map(loading.remove, SourceFile.objects.filter(pk__in=chosen)))
        if remaining:
            rows = ngettext("%(n)s curated row is kept", "%(n)s curated rows are kept", remaining)
            text = rows % {"n": f"{remaining:,}"} + ", marked as vanished from the file."
            self.message_user(request, text, messages.WARNING)


def _what_stays(source: SourceFile, rows: int, curated: int) -> str:
    """What becomes of a file that is deleted, for the page that asks whether it shall be."""
    sentence = f"{source.name}, with its {source.rows:,} {'row' if source.rows == 1 else 'rows'}"
    if curated:
        sentence += (
            f": {rows:,} go, {curated:,} that a curator edited or hid stay, marked as vanished from the file"
        )
    if groups := [group.name for group in source.groups.all()]:
        sentence += f"; should the file come again, it is for {', '.join(groups)} alone"
    return sentence


# Fare rows: filters


class StateFilter(admin.SimpleListFilter):
    """Published rows unless another state is chosen, for these are what there is an index for."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [("hidden", "Hidden"), ("edited", "Edited"), ("vanished", "Vanished"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        yield {**first, "display": "Published"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[FareRow]) -> QuerySet[FareRow]:  # noqa: ARG002
        match self.value():
            case "hidden":
                return queryset.filter(hidden=True, key__in=Edit.objects.filter(hidden=True).values("key"))
            case "edited":
                return queryset.filter(key__in=Edit.objects.edited().values("key"))
            case "vanished":
                return queryset.filter(vanished=True, key__in=Edit.objects.values("key"))
            case "all":
                return queryset
            case _:
                return queryset.filter(hidden=False)


class DimensionFilter(TextFilterBase):
    """A field with few values: one of them, or all that hold what was typed.

    The values are offered without a look at the rows; of very many, the first.
    """

    template = "admin/airfare/dimension_filter.html"

    def values(self) -> list[str]:
        return dimensions.current(None).values(str(self.parameter_name))

    def choices(self, changelist: Any) -> Any:
        choice: Any  # unfold's, which has a form.
        for choice in super().choices(changelist):
            choice["form"].fields[self.parameter_name].widget.attrs["list"] = f"{self.parameter_name}-values"
            yield {
                **choice,
                "suggestions": [value for value in self.values() if value][: dimensions.SUGGESTIONS],
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[FareRow]) -> QuerySet[FareRow]:  # noqa: ARG002
        value, name = self.value(), str(self.parameter_name)
        if not value:
            return queryset
        snapshot = dimensions.current(None)
        return queryset.filter(_combined(_having(snapshot, name, value), snapshot))


def _having(snapshot: Snapshot, name: str, value: str) -> Chosen:
    """The combinations with this value of a category, or else with one that holds it."""
    combinations = snapshot.combinations
    exact = value in combinations.values[name]
    return combinations.having(name, value) if exact else combinations.holding(name, value)


def _holding(snapshot: Snapshot, word: str) -> Chosen:
    """The combinations with a category that holds what was searched for."""
    return reduce(or_, (snapshot.combinations.holding(name, word) for name in CATEGORIES))


def _combined(chosen: Chosen, snapshot: Snapshot) -> Q:
    """The condition that a row has one of these combinations; of many rows, a page is read in order."""
    return queries.combined(chosen, snapshot, indexed=queries.are_few(chosen, snapshot, PER_PAGE))


def _chosen(request: HttpRequest, snapshot: Snapshot) -> Chosen | None:
    """The combinations that the list is asked for; None where it is asked for anything else, too."""
    chosen = EVERY
    for name in request.GET:
        value = str(request.GET[name])
        if name in CATEGORIES:
            chosen &= _having(snapshot, name, value) if value else EVERY
        elif name == SEARCH_VAR:
            for word in value.split():
                if notables.matching(word, most=0) is None:
                    return None
                chosen &= _holding(snapshot, word)
        elif name != PAGE_VAR:
            return None
    return chosen


class RouteFilter(DimensionFilter):
    title = "route"
    parameter_name = "route"


class AirlineFilter(DimensionFilter):
    title = "airline"
    parameter_name = "airline"


class SeasonFilter(DimensionFilter):
    title = "season"
    parameter_name = "season"


class FileFilter(AutocompleteSelectFilter):  # type: ignore[misc]
    """The rows of a file, which stand together."""

    exact = "load__file__id__exact"

    def queryset(self, request: HttpRequest, queryset: QuerySet[FareRow]) -> QuerySet[FareRow]:
        rows: QuerySet[FareRow] = super().queryset(request, queryset)
        number = str(request.GET.get(self.exact) or 0)
        source = SourceFile.objects.filter(pk=number).select_related("current").first()
        if source is None or source.current is None:
            return rows
        return rows.filter(id__range=(source.current.first_id, source.current.last_id))


class DateFilter(admin.SimpleListFilter):
    """Years, and the months of the chosen year, between the first and the last day there is."""

    title = "snapshot date"
    parameter_name = "date"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        rows = FareRow.objects.filter(hidden=False, snapshot_day__year__gt=1).order_by("snapshot_day")
        first = rows.values_list("snapshot_day", flat=True).first()
        last = rows.reverse().values_list("snapshot_day", flat=True).first()
        if first is None or last is None:
            return []
        chosen = (self.used_parameters.get(self.parameter_name) or "")[:4]
        found: list[tuple[str, str]] = []
        for year in range(last.year, first.year - 1, -1):
            found.append((str(year), str(year)))
            if str(year) == chosen:
                found += [(f"{year}-{month:02}", f"{year}-{month:02}") for month in range(12, 0, -1)]
        return found

    def queryset(self, request: HttpRequest, queryset: QuerySet[FareRow]) -> QuerySet[FareRow]:  # noqa: ARG002
        days = queries.days_of(self.value() or "")
        if days is None:
            return queryset
        return queryset.filter(snapshot_day__gte=days[0], snapshot_day__lt=days[1])


# Fare rows


class QuickPaginator(FareRowPaginatorBase):
    """Finds the ids of a page before its rows, which are wide: so what is before it is soon passed over."""

    def _get_page(self, *args: Any, **kwargs: Any) -> Any:
        rows, *others = args
        ids = list(rows.values_list("pk", flat=True))
        every = cast(QuerySet[FareRow], self.object_list)
        return super()._get_page(every.filter(pk__in=ids), *others, **kwargs)  # type: ignore[misc]


class FareRowListForm(KeepsOthersChanges, ModelForm[FareRow]):
    """The fields that are edited in the list, by the rules that files are read by."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        for name, value in list(cleaned.items()):
            if isinstance(value, str):
                cleaned[name] = clean(value)
                if problem := too_long(name, cleaned[name]):
                    self.add_error(name, f"{problem}.")
            elif name in NUMBERS and name in self.changed_data and not self._is_readable(name):
                self.add_error(name, f"Write {expected(name)}.")
        return cleaned

    def _is_readable(self, name: str) -> bool:
        # What was typed is looked at, for Django reads 1_234 as a number.
        typed = str(self[name].data or "").strip()
        return not typed or number_of(name, typed) is not None


class FareRowForm(FareRowListForm):
    """What a curator may change; the file's own values stand beside it."""

    notable_event = forms.CharField(required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))

    class Meta:
        model = FareRow
        fields: ClassVar[list[str]] = [
            *(name for name in EDITABLE if name != "notable_event"),
            "hidden",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "notable_event" in self.fields:
            self.initial["notable_event"] = self.instance.notable_event


@admin.register(FareRow)
class FareRowAdmin(KeyedAdmin, QueuedImportMixin, ExportMixin, HasHistory, ModelAdmin[FareRow]):
    """Rows as the answers hold them, to correct, hide and publish."""

    form = FareRowForm
    resource_classes = (FareRowColumns,)
    import_resource_classes = (Corrections,)
    import_kind = corrections.KIND
    export_identity = "key"
    list_display = (
        "label",
        "airline",
        "season",
        "avg_fare_usd",
        "premium_fare_usd",
        "fare_yoy_pct",
        "load_factor_pct",
        "hidden",
        "badges",
        "file",
    )
    list_display_links = ("label",)
    list_editable = ("avg_fare_usd", "premium_fare_usd", "fare_yoy_pct", "load_factor_pct", "hidden")
    list_filter = (
        StateFilter,
        DateFilter,
        RouteFilter,
        AirlineFilter,
        SeasonFilter,
        ("load__file", FileFilter),
    )
    list_filter_submit = True
    list_select_related = ("load__file", "notable")
    list_per_page = PER_PAGE
    search_fields = ("notable_event",)
    search_help_text = "Part of the route, the airline, the season or the notable event."
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    paginator = QuickPaginator
    actions = ("hide", "publish", "restore")
    fieldsets = (
        (
            None,
            {"fields": ("snapshot_date", "route", "airline", "season", "query", "notable_event", "hidden")},
        ),
        ("Figures", {"fields": tuple(NUMBERS)}),
        (
            "Source",
            {
                "fields": (
                    "region",
                    "provider",
                    "collection_window",
                    "query_count",
                    "week_id",
                    "linked_tickers",
                    "file_name",
                    "position",
                    "badges",
                    "said",
                )
            },
        ),
    )
    readonly_fields = ("file_name", "position", "badges", "said")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 (Django's signature)
        return False

    def has_delete_permission(self, request: HttpRequest, obj: FareRow | None = None) -> bool:
        # A row that its file holds would be back with the next load: hide it instead.
        return obj is not None and obj.vanished and super().has_delete_permission(request, obj)

    # The list

    def get_queryset(self, request: HttpRequest) -> QuerySet[FareRow]:
        rows: QuerySet[FareRow] = super().get_queryset(request)
        match = request.resolver_match
        if match is None or match.url_name != "airfare_farerow_export":
            return rows
        # An export is read in pieces: all of them are of the loads there are now.
        now = SourceFile.objects.filter(current__isnull=False).values_list("current_id", flat=True)
        return FareRow.all_loads.filter(Among("load_id", Value(array_of(sorted(now)))))

    def get_changelist_form(self, request: HttpRequest, **options: Any) -> type[ModelForm[FareRow]]:
        return super().get_changelist_form(request, form=FareRowListForm, **options)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # Published rows have an index in the order of an answer; the rows of a file stand by their ids.
        filtered = {"state", FileFilter.exact}.intersection(request.GET)
        return () if filtered else ANSWER_ORDER

    def get_paginator(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        paginator = super().get_paginator(request, *args, **kwargs)
        snapshot = dimensions.current(None)
        if (chosen := _chosen(request, snapshot)) is not None:
            # How many rows are published is known without counting them.
            paginator.count = snapshot.rows_of(chosen)
        return paginator

    def get_changelist_formset(self, request: HttpRequest, **kwargs: Any) -> Any:
        formset = super().get_changelist_formset(request, **kwargs)
        # In the list the head of the column is the only label that there is to see.
        for field in formset.form.base_fields.values():
            field.widget.attrs["aria-label"] = field.label
        return formset

    def get_sortable_by(self, request: HttpRequest) -> tuple[str, ...]:  # noqa: ARG002 (Django's signature)
        return ()

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002 (Django's signature)
        queryset: QuerySet[FareRow],
        search_term: str,
    ) -> tuple[QuerySet[FareRow], bool]:
        """Every word has to be in the route, the airline, the season or the notable event."""
        snapshot = dimensions.current(None)
        for word in search_term.split():
            chosen = _holding(snapshot, word)
            texts = notables.matching(word, queries.MOST_TEXTS)
            # What no category or no text holds is left out: the database looks where there is something.
            if texts is None:
                found = Q(notable_id__in=notables.holding(word))
            else:
                found = Q(Among("notable_id", Value(array_of(texts))))
            if texts == []:
                found = _combined(chosen, snapshot)
            elif chosen != NONE:
                found |= _combined(chosen, snapshot)
            queryset = queryset.filter(found)
        return queryset, False

    @admin.display(description="Row")
    def label(self, row: FareRow) -> str:
        subject = row.route or row.effective_query
        return f"{row.snapshot_date} {subject}".strip()

    @admin.display(description="File")
    def file(self, row: FareRow) -> str:
        return f"{row.load.name}:{row.position}"

    @admin.display(description="Source file")
    def file_name(self, row: FareRow) -> str:
        return row.load.name

    @admin.display(description="Curation")
    def badges(self, row: FareRow) -> SafeString:
        marks = []
        if row.hidden:
            marks.append("hidden")
        if row.file_values:
            marks.append(f"edited: {', '.join(sorted(row.file_values))}")
        if row.vanished:
            marks.append("vanished from its file")
        return format_html("{}", ", ".join(marks) or "–")

    @admin.display(description="The file's values of edited fields")
    def said(self, row: FareRow) -> str:
        said = sorted((row.file_values or {}).items())
        return "; ".join(f"{name}: {_display(value)}" for name, value in said) or "–"

    # Changes

    def save_model(self, request: HttpRequest, obj: FareRow, form: Any, change: bool) -> None:  # noqa: ARG002
        user = cast(User, request.user)
        values = {name: form.cleaned_data[name] for name in form.changed_data if name in EDITABLE}
        if values:
            curation.edit(obj, values, user)
        if "hidden" in form.changed_data:
            row = FareRow.objects.filter(key=obj.key)
            if form.cleaned_data["hidden"]:
                curation.hide(row, by=user)
            else:
                curation.publish(row, by=user)

    def delete_model(self, request: HttpRequest, obj: FareRow) -> None:
        curation.delete_vanished(FareRow.objects.filter(key=obj.key), by=cast(User, request.user))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    @admin.action(description="Hide from every answer", permissions=["change"])
    def hide(self, request: HttpRequest, queryset: QuerySet[FareRow]) -> None:
        self._report(request, curation.hide(queryset, by=cast(User, request.user)), "hidden")

    @admin.action(description="Publish again", permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[FareRow]) -> None:
        self._report(request, curation.publish(queryset, by=cast(User, request.user)), "published")

    @admin.action(description="Restore the file's values", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[FareRow]) -> None:
        self._report(
            request, curation.restore(queryset, by=cast(User, request.user)), "restored to the file's values"
        )

    def _report(self, request: HttpRequest, changed: int, what: str) -> None:
        text = ngettext("%(n)s row was %(what)s.", "%(n)s rows were %(what)s.", changed)
        self.message_user(request, text % {"n": f"{changed:,}", "what": what}, messages.SUCCESS)


def _display(value: object) -> str:
    return "empty" if value in (None, "") else str(value)
