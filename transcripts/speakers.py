"""The form in which a curator names the people behind a file's labels, once for the whole call."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget

from mcpsite.core.texts import clean
from transcripts.parsing import Parsed
from transcripts.turns import MOST_SPEAKER

MOST_LABELS = 200
"""Labels on the page, the most frequent first; words before a colon that occur once are rarely a name."""


class Row(NamedTuple):
    """A label of the file."""

    label: str
    turns: int
    doubtful: bool
    """Whether it was not considered a speaker's."""
    field: forms.BoundField


class SpeakersForm(forms.Form):
    """A field for each label in `parsed`, which was read without the names in `named`."""

    seen = forms.JSONField(widget=forms.HiddenInput, required=False)
    """The names when the page was opened."""

    def __init__(self, parsed: Parsed, named: Mapping[str, str], data: Any = None) -> None:
        super().__init__(data, initial={"seen": dict(named)})
        found = {label: (turns, False) for label, turns in parsed.labels.items() if label or turns}
        found |= {label: (turns, True) for label, turns in parsed.doubtful.items() if label not in found}
        found |= {label: (0, True) for label in named if label not in found}
        self._labels = sorted(found, key=lambda label: (found[label][1], -found[label][0], label))[
            :MOST_LABELS
        ]
        self._understood = {label for label, (_, doubtful) in found.items() if label and not doubtful}
        self._turns = found
        for place, label in enumerate(self._labels):
            self.fields[f"speaker_{place}"] = forms.CharField(
                required=False,
                max_length=MOST_SPEAKER,
                initial=named.get(label, label if label in self._understood else ""),
                widget=UnfoldAdminTextInputWidget(),
            )

    def rows(self) -> list[Row]:
        return [
            Row(label, *self._turns[label], self[f"speaker_{place}"])
            for place, label in enumerate(self._labels)
        ]

    def speakers(self) -> dict[str, str]:
        """Return the names by label, without those that are the file's own."""
        chosen = {
            label: " ".join(clean(self.cleaned_data[f"speaker_{place}"]).split())
            for place, label in enumerate(self._labels)
        }
        return {
            label: name
            for label, name in chosen.items()
            if (name != label if label in self._understood else bool(name))
        }
