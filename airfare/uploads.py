"""Airfare files that people upload: loaded as `load_airfare` loads them."""

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

from airfare.corrections import KIND as CORRECTIONS
from airfare.corrections import Corrections
from airfare.loading import Found, Outcome, load, summary
from airfare.models import SourceFile
from mcpsite.datasets.columns import Said
from mcpsite.datasets.formats import PACKED, SUFFIXES
from mcpsite.uploads.corrections import loader
from mcpsite.uploads.forms import UploadForm
from mcpsite.uploads.loaders import FOLDER, Loader, Task, register_loader
from mcpsite.uploads.summaries import Summary

MOST_LINKS = 20
SAID = ("dates", "decimal", "encoding", "sheet")
"""What a person may say of a file."""


class AirfareForm(UploadForm):
    suffixes = frozenset({*SUFFIXES, PACKED})
    text_only = False
    explanation = (
        "Each file is loaded as a whole, or refused with the line and the reason. A file with the name of "
        "one that is here already replaces it: its old rows go, but what a curator edited or hid stays. "
        "Where that file came from the data folder, the next load of the folder puts its own version back."
    )

    strict = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanWidget(),
        label="Strict",
        help_text="Refuse a file in which a day or a number cannot be read.",
    )

    dates = forms.ChoiceField(
        required=False,
        choices=[
            ("", "As the file shows"),
            ("dmy", "Day first (31/12/2026)"),
            ("mdy", "Month first (12/31/2026)"),
        ],
        widget=UnfoldAdminSelectWidget(),
        help_text="Where every date could be read in both ways.",
    )

    decimal = forms.ChoiceField(
        required=False,
        choices=[("", "As the file shows"), (".", "Point (1,234.5)"), (",", "Comma (1.234,5)")],
        widget=UnfoldAdminSelectWidget(),
        label="Decimal mark",
        help_text="Where 1.234 could be thousands or decimals.",
    )

    encoding = forms.CharField(
        required=False,
        max_length=40,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Of files that are neither UTF-8 nor say what they are, for example cp1250 or shift_jis.",
    )

    sheet = forms.CharField(
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Of a workbook; without it the first that is not hidden is read.",
    )

    allow_empty = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanWidget(),
        label="Allow empty files",
        help_text="A file without rows takes out the rows that are here under its name.",
    )

    groups = forms.ModelMultipleChoiceField(
        Group.objects.order_by("name"),
        required=False,
        widget=UnfoldAdminSelectMultipleWidget(),
        help_text="Who may read the rows of new files. With none, everybody who may read fares.",
    )

    def options(self) -> dict[str, Any]:
        groups = [group.pk for group in self.cleaned_data["groups"]]
        cleaned = self.cleaned_data
        said = {name: cleaned[name] for name in SAID}
        return {"strict": cleaned["strict"], "allow_empty": cleaned["allow_empty"], "groups": groups, **said}


def run(task: Task) -> list[Summary]:
    """Load the files of `task`."""
    found = [Found(name=path.name, path=path, folder=FOLDER) for path in task.files]
    chosen = task.options.get("groups", [])
    groups = list(Group.objects.filter(pk__in=chosen))
    if len(groups) < len(chosen):
        # Without all of them, other people might read the rows than were meant to.
        reason = "a group that was chosen is gone; upload the file again"
        return [summary([Outcome(name=each.name, result="rejected", reason=reason) for each in found])]
    total = sum(path.stat().st_size for path in task.files)
    done = 0

    def advance(_: Found, read: int) -> None:
        nonlocal done
        done += read
        task.progress(done, total)

    outcomes = list(
        load(
            found,
            loaded_by=task.by,
            dry_run=task.check_only,
            strict=bool(task.options.get("strict")),
            allow_empty=bool(task.options.get("allow_empty")),
            groups=groups,
            said=Said(**{name: task.options[name] for name in SAID if task.options.get(name)}),
            progress=advance,
        )
    )
    result = summary(outcomes)
    if not task.check_only:
        loaded = [each.name for each in outcomes if each.result != "rejected"][:MOST_LINKS]
        rows = reverse("admin:airfare_farerow_changelist")
        result.links = [
            (f"Rows of {source.name}", f"{rows}?load__file__id__exact={source.pk}")
            for source in SourceFile.objects.filter(name__in=loaded)
        ]
    return [result]


register_loader(
    Loader(
        kind="airfare",
        title="airfare files",
        permission="airfare.add_sourcefile",
        form=AirfareForm,
        run=run,
        list_url="admin:airfare_sourcefile_changelist",
    )
)
register_loader(
    loader(
        CORRECTIONS,
        title="corrected fare rows",
        permission="airfare.change_farerow",
        list_url="admin:airfare_farerow_changelist",
        resource=Corrections,
    )
)
