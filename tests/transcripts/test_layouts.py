"""Calls in the layouts that services, recognizers and people write: who says what, and when."""

import json
from typing import Any

import pytest

from tests.transcripts.test_formats import said, word
from transcripts.parsing import BadFile, Said, parse

ANN, MARC = "Ann Lee", "Marc Ode"
TALK = [
    (2, ANN, "Where does demand stand?"),
    (21, MARC, "Fares rose by four percent."),
    (65, ANN, "And hedging?"),
    (3733, MARC, "Half of it is hedged."),
]


def laid_out(form: str, between: str = "\n\n") -> str:
    """The talk, each turn of it as `form` says: {n}ame, {w}ords, times {ms}, {hms} and {short}."""
    turns = []
    for offset, name, words in TALK:
        minutes, seconds = divmod(offset, 60)
        hms = f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
        short = (
            f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if minutes >= 60 else f"{minutes}:{seconds:02}"
        )
        turns.append(
            form.replace("{n}", name)
            .replace("{w}", words)
            .replace("{ms}", f"{minutes:02}:{seconds:02}")
            .replace("{hms}", hms)
            .replace("{short}", short)
        )
    return between.join(turns) + "\n"


@pytest.mark.parametrize(
    "form",
    [
        *(
            "({ms}) {n}: {w}",
            "[{hms}.656] {n}: {w}",
            "[{hms} - {hms}] {n}: {w}",
            "[{hms}.0 --> {hms}.5] {n}: {w}",
        ),
        *(
            "{hms} – {hms} {n}: {w}",
            "{n} [{ms}]: {w}",
            "{n} - {ms}\n{w}",
            "{n} ({ms})\n{w}",
            "{n}  {short}\n{w}",
        ),
        *(
            "{hms}\t{n}\t{w}",
            "{hms} | {n} | {w}",
            "[{hms}.00] - {n}\n{w}",
            "{n} | {ms}\n{w}",
            "{n}, {ms}\n{w}",
        ),
        *(
            "{ms} | {n}\n{w}",
            "{n}: [{hms}] {w}",
            "@{short} - {n}\n{w}",
            "@{short} - **{n}**\n{w}",
            "{{ms}} {n}: {w}",
        ),
        *(
            "{n} at {ms}\n{w}",
            "（{ms}）{n}：{w}",
            "【{n}】（{ms}）{w}",
            "{n}［{ms}］：{w}",
            "**{n}** ({ms}): {w}",
        ),
        *("## {n} ({ms})\n\n{w}", "{hms}\n{n}: {w}", "{hms}\n{n}\n{w}", "{n}\n{hms}\n{w}", "{hms} {n}\n{w}"),
        "{hms} {n}\n\n{w}",
        "{n}\u3000{ms}\n{w}",
        "2:{ms} PM {n}: {w}",
    ],
)
def test_a_turn_has_its_time_and_its_speaker(form: str) -> None:
    turns = said(laid_out(form))
    # A time of the day is kept as it is written.
    noon = 7200 if "PM" in form else 0
    assert [(turn.offset, turn.speaker, turn.text) for turn in turns] == [
        (offset + noon, name, words) for offset, name, words in TALK
    ]


@pytest.mark.parametrize(
    "form",
    [
        *(
            "*{n}:* {w}",
            "***{n}:*** {w}",
            "### {n}\n\n{w}",
            "- **{n}**: {w}",
            "<{n}> {w}",
            "[{n}] {w}",
            "{n} > {w}",
        ),
        *("{n} : {w}", "{n}:\n\n{w}", "{n} — {w}", "{n}\t{w}", "**{n}**\n\n{w}"),
    ],
)
def test_a_turn_without_a_time_has_its_speaker(form: str) -> None:
    assert [(turn.speaker, turn.text) for turn in said(laid_out(form))] == [each[1:] for each in TALK]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(
            ("Q", "A"),
            ("I", "R"),
            ("IV", "IE"),
            ("INT", "RES"),
            ("Me", "Them"),
            ("You", "Interviewer"),
            ("S1", "S2"),
        ),
        *(
            ("F", "A"),
            ("Host", "Guest 1"),
            ("Frage", "Antwort"),
            ("問", "答"),
            ("田中太郎", "専門家"),
            ("张三", "李四"),
        ),
        *(
            ("أحمد علي", "الخبير"),
            ("דוד כהן", "מומחה"),
            ("राहुल शर्मा", "विशेषज्ञ"),
            ("สมชาย", "ผู้เชี่ยวชาญ"),
            ("Иван", "Эксперт"),
        ),
    ],
)
def test_whoever_speaks_in_turn_has_their_words(one: str, other: str) -> None:
    text = f"{one}: Where now?\n\n{other}: Higher.\n\n{one}: And costs?\n\n{other}: Lower.\n"
    assert [turn.speaker for turn in said(text)] == [one, other, one, other]


