"""Days as people write them → dates: what is unambiguous, and what is not."""

import datetime
import re
from dataclasses import dataclass

from transcripts.formats.base import DIGITS

_MONTHS = {
    1: "january jan januar januari janvier enero gennaio janeiro jänner января stycznia ledna ocak "
    "tammikuuta يناير",
    2: "february feb februar februari février fevrier febrero febbraio fevereiro февраля lutego "
    "února şubat helmikuuta فبراير",
    3: "march mar märz maerz mrz maart mars marzo março marco марта marca března mart marts maaliskuuta مارس",
    4: "april apr avril abril aprile апреля kwietnia dubna nisan huhtikuuta أبريل",
    5: "may mai mei mayo maggio maio мая maja května mayıs maj toukokuuta مايو",
    6: "june jun juni juin junio giugno junho июня czerwca června haziran kesäkuuta يونيو",
    7: "july jul juli juillet julio luglio julho июля lipca července temmuz heinäkuuta يوليو",
    8: "august aug augustus août aout agosto августа sierpnia srpna ağustos elokuuta أغسطس",
    9: "september sep sept septembre septiembre settembre setembro сентября września září eylül "
    "syyskuuta سبتمبر",
    10: "october oct oktober okt octobre octubre ottobre outubro октября października října ekim "
    "lokakuuta أكتوبر",
    11: "november nov novembre noviembre novembro ноября listopada kasım marraskuuta نوفمبر",
    12: "december dec dezember dez décembre decembre diciembre dicembre dezembro декабря grudnia "
    "prosince aralık joulukuuta ديسمبر",
}
_MONTH = {name: number for number, names in _MONTHS.items() for name in names.split()}
_LETTERS = "|".join(sorted(_MONTH, key=len, reverse=True))
_ORDINAL = r"(?:st|nd|rd|th|\.|º|er)?"
_WEEKDAYS = """
    monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun
    montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag lundi mardi mercredi jeudi vendredi
    samedi dimanche lunes martes miércoles jueves viernes sábado domingo lunedì martedì mercoledì giovedì
    venerdì sabato domenica segunda-feira terça-feira quarta-feira quinta-feira sexta-feira maandag dinsdag
    woensdag donderdag vrijdag zaterdag zondag понедельник вторник среда четверг пятница суббота воскресенье
    月曜日 火曜日 水曜日 木曜日 金曜日 土曜日 日曜日 星期一 星期二 星期三 星期四 星期五 星期六 星期日 星期天
    월요일 화요일 수요일 목요일 금요일 토요일 일요일 （月） （火） （水） （木） （金） （土） （日）
"""
WEEKDAY = rf"(?<!\w)(?:{'|'.join(sorted(_WEEKDAYS.split(), key=len, reverse=True))})(?!\w)"
"""A weekday that stands beside a day."""
_DAY = re.compile(
    rf"""
    (?<!\d)(?<!\d[.,:/-])(?:
        令和(?P<era>\d{{1,2}}|元)年(?P<m6>\d{{1,2}})月(?P<d6>\d{{1,2}})日
      | (?P<y1>(?:19|20)\d\d)\s?(?P<s1>[-/._年년])\s?
        (?P<m1>\d{{1,2}})\s?(?:(?P=s1)|[月월])\s?(?P<d1>\d{{1,2}})[日일]?
      | (?P<y2>(?:19|20)\d\d)(?P<m2>[01]\d)(?P<d2>[0-3]\d)(?:[0-2]\d[0-5]\d(?:[0-5]\d)?)?
      | (?P<a>\d{{1,2}})(?P<s3>[-/._])(?P<b>\d{{1,2}})(?P=s3)(?P<y3>(?:19|20)\d\d)
      | (?P<d4>\d{{1,2}}){_ORDINAL}[\s_-]*(?:day\sof\s|of\s|de\s)?(?P<m4>{_LETTERS})\.?,?
        [\s_-]*(?:del?\s)?(?P<y4>(?:19|20)\d\d)
      | (?P<y0>(?:19|20)\d\d)[\s_-]+(?P<m0>{_LETTERS})\.?[\s_-]+(?P<d0>\d{{1,2}}){_ORDINAL}
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
        Found(text=text[found.start() : found.end()].strip(), day=day, start=found.start(), end=found.end())
        for found in _DAY.finditer(text[:2000].translate(DIGITS))
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
    if found["era"]:
        year = 1 if found["era"] == "元" else int(found["era"])
        return _date(2018 + year, int(found["m6"]), int(found["d6"]))
    for place in "01245":
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
