"""What became of the files of a load, and how it is told."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from mcpsite.datasets.findings import Findings
from mcpsite.datasets.formats import KINDS
from mcpsite.datasets.records import Unreadable
from mcpsite.datasets.tables import MOST_NAMED
from mcpsite.uploads.summaries import Summary

Result = Literal["new", "replaced", "unchanged", "rejected", "removed", "left out", "gone", "pruned"]

NOTHING_FOUND = Findings()
UNDONE = "was undone as it is, and is loaded again when it has changed, or with --force"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a file."""

    name: str
    result: Result
    rows: int = 0
    unreadable: int = 0
    vanished: int = 0
    """Curated rows that the file no longer holds."""
    lost: int = 0
    """By how many rows the file is shorter than it was."""
    reason: str = ""
    findings: Findings = NOTHING_FOUND
    """What was read otherwise than it stands, or not at all."""
    notes: Sequence[str] = ()
    """What else is to be said of it."""
    sample: Sequence[str] = ()
    """The first rows as they would be read, where that was all that was wanted."""

    @property
    def first_unreadable(self) -> Sequence[Unreadable]:
        return self.findings.first_unreadable

    @property
    def unused(self) -> Collection[str]:
        """What the file's columns are called that mean nothing here."""
        return self.findings.unused

    @property
    def skipped(self) -> int:
        """Items of a JSON file that are no rows."""
        return self.findings.skipped


def summary(outcomes: Collection[Outcome]) -> Summary:
    """What became of each file, for a person."""
    told = Summary(columns=["File", "Rows", "Unreadable values", "Result"], rows=[])
    others: list[str] = []
    for each in outcomes:
        if each.lost > each.rows:
            told.warnings.append(
                f"{each.name} has lost most of its rows: it held {each.rows + each.lost:,} and holds "
                f"{each.rows:,} now. If it was cut off, load the whole file again."
            )
        if each.result == "left out" and each.reason != UNDONE and each.reason:
            others.append(each.name)
            continue
        told.rows.append([each.name, f"{each.rows:,}", f"{each.unreadable:,}", each.result])
        if each.reason:
            told.notes.append(f"{each.name}: {each.reason}.")
        sentences = (*each.notes, *each.findings.sentences())
        told.notes += (f"{each.name}: {sentence}." for sentence in sentences)
        told.looks += (f"{each.name}: {sentence}." for sentence in each.sample)
        if each.vanished:
            told.notes.append(
                f"{each.name}: {each.vanished} curated rows are no longer in the file; "
                "they are kept and marked as vanished."
            )
        told.failed |= each.result == "rejected"
    if others:
        shown = ", ".join(others[:MOST_NAMED])
        more = f" and {len(others) - MOST_NAMED:,} more" if len(others) > MOST_NAMED else ""
        told.notes.append(f"Left out, for none of them is one of {KINDS}: {shown}{more}.")
    if removed := sum(each.result == "removed" for each in outcomes):
        told.notes.append(
            f"{removed:,} {'file was' if removed == 1 else 'files were'} removed by somebody and left out; "
            "name a file or its folder to load it again."
        )
    return told
