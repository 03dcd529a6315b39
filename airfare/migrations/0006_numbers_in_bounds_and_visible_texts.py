"""Rows of before numbers had bounds and texts were cleaned become what a load makes of them now."""

import secrets
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models import Count, F, Q

from airfare.models import NO_DAY
from airfare.records import BOUNDS, airports_of, as_stored, day_of, subject_of
from mcpsite.core.texts import clean

TEXTS = (
    *("snapshot_date", "subject", "route", "airline", "season", "query", "region", "provider"),
    *("collection_window", "query_count", "week_id", "linked_tickers"),
)
DERIVED = ("origin_airport", "destination_airport", "snapshot_day")
BATCH = 500


def forward(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    changed = [_numbers(apps), _notable_texts(apps, editor), _texts(apps), _edits(apps)]
    if any(changed):
        # As `airfare.versions` does: what a process remembers of the rows is of another version.
        apps.get_model("airfare", "DataVersion").objects.update(token=secrets.randbits(62) + 1)


def _numbers(apps: StateApps) -> bool:
    """Take out numbers beyond their bounds, and count them as unreadable."""
    rows = apps.get_model("airfare", "FareRow").objects
    files = apps.get_model("airfare", "SourceFile").objects
    changed = False
    for name, (least, most) in BOUNDS.items():
        beyond = rows.filter(Q(**{f"{name}__lt": least}) | Q(**{f"{name}__gt": most}))
        for file, number in list(beyond.order_by().values_list("source_file").annotate(Count("id"))):
            files.filter(pk=file).update(unreadable=F("unreadable") + number)
            changed = True
        beyond.update(**{name: None})
    return changed


def _notable_texts(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> bool:
    texts = apps.get_model("airfare", "NotableText").objects
    unclean = [each for each in texts.iterator() if clean(each.text) != each.text]
    for each in unclean:
        _index(editor, "(airfare_notable_trigrams, rowid, folded) VALUES ('delete', %s, %s)", each)
        each.text = clean(each.text).strip()
        if not each.text:
            apps.get_model("airfare", "FareRow").objects.filter(notable_id=each.pk).update(notable_id=None)
            each.delete()
            continue
        each.folded = each.text.casefold()
        each.digest = int.from_bytes(blake2b(each.text.encode(), digest_size=8).digest(), signed=True)
        each.save()
        _index(editor, "(rowid, folded) VALUES (%s, %s)", each)
    return bool(unclean)


def _index(editor: BaseDatabaseSchemaEditor, what: str, text: Any) -> None:
    if editor.connection.vendor == "sqlite":
        editor.execute(f"INSERT INTO airfare_notable_trigrams {what}", [text.pk, text.folded])


def _texts(apps: StateApps) -> bool:
    """Clean the texts of rows, and bring up to date what follows from them."""
    rows = apps.get_model("airfare", "FareRow").objects
    unclean: set[int] = set()
    for name in TEXTS:
        values = rows.order_by().values_list(name, flat=True).distinct()
        for chunk in _chunks([value for value in values.iterator() if clean(value) != value]):
            unclean.update(rows.filter(**{f"{name}__in": chunk}).values_list("id", flat=True))
    files: set[int] = set()
    for chunk in _chunks(sorted(unclean)):
        found = list(rows.filter(id__in=chunk).select_related("source_file"))
        for row in found:
            for name in TEXTS:
                setattr(row, name, as_stored(name, getattr(row, name)))
            row.origin_airport, row.destination_airport = airports_of(row.route)
            row.snapshot_day = day_of(row.snapshot_date) or NO_DAY
            row.subject = subject_of(row.route, row.airline, row.season, row.query) or clean(
                row.source_file.name
            )
            files.add(row.source_file_id)
        rows.bulk_update(found, [*TEXTS, *DERIVED])
    for file in files:
        _count(apps, file)
    return bool(unclean)


def _count(apps: StateApps, file: int) -> None:
    """Count a file's combinations anew."""
    combinations = apps.get_model("airfare", "Combination")
    names = ("route", "origin_airport", "destination_airport", "airline", "season")
    published = apps.get_model("airfare", "FareRow").objects.filter(source_file=file, hidden=False).order_by()
    combinations.objects.filter(source_file=file).delete()
    combinations.objects.bulk_create(
        [
            combinations(source_file_id=file, **each)
            for each in published.values(*names).annotate(rows=Count("id")).iterator()
        ],
        batch_size=BATCH,
    )


def _edits(apps: StateApps) -> bool:
    """The file's values of edited fields, which a curator may take back."""
    changed = False
    for edit in list(apps.get_model("airfare", "Edit").objects.all()):
        original = {name: as_stored(name, value) for name, value in edit.original.items()}
        if original != edit.original:
            edit.original = original
            edit.save(update_fields=["original"])
            changed = True
    return changed


def _chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]


class Migration(migrations.Migration):
    dependencies = [("airfare", "0005_removed_files")]
    operations = [migrations.RunPython(forward, migrations.RunPython.noop)]
