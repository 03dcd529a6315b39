"""Where people look at data sets and correct them: the source files, and the rows of each data set.

The pages are made for a million rows: nothing counts or sorts all of them, and the choices of the
filters come from `mcpsite.datasets.snapshots`. Everything that changes a row goes through
`mcpsite.datasets.curation`. A data set without a separate admin gets `RowAdmin`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
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
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst, get_text_list
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

from mcpsite.core.folders import FILES_STAY
from mcpsite.core.modeladmin import ModelAdmin, ModelForm
from mcpsite.core.texts import clean
from mcpsite.datasets import curation, loading, loads, queries, snapshots, texts, versions
from mcpsite.datasets.corrections import corrections_of, kind_of, row_columns
from mcpsite.datasets.declaration import DataSet, data_set_named, data_set_of, data_sets
from mcpsite.datasets.expressions import Among, array_of
from mcpsite.datasets.keyed import KeyedAdmin
from mcpsite.datasets.kinds import NO_DAY
from mcpsite.datasets.models import Edit, Row, SourceFile
from mcpsite.datasets.numbers import plain_number
from mcpsite.datasets.periods import period
from mcpsite.datasets.snapshots import EVERY, NONE, SUGGESTIONS, Chosen, Snapshot
from mcpsite.exchange.exporting import ExportMixin, columns
from mcpsite.history import recording
from mcpsite.history.admin import HasHistory, Recorded
from mcpsite.history.forms import KeepsOthersChanges
from mcpsite.history.models import Change
from mcpsite.uploads.corrections import QueuedImportMixin
from mcpsite.uploads.loaders import FOLDER as UPLOADS

if TYPE_CHECKING:  # These classes take a parameter only for the type checker.
    RowPaginatorBase = Paginator[Any]
    TextFilterBase = admin.SimpleListFilter
else:
    from unfold.contrib.filters.admin import TextFilter as TextFilterBase

    RowPaginatorBase = Paginator

PER_PAGE = 50
STATE, DAY = "row_state", "row_day"
"""Parameters of the list that are not named after a column."""
MOST_LISTED = 4
"""How many categories, and numbers, the list shows, from the first."""
TAKEN = frozenset({"q", "p", "o", "e", "all", STATE, DAY})
"""Parameters of lists that do not name a column."""
NO_ROW = Q(pk__in=[])


# Source files: read only except for who may read them


class DataSetFilter(admin.SimpleListFilter):
    title = "data set"
    parameter_name = "data_set"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [
            (each.label, each.title)
            for each in data_sets()
            if cast(User, request.user).has_perm(each.permission)
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        return queryset.filter(data_set=self.value()) if self.value() else queryset


@admin.register(SourceFile)
class SourceFileAdmin(ExportMixin, Recorded, ModelAdmin[SourceFile]):
    """Where the rows come from: which file, in which state, loaded when and by whom."""

    list_display = (
        *("name", "data", "format", "rows", "unreadable", "state", "readers"),
        *("loaded_at", "loaded_by", "short_digest"),
    )
    list_filter = (DataSetFilter, "state", "format", "loaded_by", "groups")
    search_fields = ("name", "digest")
    readonly_fields = (
        *("name", "data", "folder", "format", "digest", "rows", "unreadable", "state", "loaded_at"),
        *("loaded_by", "said_of_it", "findings"),
    )
    fields = ("groups", *readonly_fields)
    filter_horizontal = ("groups",)
    date_hierarchy = "loaded_at"
    actions_list = ("upload",)
    actions_submit_line = ("undo_load",)
    resource_classes = (
        columns(
            SourceFile,
            *(
                "id",
                "data_set",
                "name",
                "format",
                "digest",
                "rows",
                "unreadable",
                "state",
                "loaded_at",
                "loaded_by",
            ),
        ),
    )

    @action(description="Upload files", icon="upload", permissions=["upload"])  # type: ignore[untyped-decorator]
    def upload(self, request: HttpRequest) -> HttpResponse:
        kinds = [each.name for each in data_sets() if self._may(request, each, "add")]
        return (
            redirect("admin:uploads_upload_new", kinds[0])
            if len(kinds) == 1
            else redirect("admin:uploads_upload_changelist")
        )

    def has_upload_permission(self, request: HttpRequest) -> bool:
        return any(self._may(request, each, "add") for each in data_sets())

    def _may(self, request: HttpRequest, data_set: DataSet | None, action: str) -> bool:
        return data_set is not None and cast(User, request.user).has_perm(data_set.may(action))

    def get_actions_submit_line(self, request: HttpRequest, object_id: int) -> list[Any]:
        source = super().get_object(request, str(object_id))
        if source is None or not loads.undoable(source):
            return []
        if not self._may(request, data_set_named(source.data_set), "add"):
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
            f"{obj.name} has been restored to the load of {load.finished_at:%Y-%m-%d %H:%M}: "
            f"{load.rows:,} rows."
        )
        self.message_user(request, text, messages.SUCCESS)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> SourceFile | None:
        if request.method == "POST":
            # No load may switch the file between here and its saving.
            versions.lock()
        source: SourceFile | None = super().get_object(request, object_id, from_field)
        return source

    def get_queryset(self, request: HttpRequest) -> QuerySet[SourceFile]:
        files: QuerySet[SourceFile] = super().get_queryset(request)
        seen = [each.label for each in data_sets() if self._may(request, each, "view")]
        return files.filter(data_set__in=seen).select_related("current").prefetch_related("groups")

    @admin.display(description="data set", ordering="data_set")
    def data(self, source: SourceFile) -> str:
        data_set = data_set_named(source.data_set)
        return data_set.title if data_set else source.data_set

    @admin.display(description="load options")
    def said_of_it(self, source: SourceFile) -> str:
        return ", ".join(f"{name}: {value}" for name, value in source.said.items()) or "–"

    @admin.display(description="problems found")
    def findings(self, source: SourceFile) -> SafeString | str:
        found = source.current.findings if source.current else []
        lines = format_html_join("", "<li>{}</li>", ((f"{each[:1].upper()}{each[1:]}.",) for each in found))
        return format_html("<ul>{}</ul>", lines) if found else "–"

    @admin.display(description="readers")
    def readers(self, source: SourceFile) -> str:
        names = [group.name for group in source.groups.all()]
        return ", ".join(names) or "everybody"

    @admin.display(description="SHA-256", ordering="digest")
    def short_digest(self, source: SourceFile) -> str:
        return source.digest[:12]

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 (Django's signature)
        return False

    # Any file can be deleted, whatever loaded it; what is left of it cannot be deleted once more.

    def has_delete_permission(self, request: HttpRequest, obj: SourceFile | None = None) -> bool:
        removed = obj is not None and obj.state == SourceFile.State.REMOVED
        return not removed and super().has_delete_permission(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:  # noqa: ARG002 (Django's signature)
        # Not row by row, because there may be a million.
        lines: list[str] = []
        deleted = Counter[str]()
        for source in objs:
            kept = curation.curated(source)
            curated = kept.count()
            # Vanished rows are none of those in the file.
            rows = source.rows - kept.filter(vanished=False).count()
            deleted.update({"source files": 1, "rows": rows})
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
            text = rows % {"n": f"{remaining:,}"} + " and marked as vanished from the file."
            self.message_user(request, text, messages.WARNING)


def _what_stays(source: SourceFile, rows: int, curated: int) -> str:
    """Return what happens when a file is deleted, for the page that asks for confirmation."""
    sentence = f"{source.name}, with its {source.rows:,} {'row' if source.rows == 1 else 'rows'}"
    if curated:
        sentence += (
            f": {rows:,} will be deleted, {curated:,} that a curator edited or hid will stay, marked as "
            "vanished from the file"
        )
    if groups := [group.name for group in source.groups.all()]:
        sentence += f"; if the file is loaded again, only {', '.join(groups)} may read it"
    return sentence


# Rows: filters


class StateFilter(admin.SimpleListFilter):
    """Published rows unless another state is chosen, because the index is for these."""

    title = "state"
    parameter_name = STATE

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [("hidden", "Hidden"), ("edited", "Edited"), ("vanished", "Vanished"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        yield {**first, "display": "Published"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        edits = Edit.objects.of(queryset.model)
        match self.value():
            case "hidden":
                return queryset.filter(hidden=True, key__in=edits.filter(hidden=True).values("key"))
            case "edited":
                return queryset.filter(key__in=edits.edited().values("key"))
            case "vanished":
                return queryset.filter(vanished=True, key__in=edits.values("key"))
            case "all":
                return queryset
            case _:
                return queryset.filter(hidden=False)


def parameter_of(category: str) -> str:
    """Return the parameter of a list by which a category is chosen."""
    return f"{category}_" if category in TAKEN else category


class CategoryFilter(TextFilterBase):
    """A column with few values: one of them, or all that contain what was typed.

    The values are offered without reading the rows; of very many, the first.
    """

    template = "admin/datasets/category_filter.html"
    data_set: ClassVar[DataSet]
    category: ClassVar[str]

    @classmethod
    def of(cls, data_set: DataSet, category: str) -> "type[CategoryFilter]":
        """Return the filter of one category."""
        title = str(data_set.columns[category].verbose_name)
        named = {"data_set": data_set, "category": category, "title": title}
        return type("CategoryFilter", (cls,), {**named, "parameter_name": parameter_of(category)})

    def values(self) -> list[str]:
        return snapshots.current(self.data_set, None).values(self.category)

    def choices(self, changelist: Any) -> Any:
        choice: Any  # unfold's, which has a form.
        for choice in super().choices(changelist):
            choice["form"].fields[self.parameter_name].widget.attrs["list"] = f"{self.parameter_name}-values"
            yield {**choice, "suggestions": [value for value in self.values() if value][:SUGGESTIONS]}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        value = self.value()
        if not value:
            return queryset
        snapshot = snapshots.current(self.data_set, None)
        return queryset.filter(_combined(_having(snapshot, self.category, value), snapshot))


def _having(snapshot: Snapshot, name: str, value: str) -> Chosen:
    """Return the combinations with this value of a category, or else with one that contains it."""
    combinations = snapshot.combinations
    exact = value in combinations.values[name]
    return combinations.having(name, value) if exact else combinations.holding(name, value)


def _holding(snapshot: Snapshot, word: str) -> Chosen:
    """Return the combinations with a category that contains what was searched for."""
    found = (snapshot.combinations.holding(name, word) for name in snapshot.data_set.filtered)
    return reduce(or_, found, NONE)


def _combined(chosen: Chosen, snapshot: Snapshot) -> Q:
    """Return the condition that a row has one of these combinations; of many, a page is read in order."""
    return queries.combined(chosen, snapshot, indexed=queries.are_few(chosen, snapshot, PER_PAGE))


def _chosen(request: HttpRequest, snapshot: Snapshot) -> Chosen | None:
    """Return the combinations that the list asks for; None if it asks for anything else, too."""
    chosen = EVERY
    categories = {parameter_of(name): name for name in snapshot.data_set.filtered}
    for name in request.GET:
        value = str(request.GET[name])
        if name in categories:
            chosen &= _having(snapshot, categories[name], value) if value else EVERY
        elif name == SEARCH_VAR:
            for word in value.split():
                if texts.matching(snapshot.data_set, word, most=0) is None:
                    return None
                chosen &= _holding(snapshot, word)
        elif name != PAGE_VAR:
            return None
    return chosen


class FileFilter(AutocompleteSelectFilter):  # type: ignore[misc]
    """The rows of a file, which are adjacent."""

    exact = "load__file__id__exact"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().queryset(request, queryset)
        number = str(request.GET.get(self.exact) or 0)
        source = SourceFile.objects.filter(pk=number).select_related("current").first()
        if source is None or source.current is None:
            return rows
        return rows.filter(id__range=(source.current.first_id, source.current.last_id))


class DayFilter(admin.SimpleListFilter):
    """Years, and the months of the chosen year, between the first and the last existing day."""

    parameter_name = DAY
    data_set: ClassVar[DataSet]

    @classmethod
    def of(cls, data_set: DataSet) -> "type[DayFilter]":
        """Return the filter of the data set's first day."""
        given = {day: text for text, day in data_set.given.items()}
        column = data_set.columns[given.get(data_set.day, data_set.day)]
        return type("DayFilter", (cls,), {"data_set": data_set, "title": str(column.verbose_name)})

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        day = self.data_set.day
        rows = self.data_set.model.objects.filter(hidden=False, **{f"{day}__gt": NO_DAY}).order_by(day)
        first = rows.values_list(day, flat=True).first()
        last = rows.reverse().values_list(day, flat=True).first()
        if first is None or last is None:
            return []
        chosen = (self.used_parameters.get(self.parameter_name) or "")[:4]
        found: list[tuple[str, str]] = []
        for year in range(last.year, first.year - 1, -1):
            found.append((str(year), str(year)))
            if str(year) == chosen:
                found += [(f"{year}-{month:02}", f"{year}-{month:02}") for month in range(12, 0, -1)]
        return found

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        days = period(self.value() or "")
        if days is None:
            return queryset
        day = self.data_set.day
        return queryset.filter(**{f"{day}__gte": days[0], f"{day}__lt": days[1]})


