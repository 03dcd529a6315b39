"""Containers and layouts → turns; and whatever bytes come, they are read or refused with a sentence."""

import csv
import html
import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress

import pytest
from docx import Document
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.site import ROOT
from tests.transcripts.test_parsing import lost
from transcripts.formats import captions, containers
from transcripts.formats.containers import BadDocument
from transcripts.parsing import BadFile, Parsed, Said, parse, parse_text

FILES = ROOT / "tests" / "cases" / "transcripts" / "files"
WORD = (FILES / "interview.docx").read_bytes()
PDF = (FILES / "printed.pdf").read_bytes()


def said(data: bytes | str, name: str = "call.txt") -> list[Said]:
    return parse(name, data.encode() if isinstance(data, str) else data).turns


# Containers


def word(*paragraphs: str, table: list[list[str]] | None = None) -> bytes:
    document = Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    if table:
        made = document.add_table(0, len(table[0]))
        for row in table:
            for cell, text in zip(made.add_row().cells, row, strict=True):
                cell.text = text
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def test_a_word_document_gives_its_paragraphs_and_its_tables() -> None:
    rows = [["Ann Lee", "So."], ["Bo Ray", "Yes."], ["Ann Lee", "Good."]]
    assert said(word("A call", table=rows))[-3:] == [Said(speaker=who, text=text) for who, text in rows]


def test_a_line_break_in_a_word_document_is_a_line() -> None:
    assert said(word("Ann Lee: So.\nBo Ray: Yes.")) == [
        Said(speaker="Ann Lee", text="So."),
        Said(speaker="Bo Ray", text="Yes."),
    ]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PK\x03\x04 no archive", "It is a zip archive, but not a readable Word document"),
        (b"%PDF-1.7\nno objects", "It is a PDF that"),
        (b"{\\rtf1\\ansi Hello}", "It is RTF, which cannot be loaded"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "It is a document of an old Office version"),
        (b"ID3\x03\x00", "It is a recording"),
        (b"<!DOCTYPE html><p>502 Bad Gateway</p>", "It is an HTML page, but not a transcript"),
        (b'{"theme": "dark"}', "It is JSON, but not a transcript"),
    ],
)
def test_what_is_no_transcript_is_refused_with_what_to_do(data: bytes, reason: str) -> None:
    with pytest.raises(BadFile, match=reason):
        said(data)


def test_an_archive_that_unpacks_to_too_much_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"x" * (containers.MOST_UNPACKED + 1))
    with pytest.raises(BadFile, match="It unpacks to more than 64 MB"):
        said(out.getvalue())


def test_a_pdf_without_a_text_layer_says_what_to_export() -> None:
    from pypdf import PdfWriter

    out = io.BytesIO()
    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    writer.write(out)
    with pytest.raises(BadFile, match="a PDF without a text layer"):
        said(out.getvalue())


def test_a_document_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "MOST_SECONDS", 0.0001)
    with pytest.raises(BadFile, match="Reading it takes too much memory or time"):
        said(PDF)


@pytest.mark.parametrize(
    "mark", ["<![if !supportLists]>", "<![endif]>", "<![A: x>", "<![0>", "<![CDATA[x]]>"]
)
def test_what_word_marks_in_a_page_is_no_text(mark: str) -> None:
    page = f"<html><p>Ann Lee: So.{mark}<p>Bo Ray: Yes, it is.<p>Ann Lee: Good.<![A:"
    turns = parse("a.html", page.encode()).turns
    assert [turn.speaker for turn in turns] == ["Ann Lee", "Bo Ray", "Ann Lee"]
    assert turns[1].text == "Yes, it is."


def test_a_page_is_what_a_reader_sees() -> None:
    head = "<html><head><title>x</title><style>p{}</style></head><body><nav>Menu</nav>"
    page = f"{head}<p><b>Ann Lee</b>: A &lt; B<br>and</p><p>Bo Ray: C</p>"
    assert said(page) == [Said(speaker="Ann Lee", text="A < B\nand"), Said(speaker="Bo Ray", text="C")]


# Encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "windows-1252"])
def test_encodings_are_read(encoding: str) -> None:
    assert said("[00:01] Ann Lee: São Paulo isn’t open.".encode(encoding))[0].text == "São Paulo isn’t open."


def test_another_alphabet_in_an_encoding_of_eight_bits_is_refused() -> None:
    with pytest.raises(BadFile, match="It is not UTF-8"):
        said("[00:01] Аналитик: Цены выросли.".encode("windows-1251"))


# Layouts


SAID = [
    Said(speaker="Speaker 0", offset=2, text="So."),
    Said(speaker="Speaker 1", offset=65, text="Yes, it is."),
]


