"""Words for an empty cell, and spreadsheet programs' words for what they cannot show."""

import re

ERRORS = re.compile(r"#(DIV/0!|REF!|NAME\?|VALUE!|NUM!|SPILL!|CALC!|GETTING_DATA)|#{3,}", re.IGNORECASE)
"""A spreadsheet program's words for a value that it cannot show: there is one, and it cannot be read."""
_NOTHING = frozenset(
    {
        "n/a",
        "#n/a",
        "#n/a n/a",
        "#na",
        "#null!",
        "null",
        "(null)",
        "nan",
        "<na>",
        "(blank)",
        "-",
        "--",
        "–",
        "—",
    }
)
_NO_VALUE = _NOTHING | {"na", "n.a.", "n.a", "n/d", "n.d.", "nd", "none", "nil", "...", "…"}
_FORMULA = re.compile(r'="([^"]*)"')


def unwrapped(text: str) -> str:
    """Return a text without the formula that some exports put around it to keep its zeros: `="0042"`."""
    match = _FORMULA.fullmatch(text) if text.startswith('="') else None
    return match[1].strip() if match else text


def is_nothing(text: str, *, of_texts: bool) -> bool:
    """Return whether `text` means an empty cell; among texts fewer words do, because `NA` is a region."""
    return not text or text.casefold() in (_NOTHING if of_texts else _NO_VALUE)
