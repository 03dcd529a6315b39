"""Fare rows as a spreadsheet, and what a curator corrected in it."""

from airfare.curation import EDITABLE
from airfare.models import FareRow
from exchange.exporting import columns

PATHS = {
    "id": "id",
    **{name: name for name in EDITABLE if name != "notable_event"},
    "notable_event": "notable__text",
    "hidden": "hidden",
    "vanished": "vanished",
    "source_file": "source_file__name",
    "position": "position",
}
"""Each column, and where its value is found from a fare row."""

FareRowColumns = columns(FareRow, **PATHS)