@pytest.mark.parametrize(
    "answer",
    [
        {
            "utterances": [
                {"speaker": 0, "start": 2400, "end": 2900, "text": "So."},
                {"speaker": 1, "start": 65_100, "end": 67_000, "text": "Yes, it is."},
            ]
        },
        {
            "results": {
                "words": [
                    {"word": "so", "punctuated_word": "So.", "start": 2.4, "end": 2.9, "speaker": 0},
                    {"word": "Yes,", "start": 65.1, "end": 65.3, "speaker": 1},
                    {"word": "it", "start": 65.4, "end": 65.5, "speaker": 1},
                    {"word": "is.", "start": 65.6, "end": 67, "speaker": 1},
                ]
            }
        },
        {
            "monologues": [
                {"speaker": 0, "elements": [{"value": "So", "ts": 2.4}, {"value": "."}]},
                {"speaker": 1, "elements": [{"value": "Yes, it is.", "ts": 65.1}]},
            ]
        },
        [
            {"speaker": "Speaker 0", "time": "00:02", "text": "So."},
            {"speaker": "Speaker 1", "time": "01:05", "text": "Yes, it is."},
        ],
    ],
    ids=["utterances in milliseconds", "words", "monologues", "a list"],
)
def test_recognizers_answers_are_read(answer: object) -> None:
    assert said(json.dumps(answer)) == SAID


def test_every_paragraph_of_a_recognizers_answer_is_read() -> None:
    paragraphs = [
        {"speaker": who, "sentences": [{"text": text, "start": start, "end": start + 1}]}
        for who, text, start in ((0, "So.", 2.4), (1, "Yes, it is.", 65.1))
    ]
    first = {"transcript": "all", "paragraphs": {"paragraphs": paragraphs}}
    answer = {"results": {"channels": [{"alternatives": [first, {"transcript": "another reading"}]}]}}
    assert said(json.dumps(answer)) == SAID


def test_a_table_in_milliseconds_is_read_as_that() -> None:
    rows = "start\tend\tspeaker\ttext\n2400\t2900\tSpeaker 0\tSo.\n65100\t67000\tSpeaker 1\tYes, it is.\n"
    assert said(rows) == SAID


def test_a_recognizers_text_without_pieces_is_a_text() -> None:
    assert said('{"text": "So it is.", "language": "en"}') == [Said(text="So it is.")]


def test_a_table_of_turns_is_read() -> None:
    out = io.StringIO()
    rows = csv.writer(out, delimiter=";")
    rows.writerows(
        [["Start", "Speaker", "Text"], ["00:02", "Speaker 0", "So."], ["1:05", "Speaker 1", "Yes, it is."]]
    )
    assert said(out.getvalue()) == SAID


def test_captions_that_are_broken_lose_nothing() -> None:
    aside = "WEBVTT - A call\n\nNOTE by hand\n\nstray words\n\n00:02.000 --> x\nbad\n\n"
    text = f"{aside}1\n00:05.000 --> 00:06.000\ngood\n"
    assert [turn.text for turn in said(text)] == [
        "A call\nby hand\nstray words\n00:02.000 --> x\nbad",
        "good",
    ]


def test_text_behind_a_timing_is_no_setting_and_is_kept() -> None:
    text = "00:01 --> 00:02 align:start line:0\nHello.\n\n00:03 --> 00:04 Good-bye.\n"
    assert " ".join(turn.text for turn in said(text)) == "Hello. Good-bye."


@pytest.mark.parametrize(
    "data",
    [
        b'[{"start": 1, "speaker": "Ann\\u001b", "text": "So\\u001b."}]',
        b"WEBVTT\n\n00:01 --> 00:02\n<v Ann&#27;>So&#27;.",
    ],
)
def test_what_is_written_by_its_number_is_cleaned_too(data: bytes) -> None:
    assert [(turn.speaker, turn.text) for turn in said(data)] == [("Ann", "So.")]


# Anything at all: 2,000 cases in `make test`, 100,000 in `make e2e`