# Rows


class QuickPaginator(RowPaginatorBase):
    """Finds the ids of a page before its rows, which are wide: so all before it is passed over quickly."""

    def _get_page(self, *args: Any, **kwargs: Any) -> Any:
        rows, *others = args
        ids = list(rows.values_list("pk", flat=True))
        every = cast(QuerySet[Any], self.object_list)
        return super()._get_page(every.filter(pk__in=ids), *others, **kwargs)  # type: ignore[misc]


class RowListForm(KeepsOthersChanges, ModelForm[Any]):
    """The columns that are edited in the list, by the same rules as for files."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        data_set = data_set_of(type(self.instance))
        for name, value in list(cleaned.items()):
            if isinstance(value, str):
                cleaned[name] = clean(value)
                if problem := data_set.too_long(name, cleaned[name]):
                    self.add_error(name, f"{problem}.")
            elif (
                name in data_set.numbers and name in self.changed_data and not self._is_readable(name, value)
            ):
                self.add_error(name, f"Write {data_set.expected(name)}.")
        return cleaned

    def _is_readable(self, name: str, value: Any) -> bool:
        # The typed text is checked, because Django reads 1_234 as a number.
        typed = str(self[name].data or "").strip()
        data_set = data_set_of(type(self.instance))
        return not typed or (plain_number(typed) is not None and data_set.as_stored(name, value) is not None)


class RowForm(RowListForm):
    """What a curator may change, beside the file's own values."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in data_set_of(type(self.instance)).proses:
            if name in self.fields:
                self.initial[name] = str(getattr(self.instance, name) or "")


