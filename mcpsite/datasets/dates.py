"""Days as people and programs write them."""

import datetime
import re

from mcpsite.datasets.columns import DateOrder
from mcpsite.datasets.refusals import Open

_TIME = re.compile(
    r"[T ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*(?:[AaPp]\.?[Mm]\.?)?"
    r"\s*(?:Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
    r"|T(\d{2})(\d{2})(\d{2})?(?:Z|[+-]\d{4})?",
    re.ASCII,
)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
_COMPACT = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)", re.ASCII)
_WEEK = re.compile(r"(\d{4})[- ]?W(\d{1,2})(?:-([1-7]))?", re.ASCII | re.IGNORECASE)
_WEEK_FIRST = re.compile(r"(?:W|CW|KW|WK|WEEK)\.?[ -]?(\d{1,2})[ ,/-]+(\d{4})", re.ASCII | re.IGNORECASE)
_QUARTER = re.compile(r"(\d{4})[- /]?Q([1-4])", re.ASCII | re.IGNORECASE)
_QUARTER_FIRST = re.compile(r"(?:Q([1-4])|([1-4])Q)[- ,/]*(\d{4})", re.ASCII | re.IGNORECASE)
_COMPACT_MONTH = re.compile(r"(20(?:1[3-9]|[2-9]\d))(0[1-9]|1[0-2])", re.ASCII)
"""Those of earlier years could be days of two-digit years, too."""
_MONTH = re.compile(r"(\d{4})[-/](\d{1,2})", re.ASCII)
_MONTH_FIRST = re.compile(r"(\d{1,2})[-/.](\d{4})", re.ASCII)
_TWO_FIRST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})|(\d{1,2})([/.])(\d{1,2})\6(\d{2})", re.ASCII)
_WEEKDAY = re.compile(r"[^\W\d_]{2,10}\.?,? +(?=\d|[^\W\d_]{3})")
_DAY_NAMED = re.compile(
    r"(\d{1,2})(?:st|nd|rd|th|\.)?[ -]*(?:de )?([^\W\d_]{3,10})\.?[ ,-]*(?:de )?(\d{4}|\d{2})"
)
_NAMED_DAY = re.compile(r"([^\W\d_]{3,10})\.?[ -]*(\d{1,2})(?:st|nd|rd|th)?(?:, *| +|-)(\d{4})")
_NAMED_MONTH = re.compile(r"([^\W\d_]{3,10})\.?(?:[ ,-]*(?:de )?(\d{4})|-(\d{2})| ?'(\d{2}))")
"""Two digits after a month and a blank may be a year or a day."""
_MONTH_NAMED = re.compile(r"(\d{4})[ -]?([^\W\d_]{3,10})(?:[ -](\d{1,2}))?")
_SERIAL = re.compile(r"(\d{5})(?:\.\d+)?", re.ASCII)
_EPOCH = re.compile(r"(\d{10}|\d{13})(?:\.0+)?", re.ASCII)

_SERIAL_ZERO = datetime.date(1899, 12, 30)
_SERIALS = range(32_874, 73_051)
"""Excel's numbers of the days from 1990 to 2099; smaller numbers are more likely something else."""
_WEEK_OR_MONTH = re.compile(r"20\d\d(?:[-/][1-9]|[-/]?(?:0[1-9]|[1-4]\d|5[0-3]))", re.ASCII)
LIKELY = range(1900, 2200)
"""The years of days in tables; the years of other calendars are written in the same way."""
_DAY_MS = 86_400_000
_LONGEST = 60

