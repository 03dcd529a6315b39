"""What became of the files of a load, and how it is reported."""

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
UNDONE = (
    "was skipped, because this version was undone; it is loaded again when it has changed, or with --force"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a file."""

    name: str
    result: Result
    rows: int = 0
    unreadable: int = 0
    vanished: int = 0
    """How many curated rows the file no longer has."""
    lost: int = 0
    """By how many rows the file became shorter."""
    reason: str = ""
    findings: Findings = NOTHING_FOUND
    """What was changed in reading, or not read at all."""
    notes: Sequence[str] = ()
    """Further remarks."""
    sample: Sequence[str] = ()
    """The first rows as they would be read, if only that was requested."""

    @property
    def first_unreadable(self) -> Sequence[Unreadable]:
        return self.findings.first_unreadable

    @property
    def unused(self) -> Collection[str]:
        """The names of the file's columns without a meaning here."""
        return self.findings.unused

    @property
    def skipped(self) -> int:
        """Items of a JSON file that are not rows."""
        return self.findings.skipped


def summary(outcomes: Collection[Outcome]) -> Summary:
    """Return what became of each file, for a person."""
    told = Summary(columns=["File", "Rows", "Unreadable values", "Result"], rows=[])
    others: list[str] = []
    for each in outcomes:
        if each.lost > each.rows:
            told.warnings.append(
                f"{each.name} has lost most of its rows: it had {each.rows + each.lost:,} and now has "
                f"{each.rows:,}. If it was cut off, load the whole file again."
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
        told.notes.append(f"Skipped, because they are not {KINDS} files: {shown}{more}.")
    if removed := sum(each.result == "removed" for each in outcomes):
        told.notes.append(
            f"{removed:,} {'file was' if removed == 1 else 'files were'} removed by somebody and skipped; "
            "name a file or its folder to load it again."
        )
    return told