def form_of(data_set: DataSet) -> type[RowForm]:
    """Return the form of a data set's row: its editable columns, prose as text, and whether it is hidden."""
    proses = {
        name: forms.CharField(
            required=False,
            label=capfirst(str(data_set.columns[name].verbose_name)),
            help_text=str(data_set.columns[name].help_text),
            widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        )
        for name in data_set.proses
    }
    plain = [name for name in data_set.editable if name not in data_set.proses]
    # A text is no ProseText that Django could give to the row: curation finds it, or makes it.
    said = {"model": data_set.model, "fields": [*plain, "hidden"], "exclude": data_set.proses}
    meta = type("Meta", (), said)
    return type("RowForm", (RowForm,), {**proses, "Meta": meta})


class RowAdmin(KeyedAdmin, QueuedImportMixin, ExportMixin, HasHistory, ModelAdmin[Any]):
    """Rows as in the answers, to correct, hide and publish; made from the declaration."""

    columns: ClassVar[Sequence[str]] = ()
    """Columns of the list, beside the row's label; by default the first categories and numbers."""
    export_identity = "key"
    list_display_links = ("label",)
    list_filter_submit = True
    list_per_page = PER_PAGE
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    paginator = QuickPaginator
    actions = ("hide", "publish", "restore")
    actions_list = ("upload",)
    readonly_fields = ("file_name", "position", "badges", "said")

    def __init__(self, model: type[Row], admin_site: admin.AdminSite) -> None:
        data_set = data_set_of(model)
        self.data_set = data_set
        this: Any = self  # Django and unfold expect constants for what is computed here.
        named = set(data_set.labels[:2])
        usual = (
            *[name for name in data_set.filtered if name not in named][: MOST_LISTED - 1],
            *data_set.numbers[:MOST_LISTED],
        )
        listed = tuple(self.columns or usual)
        plain = [name for name in data_set.editable if name not in (*data_set.numbers, *data_set.proses)]
        this.form = form_of(data_set)
        this.resource_classes = (row_columns(data_set),)
        this.import_resource_classes = (corrections_of(data_set),)
        this.import_kind = kind_of(data_set)
        this.list_display = ("label", *listed, "hidden", "badges", "file")
        this.list_editable = (*(name for name in listed if name in data_set.numbers), "hidden")
        this.list_filter = (
            StateFilter,
            *([DayFilter.of(data_set)] if data_set.day else []),
            *(CategoryFilter.of(data_set, name) for name in data_set.filtered),
            ("load__file", FileFilter),
        )
        this.list_select_related = ("load__file", *data_set.proses)
        searched = (*data_set.filtered, *data_set.proses)
        this.search_fields = searched[:1]
        words = [str(data_set.columns[name].verbose_name) for name in searched]
        this.search_help_text = f"Part of {get_text_list(words, 'or')}."
        this.fieldsets = (
            (None, {"fields": (*plain, *data_set.proses, "hidden")}),
            *([("Figures", {"fields": data_set.numbers})] if data_set.numbers else []),
            ("Source", {"fields": self.readonly_fields}),
        )
        super().__init__(model, admin_site)

    @action(description="Upload files", icon="upload", permissions=["upload"])  # type: ignore[untyped-decorator]
    def upload(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (unfold's signature)
        return redirect("admin:uploads_upload_new", self.data_set.name)

    def has_upload_permission(self, request: HttpRequest) -> bool:
        return cast(User, request.user).has_perm(self.data_set.may("add"))

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 (Django's signature)
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        # A row that is in its file would be back with the next load: hide it instead.
        return obj is not None and obj.vanished and super().has_delete_permission(request, obj)

    # The list

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        match = request.resolver_match
        if match is None or match.url_name != f"{self.opts.app_label}_{self.opts.model_name}_export":
            return rows
        # An export is read in pieces: all of them belong to the loads of this moment.
        now = self.data_set.files.filter(current__isnull=False).values_list("current_id", flat=True)
        return self.data_set.model.all_loads.filter(Among("load_id", Value(array_of(sorted(now)))))

    def get_changelist_form(self, request: HttpRequest, **options: Any) -> type[ModelForm[Any]]:
        return super().get_changelist_form(request, form=RowListForm, **options)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # Published rows have an index in the order of an answer; the rows of a file are in the order of ids.
        filtered = {STATE, FileFilter.exact}.intersection(request.GET)
        return ("-pk",) if filtered else self.data_set.ordering

    def get_paginator(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        paginator = super().get_paginator(request, *args, **kwargs)
        snapshot = snapshots.current(self.data_set, None)
        if (chosen := _chosen(request, snapshot)) is not None:
            # The number of published rows is known without counting them.
            paginator.count = snapshot.rows_of(chosen)
        return paginator

    def get_changelist_formset(self, request: HttpRequest, **kwargs: Any) -> Any:
        formset = super().get_changelist_formset(request, **kwargs)
        # In the list the head of the column is the only visible label.
        for field in formset.form.base_fields.values():
            field.widget.attrs["aria-label"] = field.label
        return formset

    def get_sortable_by(self, request: HttpRequest) -> tuple[str, ...]:  # noqa: ARG002 (Django's signature)
        return ()

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002 (Django's signature)
        queryset: QuerySet[Any],
        search_term: str,
    ) -> tuple[QuerySet[Any], bool]:
        """Return the rows with every word in a category or a prose."""
        snapshot = snapshots.current(self.data_set, None)
        for word in search_term.split():
            chosen = _holding(snapshot, word)
            found = _combined(chosen, snapshot) if chosen != NONE else NO_ROW
            # A word without a matching category or text is left out: the database looks where there is
            # something.
            named = texts.matching(self.data_set, word, queries.MOST_TEXTS) if self.data_set.proses else []
            for name in self.data_set.proses if named != [] else ():
                column = self.data_set.attribute(name)
                if named is None:
                    found |= Q(**{f"{column}__in": texts.holding(self.data_set, word)})
                else:
                    found |= Q(Among(column, Value(array_of(named))))
            queryset = queryset.filter(found)
        return queryset, False

    @admin.display(description="Row")
    def label(self, row: Row) -> str:
        data_set = self.data_set
        said = (data_set.value_of(row, name) for name in data_set.labels[:2])
        return " ".join(str(each) for each in said if each) or row.load.name

    @admin.display(description="File")
    def file(self, row: Row) -> str:
        return f"{row.load.name}:{row.position}"

    @admin.display(description="Source file")
    def file_name(self, row: Row) -> str:
        return row.load.name

    @admin.display(description="Curation")
    def badges(self, row: Row) -> SafeString:
        marks = []
        if row.hidden:
            marks.append("hidden")
        if row.file_values:
            marks.append(f"edited: {', '.join(sorted(map(self.data_set.words_of, row.file_values)))}")
        if row.vanished:
            marks.append("vanished from its file")
        return format_html("{}", ", ".join(marks) or "–")

    @admin.display(description="Original values")
    def said(self, row: Row) -> str:
        said = sorted((row.file_values or {}).items())
        words_of = self.data_set.words_of
        return "; ".join(f"{words_of(name)}: {_display(value)}" for name, value in said) or "–"

    # Changes

    def save_model(self, request: HttpRequest, obj: Row, form: Any, change: bool) -> None:  # noqa: ARG002
        user = cast(User, request.user)
        values = {
            name: form.cleaned_data[name] for name in form.changed_data if name in self.data_set.editable
        }
        if values:
            curation.edit(obj, values, user)
        if "hidden" in form.changed_data:
            row = self.data_set.model.objects.filter(key=obj.key)
            if form.cleaned_data["hidden"]:
                curation.hide(row, by=user)
            else:
                curation.publish(row, by=user)

    def delete_model(self, request: HttpRequest, obj: Row) -> None:
        curation.delete_vanished(self.data_set.model.objects.filter(key=obj.key), by=cast(User, request.user))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    @admin.action(description="Hide selected rows", permissions=["change"])
    def hide(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._report(request, curation.hide(queryset, by=cast(User, request.user)), "hidden")

    @admin.action(description="Publish selected rows", permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._report(request, curation.publish(queryset, by=cast(User, request.user)), "published")

    @admin.action(description="Restore the file's values", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._report(
            request, curation.restore(queryset, by=cast(User, request.user)), "restored to the file's values"
        )

    def _report(self, request: HttpRequest, changed: int, what: str) -> None:
        text = ngettext("%(n)s row was %(what)s.", "%(n)s rows were %(what)s.", changed)
        self.message_user(request, text % {"n": f"{changed:,}", "what": what}, messages.SUCCESS)


def _display(value: object) -> str:
    return "empty" if value in (None, "") else str(value)


def register_rows() -> None:
    """Give each data set without an admin a `RowAdmin`. After all apps' `admin` were imported."""
    for data_set in data_sets():
        if not admin.site.is_registered(data_set.model):
            admin.site.register(data_set.model, RowAdmin)
