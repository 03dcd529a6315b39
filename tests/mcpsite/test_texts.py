"""What of a text a reader cannot see, and what stays."""

import sys
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpsite.core.texts import clean, clean_texts


@pytest.mark.parametrize(
    "hidden",
    [
        *("\u202e", "\u2066", "\u200b", "\u2060", "\ufeff", "\u00ad", "\u061c", "\u2065", "\ufff5"),
        *("\U000e0041", "\U000e0000", "\U000e0101", "\x07", "\x1b", "\x9f", "\u3164", "\u034f", "\ud800"),
    ],
)
def test_what_nobody_sees_is_taken_out(hidden: str) -> None:
    assert clean(f"ig{hidden}nore") == "ignore"


def test_every_control_and_format_character_of_unicode_is_taken_out() -> None:
    hidden = {"Cc", "Cf", "Cs"}
    every = "".join(each for each in map(chr, range(sys.maxunicode + 1)) if category(each) in hidden)
    assert clean(f"ig{every}nore") == "ig\t\n" + "\n" * 4 + "nore"


def test_a_joiner_stays_between_letters_or_signs_of_scripts_that_need_it() -> None:
    persian, emoji, on_fire = "می\u200cخواهم", "👩\u200d👩", "❤\ufe0f\u200d🔥"
    assert [clean(text) for text in (persian, emoji, on_fire)] == [persian, emoji, on_fire]
    assert clean("pay\u200cload") == "payload"
    assert clean("می\u200c\u200c\u200cخواهم") == "می\u200cخواهم"


def test_tabs_and_lines_stay_and_lines_end_in_one_way() -> None:
    assert clean("a\tb\r\nc\rd\u2028e\x85f\x0cg") == "a\tb\nc\nd\ne\nf\ng"


@given(st.text())
def test_no_text_keeps_anything_invisible_and_what_is_clean_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    left = {category(each) for each in cleaned if each not in "\n\t\u200c\u200d"}
    assert not left & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_every_text_of_an_answer_is_cleaned_and_its_names_too() -> None:
    value = {"r\u200bows": [{"airline": "S\u202eky", "fare": 1.5, "tags": ("a\x1b",)}], "next": None}
    assert clean_texts(value) == {"rows": [{"airline": "Sky", "fare": 1.5, "tags": ["a"]}], "next": None}
