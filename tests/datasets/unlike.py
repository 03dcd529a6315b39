"""Ten tables as unlike as those of companies are, invented, with what they hold in plain Python."""

import csv
import datetime
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from openpyxl import Workbook

Record = dict[str, Any]
DAY = datetime.date(2026, 1, 5)


@dataclass(frozen=True, kw_only=True)
class Unlike:
    """A file, and its records under the names that its columns are to have."""

    name: str
    suffix: str
    data: bytes
    records: list[Record]
    kinds: dict[str, str]
    """Of each column."""
    category: str
    number: str = ""
    day: str = ""
    """What the filter by day is called."""
    options: tuple[str, ...] = field(default=())


def _csv(header: list[str], rows: list[list[Any]], delimiter: str = ",") -> bytes:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    writer.writerows([header, *rows])
    return file.getvalue().encode()


def _day(number: int) -> datetime.date:
    return DAY + datetime.timedelta(days=number)


def sales() -> Unlike:
    records: list[Record] = [
        {
            "order_no": f"{number:06d}",
            "date": str(_day(number // 3)),
            "region": ("Nord", "Süd", "West")[number % 3],
            "net_amount": round(17.25 * (number % 23) + 4, 2),
        }
        for number in range(120)
    ]
    rows = [
        [
            each["order_no"],
            datetime.date.fromisoformat(each["date"]).strftime("%d.%m.%Y"),
            each["region"],
            f"{each['net_amount']:.2f}".replace(".", ","),
        ]
        for each in records
    ]
    data = b"Sales by region\n" + _csv(["Order No", "Date", "Region", "Net amount (EUR)"], rows, ";")
    return Unlike(
        name="my_sales",
        suffix=".csv",
        data=data,
        records=records,
        kinds={"order_no": "Text", "date": "Day", "region": "Category", "net_amount": "Number"},
        category="region",
        number="net_amount",
        day="date",
    )


def tickets() -> Unlike:
    records: list[Record] = [
        {
            "ticket_id": f"T-{1000 + number}",
            "created_at": f"{_day(number // 2)}T{number % 24:02}:30:00",
            "status": ("open", "closed")[number % 2],
            "hours": number % 9,
            "subject": f"Printer {number} does not print page {number * 3}",
        }
        for number in range(80)
    ]
    items = [{**each, "ticketId": each["ticket_id"], "createdAt": each["created_at"]} for each in records]
    for each in items:
        del each["ticket_id"], each["created_at"]
    return Unlike(
        name="my_tickets",
        suffix=".json",
        data=json.dumps({"count": len(items), "data": items}).encode(),
        records=records,
        kinds={
            "ticket_id": "Prose",
            "day": "Day",
            "status": "Category",
            "hours": "Number",
            "subject": "Prose",
        },
        category="status",
        number="hours",
        day="created_at",
    )


def prices() -> Unlike:
    records: list[Record] = [
        {
            "sku": f"{number:05d}",
            "item": f"Bolt M{number}",
            "group": ("Bolts", "Nuts", "Rivets")[number % 3],
            "price": round(0.15 * number + 1, 2),
        }
        for number in range(90)
    ]
    workbook = Workbook()
    sheet: Any = workbook.active
    sheet.append(["SKU", "Item", "Group", "Price (€)"])
    for each in records:
        sheet.append(list(each.values()))
    file = io.BytesIO()
    workbook.save(file)
    return Unlike(
        name="my_prices",
        suffix=".xlsx",
        data=file.getvalue(),
        records=records,
        kinds={"sku": "Text", "item": "Prose", "group": "Category", "price": "Number"},
        category="group",
        number="price",
    )


def sensors() -> Unlike:
    records: list[Record] = [
        {
            "sensor": f"S{number % 7}",
            "reading_at": f"{_day(number // 20)} {number % 24:02}:{number % 60:02}",
            "temp": (number * 7) % 41 - 9.5,
        }
        for number in range(300)
    ]
    rows = [list(each.values()) for each in records]
    return Unlike(
        name="my_sensors",
        suffix=".tsv",
        data=_csv(["sensor", "reading at", "temp (°C)"], rows, "\t"),
        records=records,
        kinds={"sensor": "Category", "day": "Day", "temp": "Number"},
        category="sensor",
        number="temp",
        day="reading_at",
    )


def staff() -> Unlike:
    records: list[Record] = [
        {
            "name": f"Person {number} Müller",
            "department": ("Sales", "IT", "HR")[number % 3],
            "phone": f"+49 30 {10_000 + number}",
            "joined": str(_day(61 * number)),
        }
        for number in range(45)
    ]
    rows = [
        [*list(each.values())[:3], datetime.date.fromisoformat(each["joined"]).strftime("%d %b %Y"), ""]
        for each in records
    ]
    return Unlike(
        name="my_staff",
        suffix=".csv",
        data=_csv(["Name", "Department", "Phone", "Joined", "Remarks"], rows),
        records=records,
        kinds={"name": "Prose", "department": "Category", "phone": "Prose", "joined": "Day"},
        category="department",
        day="joined",
    )


def survey() -> Unlike:
    words = ("the", "service", "is", "slow", "great", "needs", "work")
    records: list[Record] = [
        {
            "response": str(number + 1),
            "how_satisfied_are_you": number % 5 + 1,
            "what_should_we_change": " ".join(words[(number + k * k) % 7] for k in range(30)) + f" {number}",
            "would_recommend": ("Yes", "No", "Perhaps")[number % 3],
        }
        for number in range(60)
    ]
    header = ["Response", "How satisfied are you? (1-5)", "What should we change?", "Would recommend"]
    return Unlike(
        name="my_survey",
        suffix=".csv",
        data=_csv(header, [list(each.values()) for each in records]),
        records=records,
        kinds={
            "response": "Text",
            "how_satisfied_are_you": "Number",
            "what_should_we_change": "Prose",
            "would_recommend": "Category",
        },
        category="would_recommend",
        number="how_satisfied_are_you",
    )


def ledger() -> Unlike:
    records: list[Record] = [
        {
            "date": str(_day(number)),
            "account": ("4000", "5000", "0120")[number % 3],
            "description": f"Posting {number}",
            "amount": (number * 37) % 101 - 50.5,
        }
        for number in range(100)
    ]
    rows = [
        [*list(each.values())[:3], f"({abs(each['amount'])})" if each["amount"] < 0 else each["amount"]]
        for each in records
    ]
    return Unlike(
        name="my_ledger",
        suffix=".csv",
        data=_csv(["Date", "Account", "Description", "Amount"], rows),
        records=records,
        kinds={"date": "Day", "account": "Category", "description": "Prose", "amount": "Number"},
        category="account",
        number="amount",
        day="date",
    )


def wide() -> Unlike:
    metrics = [f"metric_{number}" for number in range(58)]
    records: list[Record] = [
        {
            "day": str(_day(number % 28)),
            "site": "ABC"[number % 3],
            **{name: (number * place) % 97 for place, name in enumerate(metrics, start=1)},
        }
        for number in range(150)
    ]
    header = ["day", "site", *(name.replace("_", " ") for name in metrics)]
    return Unlike(
        name="my_wide",
        suffix=".csv",
        data=_csv(header, [list(each.values()) for each in records]),
        records=records,
        kinds={"day": "Day", "site": "Category", **dict.fromkeys(metrics, "Number")},
        category="site",
        number="metric_0",
        day="day",
    )


def long() -> Unlike:
    records: list[Record] = [
        {
            "order_date": str(_day(number % 700)),
            "store": f"Store {number % 90}",
            "units": number % 13,
        }
        for number in range(200_000)
    ]
    return Unlike(
        name="my_long",
        suffix=".jsonl",
        data="\n".join(map(json.dumps, records)).encode(),
        records=records,
        kinds={"order_date": "Day", "store": "Category", "units": "Number"},
        category="store",
        number="units",
        day="order_date",
    )


def japanese() -> Unlike:
    records: list[Record] = [
        {
            "column_1": str(_day(number)),
            "column_2": ("東京", "大阪", "福岡")[number % 3],
            "column_3": 1_000 + number * 137,
        }
        for number in range(60)
    ]
    rows = [
        [
            "{0.year}年{0.month}月{0.day}日".format(datetime.date.fromisoformat(each["column_1"])),
            each["column_2"],
            f"{each['column_3']:,}",
        ]
        for each in records
    ]
    return Unlike(
        name="my_japan",
        suffix=".csv",
        data=_csv(["日付", "地域", "売上（円）"], rows),
        records=records,
        kinds={"column_1": "Day", "column_2": "Category", "column_3": "Number"},
        category="column_2",
        number="column_3",
        day="column_1",
    )


MADE: tuple[Callable[[], Unlike], ...] = (
    *(sales, tickets, prices, sensors, staff),
    *(survey, ledger, wide, long, japanese),
)


def questions(unlike: Unlike) -> Iterator[tuple[str, dict[str, Any], str, Any]]:
    """Yield five questions or more: tool, arguments, the key of the answer, and what that has to be."""
    name, category, records = unlike.name, unlike.category, unlike.records
    value = records[1][category]
    having = [each for each in records if each[category] == value]
    yield name, {"limit": 1}, "total_rows", len(records)
    parts = sum(value.casefold() in each[category].casefold() for each in records)
    yield name, {f"{category}_contains": value, "limit": 1}, "matched_rows", parts
    yield name, {f"{category}_contains": "no such value"}, "matched_rows", 0
    groups = {"group_by": [category], "limit": 200}
    yield f"{name}_summary", groups, f"{value}/rows", len(having)
    yield f"{name}_summary", groups, "groups_returned", len({each[category] for each in records})
    if unlike.number:
        least = sorted(each[unlike.number] for each in records)[len(records) // 2]
        most = sum(each[unlike.number] >= least for each in records)
        yield name, {f"{unlike.number}_min": least, "limit": 1}, "matched_rows", most
        total = round(sum(each[unlike.number] for each in having), 4)
        metric = f"{unlike.number}_sum"
        yield f"{name}_summary", groups | {"metrics": [metric]}, f"{value}/{metric}", total
    if unlike.day:
        month = sum(each[unlike.day].startswith("2026-01") for each in records)
        yield name, {unlike.day: "2026-01", "limit": 1}, "matched_rows", month
