"""Lines over time as a tool answers with them: for the page that draws them, in words, and as a schema."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.published_columns import PublishedColumn
from mcpsite.datasets.trends import MOST_DATES, Trends
from mcpsite.mcp import Answer, View
from mcpsite.mcp.schemas import Schema

VIEW = View(
    name="datasets/line-chart.html",
    title="Figures over time",
    file=Path(__file__).parent / "chart" / "line-chart.html",
    drawn_by="datasets/line-chart.js#drawLineChart",
)
NOTHING = "(none)"
"""The line of rows that have no value."""


def schema(drawn: Sequence[PublishedColumn]) -> Schema:
    """Return the schema of an answer."""
    number, text = {"type": "integer"}, {"type": "string"}
    points = {"type": "array", "items": {"anyOf": [{"type": "number"}, {"type": "null"}]}}
    texts = {"type": "array", "items": text}
    line = {"name": text, "rows": number, **{column.name: points for column in drawn}}
    figure = {"type": "object", "properties": dict.fromkeys(("name", "title", "unit"), text)}
    properties = {
        "title": text,
        "line": {**text, "description": "The category of which each value is a line."},
        "figures": {"type": "array", "items": figure},
        "period": {"type": "string", "enum": ["day", "week", "month", "quarter", "year"]},
        "dates": {**texts, "description": "The first day of each period."},
        "series": {
            "type": "array",
            "items": {"type": "object", "properties": line},
            "description": "Means, each list parallel to dates; null where no row has the figure.",
        },
        "filters": {"type": "object", "description": "As they were applied."},
        "total_rows": number,
        "matched_rows": number,
        "undated_rows": number,
        "notes": texts,
    }
    optional = ("undated_rows", "notes")
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def answer(
    data_set: DataSet,
    drawn: Sequence[PublishedColumn],
    line: str,
    found: Trends,
    applied: Mapping[str, Any],
) -> Answer:
    """Return what was `found`, with the same in words for a model and for clients that show no chart."""
    value: dict[str, Any] = {
        "title": data_set.title,
        "line": line,
        "figures": [
            {
                "name": column.name,
                "title": column.meaning or column.name.replace("_", " "),
                "unit": column.unit,
            }
            for column in drawn
        ],
        "period": found.period,
        "dates": found.dates,
        "series": [
            {"name": each.value or NOTHING, "rows": each.rows, **each.figures} for each in found.lines
        ],
        "filters": dict(applied),
        "total_rows": found.total,
        "matched_rows": found.matched,
    }
    if found.undated:
        value["undated_rows"] = found.undated
    if notes := _notes(line, found):
        value["notes"] = notes
    return Answer(value=value, text=_in_words(value, drawn))


def _notes(line: str, found: Trends) -> list[str]:
    """What a reader of the lines has to know about them."""
    notes = []
    if found.period != "day":
        notes.append(f"There are more than {MOST_DATES} days: a point is the mean of a {found.period}.")
    if found.earlier:
        notes.append(f"{found.earlier} earlier years are left out; name one.")
    if found.left_out:
        named = ", ".join(found.left_out) + (", …" if found.left_out_count > len(found.left_out) else "")
        notes.append(
            f"These are the {len(found.lines)} of {line} with the most rows; {found.left_out_count} more "
            f"match ({named}): name one with {line}_contains."
        )
    if found.undated:
        notes.append(f"{found.undated} rows without a usable date are left out.")
    return notes


def _in_words(value: Mapping[str, Any], drawn: Sequence[PublishedColumn]) -> str:
    asked = ", ".join(f"{name} {said}" for name, said in value["filters"].items())
    notes = value.get("notes", [])
    if not value["dates"]:
        nothing = "No dated row with a figure matches" + (f" ({asked})." if asked else ".")
        return " ".join([nothing, "Widen the filters.", *notes])
    series, period = value["series"], value["period"]
    table = [
        ["Week from" if period == "week" else period.capitalize(), *(line["name"] for line in series)],
        ["---"] * (len(series) + 1),
        *(
            [period_label(period, date), *(_cell(line, at, drawn) for line in series)]
            for at, date in enumerate(value["dates"])
        ),
    ]
    return "\n".join(
        [
            f"Means by {period} and {value['line']}{f' ({asked})' if asked else ''}, from "
            f"{value['matched_rows']} rows: {' / '.join(column.described for column in drawn)}",
            "",
            *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table),
            "",
            *notes,
        ]
    ).strip()


def period_label(period: str, date: str) -> str:
    """Return the name of the period that begins on `date`."""
    if period == "quarter":
        return f"{date[:4]} Q{(int(date[5:7]) + 2) // 3}"
    return date[: {"month": 7, "year": 4}.get(period, 10)]


def _cell(line: Mapping[str, Any], at: int, drawn: Sequence[PublishedColumn]) -> str:
    values = [line[column.name][at] for column in drawn]
    if all(value is None for value in values):
        return ""
    return " / ".join("–" if value is None else f"{value:,.10g}" for value in values)
