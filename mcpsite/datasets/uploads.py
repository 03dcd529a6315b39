"""Files of data sets that people upload: loaded as `load_data` loads them."""

from functools import partial
from typing import Any

from django import forms
from django.contrib.auth.models import Group
from django.urls import reverse
from unfold.widgets import (
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from mcpsite.datasets.columns import Said
from mcpsite.datasets.corrections import corrections_of, kind_of
from mcpsite.datasets.declaration import DataSet, data_sets
from mcpsite.datasets.files import Found
from mcpsite.datasets.formats import PACKED, SUFFIXES
from mcpsite.datasets.loading import Choices, load
from mcpsite.datasets.outcomes import Outcome, summary
from mcpsite.uploads.corrections import loader
from mcpsite.uploads.forms import UploadForm
from mcpsite.uploads.loaders import FOLDER, Loader, Task, register_loader
from mcpsite.uploads.summaries import Summary

MOST_LINKS = 20
SAID = ("dates", "decimal", "encoding", "sheet")
"""What a person may state about a file."""


class DataForm(UploadForm):
    suffixes = frozenset({*SUFFIXES, PACKED})
    text_only = False
    explanation = (
        "Each file is loaded completely, or refused with the line and the reason. A file with the same "
        "name as one loaded before replaces it: its old rows are deleted, but what a curator edited or "
        "hid is kept. If that file came from the data folder, the next load of the folder restores the "
        "folder's version."
    )

    strict = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanWidget(),
        label="Strict",
        help_text="Refuse files with a day or a number that cannot be read.",
    )

    dates = forms.ChoiceField(
        required=False,
        choices=[
            ("", "Detect from the file"),
            ("dmy", "Day first (31/12/2026)"),
            ("mdy", "Month first (12/31/2026)"),
        ],
        widget=UnfoldAdminSelectWidget(),
        help_text="Only used if every date in the file could be read both ways.",
    )

    decimal = forms.ChoiceField(
        required=False,
        choices=[("", "Detect from the file"), (".", "Point (1,234.5)"), (",", "Comma (1.234,5)")],
        widget=UnfoldAdminSelectWidget(),
        label="Decimal mark",
        help_text="Only used if 1.234 in the file could mean thousands or decimals.",
    )

    encoding = forms.CharField(
        required=False,
        max_length=40,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Only needed for files that are not UTF-8 and do not declare an encoding, for example "
        "cp1250 or shift_jis.",
    )

    sheet = forms.CharField(
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget(),
        help_text="The sheet of a workbook. If empty, the first visible sheet is read.",
    )

    allow_empty = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanWidget(),
        label="Allow empty files",
        help_text="If a file has no rows, delete the rows loaded before from a file of the same name.",
    )

    groups = forms.ModelMultipleChoiceField(
        Group.objects.order_by("name"),
        required=False,
        widget=UnfoldAdminSelectMultipleWidget(),
        help_text="Groups that may read the rows of new files. Leave empty for everybody who may read "
        "this data.",
    )

    def options(self) -> dict[str, Any]:
        groups = [group.pk for group in self.cleaned_data["groups"]]
        cleaned = self.cleaned_data
        said = {name: cleaned[name] for name in SAID}
        return {"strict": cleaned["strict"], "allow_empty": cleaned["allow_empty"], "groups": groups, **said}


def run(data_set: DataSet, task: Task) -> list[Summary]:
    """Load the files of `task` into `data_set`."""
    found = [Found(name=path.name, path=path, folder=FOLDER) for path in task.files]
    chosen = task.options.get("groups", [])
    groups = list(Group.objects.filter(pk__in=chosen))
    if len(groups) < len(chosen):
        # Without all of them, other people than intended might read the rows.
        reason = "a chosen group no longer exists; upload the file again"
        return [summary([Outcome(name=each.name, result="rejected", reason=reason) for each in found])]
    total = sum(path.stat().st_size for path in task.files)
    done = 0

    def advance(_: Found, read: int) -> None:
        nonlocal done
        done += read
        task.progress(done, total)

    choices = Choices(
        loaded_by=task.by,
        dry_run=task.check_only,
        strict=bool(task.options.get("strict")),
        allow_empty=bool(task.options.get("allow_empty")),
        groups=groups,
        said=Said(**{name: task.options[name] for name in SAID if task.options.get(name)}),
        progress=advance,
    )
    outcomes = list(load(data_set, found, choices))
    result = summary(outcomes)
    if not task.check_only:
        loaded = [each.name for each in outcomes if each.result != "rejected"][:MOST_LINKS]
        options = data_set.model._meta
        rows = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
        result.links = [
            (f"Rows of {source.name}", f"{rows}?load__file__id__exact={source.pk}")
            for source in data_set.files.filter(name__in=loaded)
        ]
    return [result]


for each in data_sets():
    rows_of = f"admin:{each.model._meta.app_label}_{each.model._meta.model_name}_changelist"
    register_loader(
        Loader(
            kind=each.name,
            title=f"{each.words} files",
            permission=each.may("add"),
            form=DataForm,
            run=partial(run, each),
            list_url="admin:datasets_sourcefile_changelist",
        )
    )
    register_loader(
        loader(
            kind_of(each),
            title=f"corrected {each.words} rows",
            permission=each.may("change"),
            list_url=rows_of,
            resource=corrections_of(each),
        )
    )
