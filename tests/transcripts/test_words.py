"""Texts as the words they are found by, and what of a text is marked as found."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcripts.searching import marked, snippet
from transcripts.stores import german
from transcripts.stores.words import asked, indexed


def meet(query: str, text: str) -> bool:
    """Whether everything that `query` asks for is in `text`, but for its German stems."""
    return bool(plain(query)) and plain(query) <= set(indexed(text))


def plain(query: str) -> set[str]:
    return {word for word in asked(query) if not word.endswith(german.MARK)}


def touch(query: str, text: str) -> bool:
    """Whether anything that `query` asks for is in `text`."""
    return not set(asked(query)).isdisjoint(indexed(text))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("1900", "$1,900"),
        ("1900", "1'900"),
        ("1900", "1\N{NARROW NO-BREAK SPACE}900"),
        ("1900.5", "€1.900,50"),
        ("$1,900,000", "1900000"),
        ("1900", "1,900.00"),
        ("1900", "１９００"),
        ("1900", "١٩٠٠"),
        ("4.5%", "4.50 percent"),
        ("4,5 %", "4.5 per cent"),
        ("4.5", "4.5%"),
        ("0.5", "½"),
        ("2½", "2.5"),
        ("1.9", "$1.9m"),
        ("10K", "$10k"),
        ("27 11 2026", "27.11.2026"),
        ("24", "Q3'24"),
    ],
)
def test_one_number_is_the_same_however_it_is_written(query: str, text: str) -> None:
    assert meet(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("1900", "1.900 Euro"),
        ("1900", "1 900 kr"),
        ("1234567", "1.234.567"),
        ("100000", "₹1,00,000"),
        ("1900", "١٬٩٠٠"),
        ("4.5", "4,5 Milliarden"),
        ("4,5", "4.5 billion"),
        ("4.5%", "4,5 Prozent"),
        ("4.5", "٤٫٥"),
        ("1.900", "1900"),
        ("1 900", "1900"),
    ],
)
def test_a_number_is_found_by_each_of_its_readings(query: str, text: str) -> None:
    assert touch(query, text)


@pytest.mark.parametrize(
    ("query", "text"), [("4.5%", "45%"), ("4.5", "4 to 5"), ("1900", "1.9"), ("1900", "19.00"), ("12", "1,2")]
)
def test_another_number_is_another_one(query: str, text: str) -> None:
    assert not meet(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("A320", "A320neo"),
        ("a320", "A-320"),
        ("A320", "A 320"),
        ("low cost", "low-cost"),
        ("lowcost", "low-cost"),
        ("low-cost", "low\N{NON-BREAKING HYPHEN}cost"),
        ("cooperate", "co\N{NON-BREAKING HYPHEN}operate"),
        ("O'Hare", "O’Hare"),
        ("OHare", "O'Hare"),
        ("ATT", "AT&T"),
        ("US", "U.S."),
        ("C++", "C++"),
        ("C#", "c#"),
    ],
)
def test_a_name_is_the_same_in_one_word_and_in_two(query: str, text: str) -> None:
    assert meet(query, text)


@pytest.mark.parametrize(
    ("query", "text"), [("C++", "vitamin C"), ("lowcost", "low fuel cost"), ("US", "us")]
)
def test_another_name_is_another_one(query: str, text: str) -> None:
    assert not meet(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("strasse", "Straße"),
        ("STRASSE", "STRAẞE"),
        ("naive", "naïve"),
        ("Diyarbakir", "Diyarbakır"),
        ("istanbul", "İSTANBUL"),
        ("Lodz", "Łódź"),
        ("ارتفعت", "ارتفعَت"),
        ("ΤΙΜΕΣ", "τιμές"),
        ("ガソリン", "ｶﾞｿﾘﾝ"),
        ("टिकट", "टिकट की कीमत"),
    ],
)
def test_a_letter_is_the_same_in_its_other_forms(query: str, text: str) -> None:
    assert meet(query, text)


@pytest.mark.parametrize("text", ["Zürich", "Zuerich", "Zurich", "Zu\N{COMBINING DIAERESIS}rich", "ZÜRICH"])
@pytest.mark.parametrize("query", ["Zürich", "Zuerich"])
def test_an_umlaut_is_found_as_it_is_typed_elsewhere(query: str, text: str) -> None:
    assert touch(query, f"We met them in {text}.") or (query, text) == ("Zuerich", "Zurich")


GERMAN = "Wir sehen, dass {} nicht mehr wie früher sind und auch nicht werden."


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("Preis", "Kerosinpreise"),
        ("Kerosin", "Kerosinpreise"),
        ("Kerosinpreis", "Preise für Kerosin"),
        ("Flughafengebühr", "Gebühren der Flughäfen"),
        ("Flughaefen", "Flughäfen"),
        ("Strasse", "Ausfallstraßen"),
        ("Auslastung der Zimmer", "Zimmerauslastungen"),
        ("Tür", "Haustüren"),
    ],
)
def test_a_german_compound_is_found_by_its_parts_and_in_other_forms(query: str, said: str) -> None:
    assert touch(query, GERMAN.format(said))
    assert any(sought for _, sought in marked(GERMAN.format(said), query))


@pytest.mark.parametrize(("query", "said"), [("Reise", "Kerosinpreise"), ("Rat", "Vorratshaltung")])
def test_letters_inside_a_german_word_are_no_part_of_it(query: str, said: str) -> None:
    assert not touch(query, GERMAN.format(said))


@pytest.mark.parametrize(
    "text",
    [
        "So what was it, and who will be in the hat? We are an airline, man.",
        "MIT and IM are in the press with research on fares.",
        "Mr von der Leyen said the fares in den Haag will rise.",
        "Los precios de los billetes es lo que más ha subido este año.",
        "De prijzen van de tickets zijn in het voorjaar gestegen.",
    ],
)
def test_a_text_in_another_language_has_no_german_words(text: str) -> None:
    assert not any(word.endswith(german.MARK) for word in indexed(text))


def test_a_question_in_english_asks_for_no_german_words() -> None:
    assert asked("MIT in the press") == ["mit", "press"]


def test_what_a_german_question_is_about_is_asked_for_alone() -> None:
    assert "preis" in asked("Wie ist der Preis?")
    assert not {"wie", "der", "ist"} & set(asked("Wie ist der Preis?"))
    assert asked("wie das") != []


def test_marks_that_tell_words_apart_stay() -> None:
    assert not meet("की", "का")
    assert not meet("がくせい", "かくせい")


@pytest.mark.parametrize(
    "query",
    [
        "de\N{SOFT HYPHEN}mand",
        "\N{ZERO WIDTH NO-BREAK SPACE}demand",
        "dem\N{ZERO WIDTH SPACE}and",
        "\N{LEFT-TO-RIGHT EMBEDDING}demand\N{POP DIRECTIONAL FORMATTING}",
        "d\N{COMBINING GRAPHEME JOINER}emand\N{VARIATION SELECTOR-16}",
        "demand\U000e0041",
    ],
)
def test_what_nobody_sees_in_a_query_is_not_there(query: str) -> None:
    assert asked(query) == asked("demand")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("航空運賃", "専門家: 航空運賃は上昇しています。"),
        ("油", "燃油価格"),
        ("항공운임", "한국의 항공운임은 올랐다"),
        ("ตั๋ว", "ราคาตั๋วเครื่องบิน"),
        ("A320", "型機A320です"),
    ],
)
def test_a_word_is_found_in_a_script_without_spaces(query: str, text: str) -> None:
    assert meet(query, text)


def test_stop_words_are_asked_for_where_there_are_no_others() -> None:
    assert meet("the who", "We heard the Who.")
    assert asked("what is the fare") == ["fare"]


def test_an_abbreviation_that_reads_like_a_stop_word_is_one_in_capitals_alone() -> None:
    assert meet("IT spending", "spending on IT")
    assert set(asked("IT")) - set(indexed("spending on it"))
    assert asked("WHAT IS THE FARE") == ["fare"]


@pytest.mark.parametrize("query", ["", " ", "%", "$", "++", "🛫", "\ud800", "\x00", "—", "..."])
def test_a_text_without_a_word_has_none(query: str) -> None:
    assert asked(query) == indexed(query) == []


@given(st.text(max_size=80) | st.lists(st.sampled_from([*"aAé1½4.,'-&+# %\n航ต"]), max_size=12).map("".join))
def test_a_word_is_letters_and_digits_and_what_is_asked_for_in_a_text_is_in_it(text: str) -> None:
    words = indexed(text)
    assert all(character.isalnum() or character > "\u02ff" for word in words for character in word)
    assert "" not in words
    assert plain(text) <= set(words)
    assert "".join(piece for piece, _ in marked(text, text)) == text


@pytest.mark.parametrize(
    "part", ["1,", "1,900", "a-", "A.", ".1", "'1", "航", "A 123", "\u0301", "1'900", "1 "]
)
def test_an_endless_token_takes_no_time(part: str) -> None:
    start = time.process_time()
    indexed(part * 20_000)
    snippet(part * 20_000, "fares 航空")
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("4.5% 1900", "Up 4.5%, to $1,900.", ["4.5%", "1,900"]),
        ("a320 lowcost", "The A320neo of low‑cost airlines", ["A320neo", "low‑cost"]),
        ("航空運賃", "専門家: 航空運賃は上昇", ["航空運賃"]),
        (
            "strasse cafe",
            "Straße, cafe\N{COMBINING ACUTE ACCENT}",
            ["Straße", "cafe\N{COMBINING ACUTE ACCENT}"],
        ),
        ("fare", "Fares are unfair", ["Fares"]),
        ("the who", "The Who are here", ["The", "Who"]),
    ],
)
def test_what_is_found_is_marked_as_it_is_written(query: str, text: str, found: list[str]) -> None:
    pieces = marked(text, query)
    assert "".join(piece for piece, _ in pieces) == text
    assert [piece for piece, sought in pieces if sought] == found


@pytest.mark.parametrize(
    ("query", "said", "around"),
    [
        ("航空運賃", "航空運賃は上昇", "あ" * 900),
        ("4.5%", "up 4.5% now", " um" * 300 + " "),
        ("1900", "It is $1,900.", " So it goes." * 90 + " "),
        ("IT", "We buy IT.", " So it goes." * 90 + " "),
    ],
)
def test_a_snippet_holds_what_is_found_as_it_is_written(query: str, said: str, around: str) -> None:
    shown = snippet(f"{around}{said}{around}", query, 100)
    assert said in shown
    assert len(shown) <= 104
