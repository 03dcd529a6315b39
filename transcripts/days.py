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
    | (?<![^\W\d_])(?P<m5>{_LETTERS})\.?[\s_-]*(?P<d5>\d{{1,2}}){_ORDINAL},?[\s_-]+(?P<y5>(?:19|20)\d\d)(?!\d)
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A day in a text."""

    text: str
    day: datetime.date | None
    """None where it is not told whether the day or the month comes first, or where there is no such day."""
    start: int
    end: int


def days_in(text: str) -> list[Found]:
    """Return the days that `text` names in full, in order."""
    return [
        Found(text=found[0].strip(), day=_day(found), start=found.start(), end=found.end())
        for found in _DAY.finditer(text[:2000])
    ]


def one_day(text: str) -> datetime.date | None:
    """Return the day that `text` names, if it names one and no other."""
    days = {found.day for found in days_in(text)}
    return days.pop() if len(days) == 1 else None


def _day(found: re.Match[str]) -> datetime.date | None:
    if found["a"]:
        first, second, year = int(found["a"]), int(found["b"]), int(found["y3"])
        if second > 12:
            return _date(year, first, second)
        # With dots the day is first wherever dates are written so.
        return _date(year, second, first) if found["s3"] == "." or first > 12 or first == second else None
    for place in "1245":
        if year_text := found[f"y{place}"]:
            month = found[f"m{place}"]
            number = int(month) if month.isdecimal() else _MONTH[month.casefold()]
            return _date(int(year_text), number, int(found[f"d{place}"]))
    return None


def _date(year: int, month: int, day: int) -> datetime.date | None:
    try:
        return datetime.date(year, month, day)
    except ValueError:
        return None
