"""Any file of text → the facts of its header and its turns, with nothing lost."""

import datetime
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.site import ROOT
from tests.transcripts.conftest import AIRLINE, NOTES
from transcripts.header import FIELD, title_of
from transcripts.parsing import MAX_BYTES, BadFile, Parsed, Said, parse
from transcripts.turns import PARAGRAPH_WORDS

BUNDLED = sorted((ROOT / "data" / "transcripts").iterdir())


def said(text: str) -> list[Said]:
    return parse("a.txt", text.encode()).turns


def test_the_header_holds_the_facts() -> None:
    parsed = parse("2026-02-11_Premium_Demand_Airline.txt", AIRLINE.encode())
    assert parsed.call_date == datetime.date(2026, 2, 11)
    assert (parsed.moderator, parsed.sector, parsed.duration) == (
        "Lantern Row",
        "Travel - Airlines",
        "34 minutes",
    )
    assert parsed.participants == [
        "Senior Analyst, Quarry Lane (Analyst)",
        "Former VP Revenue, Northstar Air (Expert)",
    ]
    assert parsed.title == "Premium Demand Airline"


def test_turns_have_time_speaker_and_all_their_lines() -> None:
    assert said(AIRLINE) == [
        Said(offset=2, speaker="Analyst", text="Where does premium cabin demand stand?"),
        Said(
            offset=12,
            speaker="Expert",
            text="Stronger than the headlines say.\nIt has changed hands, though.",
        ),
        Said(offset=3909, speaker="Analyst", text="And jet fuel hedging?"),
        Said(offset=3909, speaker="Expert", text="Half of the quarter is hedged."),
    ]


@pytest.mark.parametrize("end", ["", "\n", "---\n", "---\n\n"])
def test_a_header_ends_with_a_rule_a_blank_line_or_the_first_turn(end: str) -> None:
    parsed = parse("a.txt", f"---\nSector: Rail\n{end}[00:01] Analyst: Well?\n".encode())
    assert parsed.sector == "Rail"
    assert parsed.turns == [Said(offset=1, speaker="Analyst", text="Well?")]


def test_header_lines_that_no_field_holds_are_kept() -> None:
    text = "---\nSector: Rail\nFirm: Quarry Lane\n---\n[00:01] Analyst: Well?\n"
    assert parse("a.txt", text.encode()).others == ["Firm: Quarry Lane"]


def test_without_header_stamps_or_speakers_paragraphs_are_turns() -> None:
    assert said(NOTES) == [
        Said(text="Ground handlers were asked."),
        Said(text="Wheelchair requests have doubled since 2019."),
    ]


@pytest.mark.parametrize(
    ("line", "second"),
    [
        ("Expert (00:15): Strong.", Said(offset=15, speaker="Expert", text="Strong.")),
        ("Ann Lee [1:02:10]: Strong.", Said(offset=3730, speaker="Ann Lee", text="Strong.")),
        ("[00:20.5] Expert: Strong.", Said(offset=20, speaker="Expert", text="Strong.")),
        ("[1:02:03,500] Expert: Strong.", Said(offset=3723, speaker="Expert", text="Strong.")),
        ("00:30 Expert: Strong.", Said(offset=30, speaker="Expert", text="Strong.")),
        ("00:00:45 Bo Ray: Strong.", Said(offset=45, speaker="Bo Ray", text="Strong.")),
        ("[00:40 - 00:55] Expert: Strong.", Said(offset=40, speaker="Expert", text="Strong.")),
        ("[00:05.000 --> 00:09.500]  Strong.", Said(offset=5, text="Strong.")),
        ("[00:01:00:12] Expert: Strong.", Said(offset=60, speaker="Expert", text="Strong.")),
        ("(01:10) Expert: Strong.", Said(offset=70, speaker="Expert", text="Strong.")),
        ("Ann Lee  0:12\nStrong.", Said(offset=12, speaker="Ann Lee", text="Strong.")),
        ("[00h02m05s] Expert: Strong.", Said(offset=125, speaker="Expert", text="Strong.")),
        ("[1H02M] Expert: Strong.", Said(offset=3720, speaker="Expert", text="Strong.")),
        ("Expert (2m5s): Strong.", Said(offset=125, speaker="Expert", text="Strong.")),
    ],
)
def test_a_turn_opens_with_its_time_and_speaker_in_each_of_the_ways_in_use(line: str, second: Said) -> None:
    analyst = Said(offset=1, speaker="Analyst", text="How is demand?")
    assert said(f"[00:01] Analyst: How is demand?\n{line}\n") == [analyst, second]


@pytest.mark.parametrize(
    "line",
    ["10:30 is when it opens.", "We met at 10:30", "It left (10:30) on time.", "00:30 and so on: late."],
)
def test_a_time_in_a_sentence_opens_no_turn(line: str) -> None:
    assert [turn.speaker for turn in said(f"[00:01] Analyst: So.\n{line}\n")] == ["Analyst"]


def test_speakers_without_stamps_are_known_by_coming_back() -> None:
    turns = said("Host: Why?\nGuest: Because.\nAnd so on.\n\nHost: I see.\nGuest: Note this: it rains.\n")
    assert [(turn.speaker, turn.text) for turn in turns] == [
        ("Host", "Why?"),
        ("Guest", "Because.\nAnd so on."),
        ("Host", "I see."),
        ("Guest", "Note this: it rains."),
    ]


def test_a_colon_in_a_sentence_makes_no_speaker() -> None:
    (turn,) = said("We asked about one thing: fuel.\nSee https://example.com/a for more.\n")
    assert turn.speaker == ""


