"""How units of numbers are spelled in headings and beside figures."""

import re
from functools import cache

_SPELLINGS = {
    "USD": ("usd", "$", "us$", "usdollar", "usdollars", "dollar", "dollars"),
    "EUR": ("eur", "€", "euro", "euros"),
    "GBP": ("gbp", "£", "pound", "pounds"),
    "JPY": ("jpy", "¥", "yen"),
    "INR": ("inr", "₹", "rupee", "rupees"),
    "CHF": ("chf", "franken", "francs"),
    "%": ("%", "pct", "percent", "percentage"),
    "days": ("days", "day", "d"),
}
CURRENCIES = frozenset(_SPELLINGS) - {"%", "days"}
_FORMATS = re.compile(
    r"(?=.*[ymdhst])[ymdhs\-/. :t]+|text|string|number|integer|numeric|date|currency|name|code"
)
"""What a row of units has in columns without one."""
_EVERY = frozenset(spelling for spellings in _SPELLINGS.values() for spelling in spellings)
_MORE = frozenset({"#", "n", "no.", "count", "weeks", "months", "index", "iata"})


@cache
def spellings(unit: str) -> frozenset[str]:
    """Return how `unit` may be written, without blanks and capitals."""
    return frozenset({unit.casefold(), *_SPELLINGS.get(unit, ())} - {""})


def is_unit(text: str, unit: str) -> bool:
    """Return whether `text`, from a heading's brackets, means `unit`."""
    folded = re.sub(r"[\s.]", "", text.casefold())
    return folded.removeprefix("in") in spellings(unit)


def currency_of(text: str) -> str:
    """Return the currency whose sign is in `text`, empty for none."""
    return next(
        (
            unit
            for unit, written in _SPELLINGS.items()
            if unit != "%" and len(written[1]) == 1 and written[1] in text
        ),
        "",
    )


def unit_called(text: str) -> str:
    """Return the unit that `text` spells, empty for an unknown one."""
    folded = re.sub(r"[\s.]", "", text.casefold()).removeprefix("in")
    return next((unit for unit, written in _SPELLINGS.items() if folded in written), "")


def names_a_unit(text: str) -> bool:
    """Return whether `text` is a unit, or what a cell in a row of units may contain."""
    folded = text.strip().strip("()[]").casefold()
    return folded in _EVERY or folded in _MORE or _FORMATS.fullmatch(folded) is not None