def test_a_time_is_read_in_the_digits_of_other_scripts() -> None:
    assert said("[٠٠:٠٢] أحمد علي: كيف؟\n\n[٠١:١٢] الخبير: نعم.\n") == [
        Said(offset=2, speaker="أحمد علي", text="كيف؟"),
        Said(offset=72, speaker="الخبير", text="نعم."),
    ]


# Documents


def test_the_rows_of_a_table_are_turns() -> None:
    rows = [["00:02", ANN, "Where now?"], ["01:02", MARC, "Higher."]]
    assert said(word("A call", table=rows))[-2:] == [
        Said(offset=2, speaker=ANN, text="Where now?"),
        Said(offset=62, speaker=MARC, text="Higher."),
    ]


def test_a_meetings_document_has_its_day_and_its_duration() -> None:
    document = word(
        "Expert call", "March 3, 2026, 2:00PM", "34m 12s", f"{ANN}   0:03\nSo?", f"{MARC}   0:12\nYes."
    )
    parsed = parse("call.docx", document)
    assert (str(parsed.call_date), parsed.duration) == ("2026-03-03", "34m 12s")
    assert [turn.speaker for turn in parsed.turns if turn.offset is not None] == [ANN, MARC]


def test_captions_in_a_document_are_captions() -> None:
    document = word("0:0:0.0 --> 0:0:3.200", ANN, "Where now?", "0:1:2.0 --> 0:1:9.100", MARC, "Higher.")
    assert said(document) == [
        Said(offset=0, speaker=ANN, text="Where now?"),
        Said(offset=62, speaker=MARC, text="Higher."),
    ]


def test_a_piece_of_a_page_is_what_a_reader_sees() -> None:
    assert said(f"<div><p>{ANN}: Where now?</p>\n<p><b>{MARC}:</b> Higher.</p></div>") == [
        Said(speaker=ANN, text="Where now?"),
        Said(speaker=MARC, text="Higher."),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("From: <Saved by Blink>\nSubject: A call\nMIME-Version: 1.0\n\n<html>", "e-mail"),
        ("<?xml version='1.0'?><tt xmlns='http://www.w3.org/ns/ttml'><body/></tt>", "XML"),
        ("[Script Info]\nTitle: x\n", r"\.ass"),
        ("\x1b$B1?DB$O>e$,$j$^$7$?\x1b(B", "ISO-2022"),
        ('{"segments": [{"speaker": "Ann", "text": "Where now', "broken or cut off"),
    ],
)
def test_what_would_be_read_as_somebodys_words_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BadFile, match=reason):
        said(text)


# Captions


def test_an_account_of_a_meeting_may_be_called_anything() -> None:
    names = [
        "Smith, John (External)",
        "Ann's iPhone",
        "+1 (555) 123-4567",
        "ann.lee@example.com",
        ANN,
        "jsmith",
    ]
    cues = [f"00:0{n}.000 --> 00:0{n}.900\n{name}: Words of {n}.\n" for n, name in enumerate(names)]
    turns = said("WEBVTT\n\n" + "\n".join(cues))
    assert [(turn.speaker, turn.text) for turn in turns] == [
        (name, f"Words of {n}.") for n, name in enumerate(names)
    ]


