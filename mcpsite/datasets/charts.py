"""Lines over time as a tool's answer: for the page that draws them, in words, and as a schema."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.declared_columns import filtered_columns
from mcpsite.datasets.trends import MOST_DATES, Drawing, Trends
from mcpsite.mcp import Answer, View
from mcpsite.mcp.schemas import Schema

VIEW = View(
    name="datasets/line-chart.html",
    title="Figures over time",
    file=Path(__file__).parent / "chart" / "line-chart.html",
    drawn_by="datasets/line-chart.js#drawLineChart",
)


def schema(names: Iterable[str]) -> Schema:
    """Return the schema of an answer that draws these numbers."""
    number, text = {"type": "integer"}, {"type": "string"}
    points = {"type": "array", "items": {"anyOf": [{"type": "number"}, {"type": "null"}]}}
    texts = {"type": "array", "items": text}
    line = {"name": text, "rows": number, **dict.fromkeys(names, points)}
    figure = {"type": "object", "properties": dict.fromkeys(("name", "title", "unit"), text)}
    properties = {
        "tool": text,
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
        "choices": {"type": "object", "description": "Values that may be asked for next, by filter."},
        "filters": {"type": "object", "description": "As they were applied."},
        "total_rows": number,
        "matched_rows": number,
        "undated_rows": number,
        "notes": texts,
    }
    optional = ("undated_rows", "notes")
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What a tool draws of a data set, and how it describes it."""

    tool: str
    """The tool's name, by which the page requests another answer."""
    title: str
    data_set: DataSet
    drawing: Drawing

    def answer(self, found: Trends, applied: Mapping[str, Any]) -> Answer:
        """Return what was `found`, with the same in words for a model and for clients that show no chart."""
        nothing = f"(no {self._words})"
        value: dict[str, Any] = {
            "tool": self.tool,
            "title": self.title,
            "line": self.drawing.line,
            "figures": self._figures,
            "period": found.period,
            "dates": found.dates,
            "series": [
                {"name": each.value or nothing, "rows": each.rows, **each.figures} for each in found.lines
            ],
            "choices": self._choices(found),
            "filters": dict(applied),
            "total_rows": found.total,
            "matched_rows": found.matched,
        }
        if found.undated:
            value["undated_rows"] = found.undated
        if notes := self._notes(found):
            value["notes"] = notes
        return Answer(value=value, text=self._in_words(value))

    @property
    def _words(self) -> str:
        return self.drawing.line.replace("_", " ")

    @property
    def _figures(self) -> list[dict[str, str]]:
        """The names of the numbers for a reader."""
        columns: Mapping[str, Any] = self.data_set.columns
        return [
            {
                "name": name,
                "title": str(columns[name].verbose_name).removesuffix(f" ({columns[name].unit})"),
                "unit": columns[name].unit,
            }
            for name in self.drawing.names
        ]

    def _filter(self, column: str) -> str:
        """Return the name of the filter for `column`."""
        return next(each.asked for each in filtered_columns(self.data_set) if each.name == column)

    def _choices(self, found: Trends) -> dict[str, list[str]]:
        lines = [value for value in (*(each.value for each in found.lines), *found.left_out) if value]
        choices = {self._filter(self.drawing.line): lines}
        if self.drawing.beside:
            choices[self._filter(self.drawing.beside)] = found.beside
        return choices

    def _notes(self, found: Trends) -> list[str]:
        """Return what a reader of the lines has to know about them."""
        notes = []
        if found.period != "day":
            notes.append(
                f"There are more than {MOST_DATES} days, so each point is the mean of a {found.period}."
            )
        if found.earlier:
            day = self._filter(self.data_set.day)
            notes.append(f"{found.earlier} earlier years are left out; name one with {day}.")
        if found.left_out:
            named = ", ".join(found.left_out) + (", …" if found.left_out_count > len(found.left_out) else "")
            notes.append(
                f"The {len(found.lines)} lines with the most rows are drawn; {found.left_out_count} more "
                f"match ({named}): name one with {self._filter(self.drawing.line)}."
            )
        if found.dates and found.beside_count > 1:
            beside = self.drawing.beside
            notes.append(
                f"Means over {found.beside_count} values of {beside.replace('_', ' ')}; "
                f"name one with {self._filter(beside)}."
            )
        if found.undated:
            notes.append(f"{found.undated} rows without a valid date are left out.")
        return notes

    def _in_words(self, value: Mapping[str, Any]) -> str:
        asked = ", ".join(f"{name} {said}" for name, said in value["filters"].items())
        notes = value.get("notes", [])
        if not value["dates"]:
            nothing = "No rows with a date and a figure match" + (f" ({asked})." if asked else ".")
            return " ".join([nothing, "Widen the filters.", *notes])
        series, period, figures = value["series"], value["period"], value["figures"]
        described = " / ".join(
            f"{each['title']} in {each['unit']}" if each["unit"] else each["title"] for each in figures
        )
        table = [
            ["Week from" if period == "week" else period.capitalize(), *(line["name"] for line in series)],
            ["---"] * (len(series) + 1),
            *(
                [period_label(period, date), *(_cell(line, at, figures) for line in series)]
                for at, date in enumerate(value["dates"])
            ),
        ]
        return "\n".join(
            [
                f"{self.title}, means by {period} and {self._words}{f' ({asked})' if asked else ''}, from "
                f"{value['matched_rows']} rows: {described}",
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


def _cell(line: Mapping[str, Any], at: int, figures: Iterable[Mapping[str, str]]) -> str:
    values = [(line[figure["name"]][at], " %" * (figure["unit"] == "%")) for figure in figures]
    if all(value is None for value, _ in values):
        return ""
    return " / ".join("–" if value is None else f"{value:,.10g}{unit}" for value, unit in values)
