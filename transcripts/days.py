"""Days as people write them → dates: what is unambiguous, and what is not."""

import datetime
import re
from dataclasses import dataclass

_MONTHS = {
    1: "january jan januar januari janvier enero gennaio janeiro jänner",
    2: "february feb februar februari février fevrier febrero febbraio fevereiro",
    3: "march mar märz maerz mrz maart mars marzo março marco",
    4: "april apr avril abril aprile",
    5: "may mai mei mayo maggio maio",
    6: "june jun juni juin junio giugno junho",
    7: "july jul juli juillet julio luglio julho",
    8: "august aug augustus août aout agosto",
    9: "september sep sept septembre septiembre settembre setembro",
    10: "october oct oktober okt octobre octubre ottobre outubro",
    11: "november nov novembre noviembre novembro",
    12: "december dec dezember dez décembre decembre diciembre dicembre dezembro",
}
_MONTH = {name: number for number, names in _MONTHS.items() for name in names.split()}
_LETTERS = "|".join(sorted(_MONTH, key=len, reverse=True))
_ORDINAL = r"(?:st|nd|rd|th|\.|º|er)?"
_DAY = re.compile(
    rf"""
    (?<!\d)(?<!\d[.,:/-])(?:
        (?P<y1>(?:19|20)\d\d)\s?(?P<s1>[-/._年년])\s?(?P<m1>\d{{1,2}})\s?(?:(?P=s1)|[月월])\s?(?P<d1>\d{{1,2}})(?:日|일)?
      | (?P<y2>(?:19|20)\d\d)(?P<m2>[01]\d)(?P<d2>[0-3]\d)
      | (?P<a>\d{{1,2}})(?P<s3>[-/._])(?P<b>\d{{1,2}})(?P=s3)(?P<y3>(?:19|20)\d\d)
      | (?P<d4>\d{{1,2}}){_ORDINAL}[\s_-]*(?:of\s|de\s)?(?P<m4>{_LETTERS})\.?,?
        [\s_-]*(?:del?\s)?(?P<y4>(?:19|20)\d\d)
    )(?![\d/]|[-.]\d(?!\d{{3}}))
    | (?<![\d/])(?P<c>\d{{1,2}})/(?P<d>\d{{1,2}})/(?P<y6>\d\d)(?![\d/])
    | (?<![\d.,:/-])(?P<d7>\d{{1,2}})
        (?:(?P<s7>[-/.])(?P<m7>{_LETTERS})(?P=s7)|{_ORDINAL}\s?(?P<m8>{_LETTERS})\.?,?\s?['’])
        (?P<y7>\d\d)(?![\w/-])
    | (?<![^\W\d_])(?P<m9>{_LETTERS})\.?\s?(?P<d9>\d{{1,2}}){_ORDINAL},?\s?['’](?P<y9>\d\d)(?![\w/-])
    | (?<![^\W\d_])(?P<m5>{_LETTERS})\.?[\s_-]*(?P<d5>\d{{1,2}}){_ORDINAL},?[\s_-]+(?P<y5>(?:19|20)\d\d)(?!\d)
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A day in a text."""

    text: str
    day: datetime.date | None
    """None if it is unclear whether the day or the month comes first, or if there is no such day."""
    start: int
    end: int


def days_in(text: str) -> list[Found]:
    """Return the days that `text` names, in order; with a two-digit year only those with a single reading."""
    return [
        Found(text=found[0].strip(), day=day, start=found.start(), end=found.end())
        for found in _DAY.finditer(text[:2000])
        if (day := _day(found)) or not found["y6"]
    ]


def one_day(text: str) -> datetime.date | None:
    """Return the day that `text` names, if it names exactly one."""
    days = {found.day for found in days_in(text)}
    return days.pop() if len(days) == 1 else None


def _day(found: re.Match[str]) -> datetime.date | None:
    if found["a"]:
        first, second, year = int(found["a"]), int(found["b"]), int(found["y3"])
        if second > 12:
            return _date(year, first, second)
        # With dots the day comes first, wherever dates are written so.
        return _date(year, second, first) if found["s3"] == "." or first > 12 or first == second else None
    if found["y6"]:
        first, second, last = int(found["c"]), int(found["d"]), int(found["y6"])
        orders = ((last, first, second), (last, second, first), (first, second, last))
        days = {_date(_year(year), month, day) for year, month, day in orders} - {None}
        return days.pop() if len(days) == 1 else None
    if year_text := found["y7"] or found["y9"]:
        month = found["m7"] or found["m8"] or found["m9"]
        return _date(_year(int(year_text)), _MONTH[month.casefold()], int(found["d7"] or found["d9"]))
    for place in "1245":
        if year_text := found[f"y{place}"]:
            month = found[f"m{place}"]
            number = int(month) if month.isdecimal() else _MONTH[month.casefold()]
            return _date(int(year_text), number, int(found[f"d{place}"]))
    return None


def _year(digits: int) -> int:
    return digits + (2000 if digits < 70 else 1900)


def _date(year: int, month: int, day: int) -> datetime.date | None:
    try:
        return datetime.date(year, month, day)
    except ValueError:
        return None