_OF_EAST_ASIA = re.compile(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월](?:\s*(\d{1,2})\s*[日일])?")
_ISO_DAY = re.compile(r"(\d{4})([-/])(\d{2})\2(\d{2})", re.ASCII)
_ISO_WEEK = re.compile(r"(\d{4})-[Ww](\d{2})", re.ASCII)
_ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*", re.ASCII)

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier janv enero ene gennaio gen janeiro januari",
            "feb february februar février fevrier févr febrero febbraio fevereiro fev februari",
            "mar march märz maerz mär mrz mars marzo março maart mrt",
            "apr april avril avr abril abr aprile",
            "may mai mayo maggio mag maio mei",
            "jun june juni juin junio giugno giu junho",
            "jul july juli juillet juil julio luglio lug julho",
            "aug august août aout agosto ago augustus",
            "sep sept september septembre septiembre settembre set setembro",
            "oct october oktober okt octobre octubre ottobre ott outubro out",
            "nov november novembre noviembre novembro",
            "dec december dezember dez décembre déc diciembre dic dicembre dezembro",
        ),
        start=1,
    )
    for name in names.split()
}
_WEEKDAYS = re.compile(
    "mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|fr|sa|so|(mon|tues|wednes|thurs|fri|satur|sun)day|tues|thurs?"
    "|(mon|diens|donners|frei|sams|sonn)tag|mittwoch|(lun|mar|mercre|jeu|vendre|same)di|dimanche"
)


def iso_day(text: str) -> datetime.date | None:
    """Return the day that `YYYY-MM-DD`, `YYYY/MM/DD` or `YYYY-Www` (its Monday) means; None for others.

    These are what people may type, and what is stored. A time of ISO 8601 after the first is left out.
    """
    try:
        if match := _ISO_DAY.fullmatch(text):
            return datetime.date(int(match[1]), int(match[3]), int(match[4]))
        if match := _ISO_WEEK.fullmatch(text):
            return datetime.date.fromisocalendar(int(match[1]), int(match[2]), 1)
        if _ISO_TIME.fullmatch(text):
            return datetime.datetime.fromisoformat(text).date()
    except ValueError:
        pass
    return None


def as_given(text: str, day: str, *, times: bool = False) -> str:
    """Return a file's date as answers show it: unchanged if it is ISO's, else the day it means.

    A time is kept only with `times`. A text that means no day is unchanged.
    """
    usual = _ISO_DAY.fullmatch(text) or _ISO_WEEK.fullmatch(text) or (times and _ISO_TIME.fullmatch(text))
    return text if usual or not day else day


def day_of(text: str, order: DateOrder | None = None) -> datetime.date | None:
    """Return the day that `text` means, or the first day of its week, month or quarter; None for others.

    A time after it, and its zone, are left out: the day is the written one. `order` says whether day or month
    comes first if both could. Raises Open if both could and it says nothing.
    """
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    try:
        return _date(text, order)
    except (ValueError, OverflowError):
        return None


def certain_day(text: str) -> datetime.date | None:
    """Return the day that `text` means; None also if it could be two."""
    try:
        return day_of(text)
    except Open:
        return None


def is_month_or_week(text: str) -> bool:
    """Return whether `text` is a year and a number, which may mean a month or a week."""
    return _WEEK_OR_MONTH.fullmatch(text) is not None


def order_shown(text: str) -> DateOrder | None:
    """Return whether `text` must have its day, or its month, first; None if it does not show."""
    days = [_two_first(text, order) for order in ("dmy", "mdy")]
    if days[0] == days[1]:
        return None
    return "mdy" if days[0] is None else "dmy" if days[1] is None else None


def _two_first(text: str, order: DateOrder) -> datetime.date | None:
    try:
        return day_of(text, order)
    except Open:
        return None