def test_a_point_in_captions_names_nobody() -> None:
    cues = [f"{ANN}: So?", f"{MARC}: Here it is.", "The conclusion: costs rose."]
    text = "\n".join(f"00:{10 * n}.000 --> 00:{10 * n + 1}.000\n{cue}\n" for n, cue in enumerate(cues, 1))
    assert [turn.speaker for turn in said(f"WEBVTT\n\n{text}")] == [ANN, MARC, ""]


def test_a_blank_in_the_first_line_of_a_caption_does_not_end_it() -> None:
    text = "WEBVTT\n\n00:02.000 --> 00:04.000 align:start\n \nwhere<00:02.400><c> now</c>\n"
    assert said(text) == [Said(offset=2, text="where now")]


def test_captions_with_two_times_and_a_comma_are_read() -> None:
    assert said(f"0:00:02.000,0:00:05.000\n{ANN}: So?\n\n0:01:02.000,0:01:09.000\n{MARC}: Yes.\n") == [
        Said(offset=2, speaker=ANN, text="So?"),
        Said(offset=62, speaker=MARC, text="Yes."),
    ]


# What recognizers answer


def _azure(speaker: int, text: str, ticks: float) -> dict[str, Any]:
    return {
        "speaker": speaker,
        "offset": "PT2S",
        "offsetInTicks": ticks,
        "durationInTicks": 1e7,
        "nBest": [{"display": text}],
    }


def _speechmatics(speaker: str, text: str, start: float, kind: str = "word") -> dict[str, Any]:
    reading = {"content": text, "speaker": speaker}
    return {"alternatives": [reading], "start_time": start, "end_time": start + 0.3, "type": kind}


def _google(word: str, start: str, speaker: int | None = None) -> dict[str, Any]:
    return {
        "word": word,
        "startTime": start,
        "endTime": start,
        **({"speakerTag": speaker} if speaker else {}),
    }


def _aws(text: str, start: str = "") -> dict[str, Any]:
    times = {"start_time": start, "end_time": start} if start else {}
    return {"type": "pronunciation" if start else "punctuation", "alternatives": [{"content": text}], **times}


AWS_SPEAKERS = [
    {"items": [{"start_time": "2.1", "speaker_label": "1"}, {"start_time": "62.0", "speaker_label": "2"}]}
]


@pytest.mark.parametrize(
    "answer",
    [
        {"recognizedPhrases": [_azure(1, "Where?", 2e7), _azure(2, "Fares.", 62e7)]},
        {
            "results": [
                _speechmatics("1", "Where", 2.0),
                _speechmatics("1", "?", 2.3, "punctuation"),
                _speechmatics("2", "Fares", 62.0),
                _speechmatics("2", ".", 62.3, "punctuation"),
            ]
        },
        {
            "results": [
                {
                    "alternatives": [
                        {
                            "transcript": "Where? Fares.",
                            "words": [_google("Where?", "2s"), _google("Fares.", "62s")],
                        }
                    ]
                },
                {"alternatives": [{"words": [_google("Where?", "2s", 1), _google("Fares.", "62s", 2)]}]},
            ]
        },
        {
            "results": {
                "transcripts": [{"transcript": "Where? Fares."}],
                "speaker_labels": {"segments": AWS_SPEAKERS},
                "items": [_aws("Where", "2.1"), _aws("?"), _aws("Fares", "62.0"), _aws(".")],
            }
        },
        {
            "callTranscripts": [
                {
                    "transcript": [
                        {"speakerId": "1", "sentences": [{"start": 2000, "end": 3000, "text": "Where?"}]},
                        {"speakerId": "2", "sentences": [{"start": 62000, "end": 64000, "text": "Fares."}]},
                    ]
                }
            ]
        },
    ],
    ids=["Azure", "Speechmatics", "Google", "AWS", "Gong"],
)
def test_words_and_times_are_found_where_services_keep_them(answer: object) -> None:
    turns = said(json.dumps(answer))
    assert [(turn.offset, turn.speaker.removeprefix("Speaker "), turn.text) for turn in turns] == [
        (2, "1", "Where?"),
        (62, "2", "Fares."),
    ]