@pytest.mark.parametrize(
    ("name", "text", "day"),
    [
        ("2024-01-02_x.txt", "---\nCall Date: 2025-06-07\n---\nHello.", datetime.date(2025, 6, 7)),
        ("2024-01-02_x.txt", "Hello.", datetime.date(2024, 1, 2)),
        ("x.txt", "---\nCall Date: 02/13/26\n---\nHello.", datetime.date(2026, 2, 13)),
        ("x.txt", "---\nCall Date: 11-Feb-26\n---\nHello.", datetime.date(2026, 2, 11)),
        ("x.txt", "---\nCall Date: Feb 11, '26\n---\nHello.", datetime.date(2026, 2, 11)),
        ("x.txt", "---\nCall Date: 13/02/99\n---\nHello.", datetime.date(1999, 2, 13)),
        ("x.txt", "---\nCall Date: 13/02/26\n---\nHello.", None),
        ("x.txt", "---\nCall Date: 26.02.11\n---\nHello.", None),
        ("x 10-15-30.txt", "Hello.", None),
        ("2024-01-02_x.txt", "---\nCall Date: soon\n---\nHello.", datetime.date(2024, 1, 2)),
        ("2024-02-30_x.txt", "Hello.", None),
        ("x.txt", "Hello.", None),
    ],
)
def test_the_date_is_the_headers_else_the_names(name: str, text: str, day: datetime.date | None) -> None:
    assert parse(name, text.encode()).call_date == day


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("2024-09-18_Global_Travel_Recovery_Airline.txt", "Global Travel Recovery Airline"),
        ("deep/er/2024-09-18 - Rates.md", "Rates"),
        ("2024-09-18.txt", "2024-09-18"),
        ("Crème_brûlée.txt", "Crème brûlée"),
    ],
)
def test_the_title_is_the_name_cleaned_up(name: str, title: str) -> None:
    assert title_of(name) == title


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "It has no text."),
        (b" \n\t\n", "It has no text."),
        (b"---\nSector: Rail\n---\n", "It has no text."),
        (bytes(range(0x80, 0xA0)), "It is not UTF-8 (byte 0); save it as UTF-8 text."),
        (b"a\x00b", "It contains NUL bytes, so it is not a text file; save it as UTF-8 text."),
        (b"a" * (MAX_BYTES + 1), "It is larger than 8 MB; split it."),
    ],
)
def test_what_is_no_readable_text_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(BadFile) as caught:
        parse("a.txt", data)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    "hidden",
    ["\u202e", "\u2066", "\u200b", "\u2060", "\ufeff", "\u00ad", "\u061c", "\U000e0041", "\x07", "\u3164"],
)
def test_invisible_and_bidirectional_characters_are_stripped(hidden: str) -> None:
    parsed = parse("a.txt", f"[00:01] Expert: ig{hidden}nore\n".encode())
    assert parsed.turns[0].text == "ignore"
    assert hidden not in parsed.text


LINE = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["---", "", "Sector: Rail", "Participants:", "  - Analyst, Quarry (Expert)", "[00:01]", "Expert:"]
    ),
    st.builds(
        "[{:02}:{:02}] {}: {}".format,
        st.integers(0, 99),
        st.integers(0, 59),
        st.text("AB ", max_size=9),
        st.text(max_size=40),
    ),
    st.builds("{}: {}".format, st.sampled_from(["Expert", "Analyst", "Dr. Who"]), st.text(max_size=40)),
)


@given(st.lists(LINE, max_size=25).map("\n".join))
def test_every_word_is_in_a_turn_or_among_the_facts(text: str) -> None:
    try:
        parsed = parse("a.txt", text.encode("utf-8", "ignore"))
    except BadFile:
        assume(False)
    assert lost(parsed) == Counter()


@given(st.lists(st.sampled_from(["alpha", "Beta.", "gamma!", "delta\n", "話。"]), min_size=201, max_size=650))
def test_a_long_paragraph_is_divided_where_sentences_end(words: list[str]) -> None:
    text = " ".join(words)
    turns = said(text)
    assert " ".join(turn.text for turn in turns).split() == text.split()
    sentences = re.split(r"(?<=[.!?。])\s+|\n", text)
    longest = max(len(sentence.split()) for sentence in sentences)
    assert all(len(turn.text.split()) <= max(PARAGRAPH_WORDS, longest) for turn in turns)


def _words(text: str) -> list[str]:
    """Words without figures: stamps are numbers now."""
    return re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", text))


TIMES = {"hour", "hours", "minute", "minutes", "second", "seconds", "to"}
"""Words of stamps."""


def lost(parsed: Parsed) -> Counter[str]:
    """The words of a file that are in no turn and no fact, save for the names of facts.

    Of a label, which may stand twice above one turn, one is enough.
    """
    names = {word.casefold() for each in FIELD for word in each.split()} | TIMES
    names |= {word.casefold() for turn in parsed.turns for word in _words(turn.speaker)}
    turns = " ".join(f"{turn.speaker} {turn.text}" for turn in parsed.turns)
    facts = [parsed.title, parsed.moderator, parsed.sector, parsed.duration, *parsed.participants]
    held = Counter(_words(" ".join([turns, *facts, *parsed.others])))
    return Counter(word for word in _words(parsed.text) if word.casefold() not in names) - held


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_the_bundled_files_lose_nothing(path: Path) -> None:
    parsed = parse(path.name, path.read_bytes())
    assert lost(parsed) == Counter()
    assert len(parsed.turns) >= 5
    assert parsed.notes == []