def _date(text: str, order: DateOrder | None) -> datetime.date | None:
    text = _without_time(text)
    if match := _YEAR_FIRST.fullmatch(text):
        return datetime.date(int(match[1]), int(match[3]), int(match[4]))
    if match := _COMPACT.fullmatch(text):
        return datetime.date(*map(int, match.groups()))
    if match := _WEEK.fullmatch(text):
        return datetime.date.fromisocalendar(int(match[1]), int(match[2]), int(match[3] or 1))
    if match := _WEEK_FIRST.fullmatch(text):
        return datetime.date.fromisocalendar(int(match[2]), int(match[1]), 1)
    if match := _QUARTER.fullmatch(text):
        return datetime.date(int(match[1]), 3 * int(match[2]) - 2, 1)
    if match := _QUARTER_FIRST.fullmatch(text):
        return datetime.date(int(match[3]), 3 * int(match[1] or match[2]) - 2, 1)
    if match := _MONTH.fullmatch(text) or _COMPACT_MONTH.fullmatch(text):
        return datetime.date(int(match[1]), int(match[2]), 1)
    if match := _MONTH_FIRST.fullmatch(text):
        return datetime.date(int(match[2]), int(match[1]), 1)
    if match := _TWO_FIRST.fullmatch(text):
        return _ordered(match, order)
    if match := _OF_EAST_ASIA.fullmatch(text):
        return datetime.date(int(match[1]), int(match[2]), int(match[3] or 1))
    if match := _SERIAL.fullmatch(text):
        number = int(match[1])
        return _SERIAL_ZERO + datetime.timedelta(days=number) if number in _SERIALS else None
    if match := _EPOCH.fullmatch(text):
        return _since_1970(match[1])
    return _named(text)


def _without_time(text: str) -> str:
    if ":" not in text and "T" not in text:
        return text
    for match in _TIME.finditer(text):
        if match.end() == len(text):
            parts = [int(part) for part in match.groups() if part]
            if parts[0] > 24 or max(parts[1:], default=0) > 60 or parts[1] > 59:
                raise ValueError
            return text[: match.start()].rstrip(",")
    return text


def _ordered(match: re.Match[str], order: DateOrder | None) -> datetime.date | None:
    first, second = int(match[1] or match[5]), int(match[3] or match[7])
    year = _full_year(match[4] or match[8])
    if first <= 12 and second <= 12 and first != second:
        if order is None:
            # A day that exists in one order exists in the other, too.
            raise Open
        day, month = (first, second) if order == "dmy" else (second, first)
    else:
        day, month = (second, first) if second > 12 else (first, second)
        if (order == "dmy" and second > 12) or (order == "mdy" and first > 12):
            return None
    return datetime.date(year, month, day)


def _full_year(text: str) -> int:
    """Return the full form of a two-digit year: from 1969 to 2068, as in POSIX."""
    year = int(text)
    return year if len(text) == 4 else year + (1900 if year > 68 else 2000)


def _since_1970(text: str) -> datetime.date | None:
    """Return the day of which `text` is the midnight in UTC; at another time it is another day elsewhere."""
    milliseconds = int(text) * (1000 if len(text) == 10 else 1)
    if milliseconds % _DAY_MS or not 946_684_800_000 <= milliseconds < 4_102_444_800_000:
        return None
    return datetime.date(1970, 1, 1) + datetime.timedelta(milliseconds=milliseconds)


def _named(text: str) -> datetime.date | None:
    """Return the day in a text whose month is written in letters."""
    text = " ".join(text.casefold().split())
    if (match := _WEEKDAY.match(text)) and _WEEKDAYS.fullmatch(match[0].strip(" ,.")):
        text = text[match.end() :]
    if (match := _DAY_NAMED.fullmatch(text)) and (month := _MONTHS.get(match[2])):
        return datetime.date(_full_year(match[3]), month, int(match[1]))
    if (match := _NAMED_DAY.fullmatch(text)) and (month := _MONTHS.get(match[1])):
        return datetime.date(int(match[3]), month, int(match[2]))
    if (match := _NAMED_MONTH.fullmatch(text)) and (month := _MONTHS.get(match[1])):
        return datetime.date(_full_year(match[2] or match[3] or match[4]), month, 1)
    if (match := _MONTH_NAMED.fullmatch(text)) and (month := _MONTHS.get(match[2])):
        return datetime.date(int(match[1]), month, int(match[3] or 1))
    return None