NAMES = st.sampled_from(
    ["Ann Lee", "Analyst", "Price", "von Braun", "SPEAKER_01", "記者", "To be clear", "Q", "x" * 200]
)
STAMPS = st.sampled_from(
    ["00:02", "1:02:03.5", "00:75", "99999:59", "0:0:1.5", "00:01 --> 00:02", "0 minutes 2 seconds"]
)
WORDS = st.one_of(
    st.text(max_size=30), st.sampled_from(["So.", "See https://a.example: b", "&amp; <b>", "2026-02-30"])
)
LAYOUTS = [
    *("[{1}] {0}: {2}", "({1}) {0}： {2}", "{0} [{1}]: {2}", "{0}  {1}", "{1} {0}: {2}", "**{0}:** {2}"),
    *("{0} - {1}", "[{0}] [{1}]: {2}", "{0}. {2}", "{0} - {2}", "{1}", "{0}", "<v {0}>{2}</v>"),
]
OTHERS = [
    *(
        "",
        "---",
        "WEBVTT",
        "Call Date: 02/03/2026",
        "participants:",
        "  - name: Bo",
        "# Head",
        "\t",
        "Page 1",
    ),
]
LINE = st.one_of(
    WORDS,
    st.sampled_from(OTHERS),
    st.tuples(st.sampled_from(LAYOUTS), NAMES, STAMPS, WORDS).map(lambda parts: parts[0].format(*parts[1:])),
)
TEXT = st.lists(LINE, max_size=20).map("\n".join)
KEYS = st.sampled_from(["segments", "utterances", "words", "text", "start", "end", "speaker", "transcript"])
JSON = st.recursive(
    st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=9), st.just("00:02")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


def _damaged(whole: bytes) -> st.SearchStrategy[bytes]:
    """`whole` with some of its bytes changed, or cut off."""
    place = st.integers(0, len(whole) - 1)
    edits = st.lists(st.tuples(place, st.binary(min_size=1, max_size=4)), min_size=1, max_size=5)

    def edited(changes: list[tuple[int, bytes]]) -> bytes:
        data = bytearray(whole)
        for start, new in changes:
            data[start : start + len(new)] = new
        return bytes(data)

    return st.one_of(edits.map(edited), place.map(lambda end: whole[:end]))


def _joined(parts: st.SearchStrategy[str], between: str, start: str) -> st.SearchStrategy[bytes]:
    """`start` and several of `parts`, as the bytes of a file."""
    several = st.lists(parts, max_size=20)
    return several.map(lambda found: between.join([start, *found]).encode("utf-8", "ignore"))


CUE = st.tuples(STAMPS, STAMPS, LINE).map(lambda cue: f"{cue[0]} --> {cue[1]}\n{cue[2]}")
TAG = st.sampled_from(["<p>", "</p>", "<script>", "</script>", "<td>", "<br>", "<!--", "-->"])
ANYTHING = {
    "bytes": st.binary(max_size=300),
    "text": _joined(LINE, "\n", ""),
    "another encoding": TEXT.map(lambda text: text.encode("utf-16", "ignore")),
    "captions": _joined(CUE | LINE, "\n\n", "WEBVTT"),
    "json": JSON.map(lambda value: json.dumps(value).encode()),
    "table": _joined(st.tuples(STAMPS, NAMES, WORDS).map(",".join), "\n", "start,speaker,text"),
    "page": _joined(TAG | LINE | LINE.map(html.escape), "", "<html><p>Ann Lee: So.<p>Bo Ray: Yes.<p>"),
}
CASES = [285, pytest.param(14_285, marks=pytest.mark.e2e)]


def _many(cases: int, examples: st.SearchStrategy[bytes], check: Callable[[bytes], None]) -> None:
    bounds = settings(max_examples=cases, deadline=None, suppress_health_check=list(HealthCheck))
    bounds(given(examples)(check))()


def _read_twice(data: bytes) -> Parsed | None:
    """Read `data`, and what is stored of it again, which has to say the same; None where it is refused."""
    try:
        parsed = parse("a.txt", data)
    except BadFile:
        return None
    assert parsed.turns
    assert parse_text("a.txt", parsed.text).turns == parsed.turns
    return parsed


@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize("kind", ANYTHING)
def test_anything_is_read_or_refused_with_a_sentence(kind: str, cases: int) -> None:
    def check(data: bytes) -> None:
        _read_twice(data)

    _many(cases, ANYTHING[kind], check)


@pytest.mark.parametrize("cases", [100, pytest.param(5_000, marks=pytest.mark.e2e)])
def test_of_any_text_nothing_is_lost(cases: int) -> None:
    def check(data: bytes) -> None:
        parsed = _read_twice(data)
        # Captions have marks and entities, which are no words.
        assume(parsed is not None and not captions.is_captions(parsed.text))
        assert parsed is not None
        missing = lost(parsed)
        assert not missing, missing

    _many(cases, ANYTHING["text"], check)


@pytest.mark.parametrize("cases", [40, pytest.param(2_000, marks=pytest.mark.e2e)])
@pytest.mark.parametrize("whole", [WORD, PDF], ids=["word", "pdf"])
def test_a_damaged_document_is_read_or_refused(whole: bytes, cases: int) -> None:
    def check(data: bytes) -> None:
        with suppress(BadDocument):
            assert isinstance(containers.read(data), str)

    _many(cases, _damaged(whole), check)