@pytest.mark.parametrize("odd", [None, 3, "x", [], {}, [None], [{"items": None}]])
def test_what_a_service_leaves_out_is_no_error(odd: object) -> None:
    words = [{"content": "Where?", "start_time": "2.1", "alternatives": odd, "timestamps": odd}]
    answer = {"results": {"speaker_labels": {"segments": odd}, "items": words, "recognizedPhrases": odd}}
    assert [turn.text for turn in said(json.dumps(answer))] == ["Where?"]


def test_pairs_of_times_are_read() -> None:
    pieces = [
        {
            "timestamps": {"from": "00:00:02,000", "to": "00:00:04,000"},
            "offsets": {"from": 2000},
            "text": " Where?",
        },
        {
            "timestamps": {"from": "00:01:02,000", "to": "00:01:04,000"},
            "offsets": {"from": 62000},
            "text": " Fares.",
        },
    ]
    assert said(json.dumps({"transcription": pieces})) == [
        Said(offset=2, text="Where?"),
        Said(offset=62, text="Fares."),
    ]


def test_lines_of_json_are_pieces() -> None:
    lines = [
        {"speaker": ANN, "start": 2.0, "text": "Where?"},
        {"speaker": MARC, "start": 62.0, "text": "Fares."},
    ]
    assert said("\n".join(map(json.dumps, lines)), "call.jsonl") == [
        Said(offset=2, speaker=ANN, text="Where?"),
        Said(offset=62, speaker=MARC, text="Fares."),
    ]


def test_the_columns_of_a_table_are_known_in_other_languages() -> None:
    assert said(f"Zeit\tSprecher\tText\n00:02\t{ANN}\tWo?\n01:02\t{MARC}\tHöher.\n") == [
        Said(offset=2, speaker=ANN, text="Wo?"),
        Said(offset=62, speaker=MARC, text="Höher."),
    ]


# Facts


@pytest.mark.parametrize(
    "day",
    [
        *(
            "Tuesday, 3 March 2026 at 14:00",
            "2026/03/03",
            "3. März 2026",
            "mardi 3 mars 2026",
            "3 de março de 2026",
        ),
        *(
            "2026年3月3日（火）",
            "２０２６年３月３日",
            "令和8年3月3日",
            "2026년 3월 3일",
            "3 марта 2026 г.",
            "3 marca 2026",
        ),
        *(
            "3 Mart 2026",
            "3rd day of March, 2026",
            "Dienstag, den 3. März 2026",
            "3. maaliskuuta 2026",
            "2026 March 3",
        ),
        *("2026-Mar-03", "٣ مارس ٢٠٢٦", "20260303T140000Z", "2026-03-03T14:00:00Z", "2026-03-03 14:00 CET"),
    ],
)
@pytest.mark.parametrize(
    "header", ["Call Date: {}", "Northstar\n{}", "Datum: {}", "日付：{}", "---\ndate: {}\n---"]
)
def test_the_day_is_read_as_it_is_written(day: str, header: str) -> None:
    text = f"{header.format(day)}\n\nAnalyst: Where now?\n\nExpert: Higher.\n"
    parsed = parse("call.txt", text.encode())
    assert str(parsed.call_date) == "2026-03-03"
    assert [turn.speaker for turn in parsed.turns if turn.speaker] == ["Analyst", "Expert"]


@pytest.mark.parametrize(
    "name", ["GMT20260303-140000_Recording", "20260303140000_call", "会議2026年3月3日", "Call 3-Mar-26"]
)
def test_the_day_is_read_from_the_name_of_a_file(name: str) -> None:
    assert str(parse(f"{name}.txt", b"Hello.").call_date) == "2026-03-03"


def test_a_day_of_which_somebody_speaks_is_not_the_calls() -> None:
    text = "Analyst: On March 3, 2026 what happened?\n\nExpert: Fares rose.\n"
    assert parse("call.txt", text.encode()).call_date is None


def test_the_facts_are_known_in_other_languages() -> None:
    facts = "タイトル：運賃\n日付：2026年3月3日\n参加者：田中、専門家\n\n"
    parsed = parse("call.txt", f"{facts}田中：どうですか。\n\n専門家：上がりました。\n".encode())
    assert (parsed.title, parsed.participants) == ("運賃", ["田中", "専門家"])
    assert [turn.speaker for turn in parsed.turns] == ["田中", "専門家"]
