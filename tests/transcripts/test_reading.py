"""The page of one call: cited passages that moved or are gone, hits, pages of turns, speakers told apart."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.site import ROOT
from tests.transcripts.conftest import Load, reader, transcript
from transcripts import searching
from transcripts.loading import rewrite
from transcripts.models import Collection, Transcript, Turn
from transcripts.parsing import Said
from transcripts.reading import COLOURS, PER_PAGE
from transcripts.searching import TranscriptFilters

pytestmark = pytest.mark.django_db

GONE = "no longer in this transcript"
LONG = "um " * 130
"""Makes a turn a passage of its own."""


@pytest.fixture
def alice() -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(reader())
    return client


def call(*said: str, slug: str = "call") -> Transcript:
    """A stored call; two people take turns, and each turn is a passage."""
    made, _ = Transcript.objects.get_or_create(
        slug=slug,
        defaults={
            "title": slug,
            "source_file": f"{slug}.txt",
            "digest": "",
            "collection": Collection.default(),
        },
    )
    turns = [
        Said(text=f"{text} {LONG}", speaker=("Ann", "Ben")[place % 2]) for place, text in enumerate(said)
    ]
    rewrite(made, turns)
    return made


def html(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def link(words: str) -> str:
    """The address by which `words` are cited."""
    found = searching.passages_here(reader("finder"), words, TranscriptFilters(), limit=1)
    return found[0].path.partition("#")[0]


def cited(page: str) -> str:
    """What the page highlights."""
    found = re.search(r'<section class="cited".*?</section>', page, re.DOTALL)
    return found[0] if found else ""


def anchors(page: str) -> list[str]:
    return re.findall(r'<div class="turn[^"]*" id="([^"]+)"', page)


# What a link cites


def test_a_passage_that_moved_is_highlighted_where_it_stands_now(alice: Client) -> None:
    call("Fuel is dear.", "Fares rose.")
    address = link("fares")
    call("Good morning.", "Welcome.", "Fuel is dear.", "Fares rose.")
    page = html(alice, address)
    assert "Fares rose." in cited(page)
    assert GONE not in page


def test_a_passage_is_found_where_the_bounds_of_passages_are_others_now(alice: Client) -> None:
    said = [
        Said(text=f"Fares rose by {n} percent in the region of that number.", speaker="Ann")
        for n in range(40)
    ]
    made = call()
    rewrite(made, said)
    address = link("fares rose by 30 percent")
    before = re.findall(r"rose by \d+", cited(html(alice, address)))
    rewrite(made, [Said(text="Good morning, and welcome."), *said])
    assert re.findall(r"rose by \d+", cited(html(alice, address))) == before
    longer = [Said(text=each.text, speaker="Ann Lee, Chief Financial Officer") for each in said]
    rewrite(made, longer)
    assert re.findall(r"rose by \d+", cited(html(alice, address))) == before


@pytest.mark.parametrize("now", [["Fuel is dear.", "Fares fell."], ["Fuel is dear."]])
def test_a_passage_that_is_gone_is_told_and_no_other_is_highlighted(alice: Client, now: list[str]) -> None:
    call("Fuel is dear.", "Fares rose.")
    address = link("fares")
    call(*now)
    page = html(alice, address)
    assert GONE in page
    assert cited(page) == ""
    assert "Fuel is dear." in page


def test_which_of_two_equal_passages_was_cited_is_not_guessed(alice: Client) -> None:
    call("Yes.", "Fares rose.")
    address = link("yes")
    call("Fares rose.", "Yes.", "Yes.")
    page = html(alice, address)
    assert GONE in page
    assert cited(page) == ""


def test_a_renamed_speaker_moves_no_passage(alice: Client) -> None:
    made = call("Fuel is dear.", "Fares rose.")
    address = link("fares")
    made.turns.update(speaker="Carol")
    assert "Fares rose." in cited(html(alice, address))


def test_a_turn_is_cited_by_its_own_link(alice: Client) -> None:
    call("Fuel is dear.", "Fares rose.")
    (address,) = re.findall(r'href="(\?at=turn-2[^"#]*)', html(alice, "/transcripts/call/"))
    address = address.replace("&amp;", "&")
    assert "Fares rose." in cited(html(alice, f"/transcripts/call/{address}"))
    call("Good morning.", "Fuel is dear.", "Fares rose.")
    assert "Fares rose." in cited(html(alice, f"/transcripts/call/{address}"))
    call("Good morning.", "Fuel is dear.", "Fares fell.")
    assert GONE in html(alice, f"/transcripts/call/{address}")


@pytest.mark.parametrize("query", ["?p=99", "?p=x", "?at=t-99-99", "?at=t-99-99&v=123456", "?p=99&v=x"])
def test_a_link_to_what_never_was_is_told(alice: Client, query: str) -> None:
    call("Fuel is dear.")
    assert GONE in html(alice, f"/transcripts/call/{query}")


@pytest.mark.parametrize("query", ["", "?p=1", "?p=", "?v=123456", "?page=x", "?page=0", "?page=99"])
def test_nothing_is_gone_where_nothing_is_cited(alice: Client, query: str) -> None:
    call("Fuel is dear.")
    page = html(alice, f"/transcripts/call/{query}")
    assert GONE not in page
    assert "Fuel is dear." in page


# Long calls


@pytest.fixture
def long_call(load_folder: Load) -> Transcript:
    """Two and a half pages of turns, a minute each."""
    lines = [
        f"[{n // 60:02}:{n % 60:02}:00] {('Ann', 'Ben')[n % 2]}: This is what was said as number {n}."
        for n in range(PER_PAGE * 5 // 2)
    ]
    load_folder({"long.txt": "\n".join(lines)})
    return transcript("long")


def test_a_long_call_comes_in_pages_that_hold_each_turn_once(alice: Client, long_call: Transcript) -> None:
    pages = [html(alice, f"/transcripts/long/?page={n}") for n in (1, 2, 3)]
    assert [len(anchors(page)) for page in pages] == [PER_PAGE, PER_PAGE, PER_PAGE // 2]
    assert [each for page in pages for each in anchors(page)] == list(
        long_call.turns.values_list("anchor", flat=True)
    )
    assert f"Turns {PER_PAGE + 1} to {2 * PER_PAGE} of {PER_PAGE * 5 // 2}, 3:20:00 to 6:39:00" in pages[1]


@pytest.mark.usefixtures("long_call")
def test_a_link_opens_the_page_that_holds_what_it_cites(alice: Client) -> None:
    assert "as number 450." in cited(html(alice, link("number 450")))
    assert "as number 499." in cited(html(alice, "/transcripts/long/?at=t-8-19-00"))


def test_a_passage_across_two_pages_is_shown_whole(alice: Client, long_call: Transcript) -> None:
    across = long_call.passages.get(first_turn__lte=PER_PAGE, last_turn__gt=PER_PAGE)
    page = cited(html(alice, f"/transcripts/long/?p={across.position}"))
    assert len(anchors(page)) == (across.last_turn or 0) - (across.first_turn or 0) + 1


def test_a_call_of_ten_thousand_turns_is_a_short_page(alice: Client) -> None:
    made = call(slug="endless")
    Turn.objects.bulk_create(
        Turn(transcript=made, position=n, offset=n, anchor=f"t-{n}", text=f"Turn {n} of many words. " * 12)
        for n in range(1, 10_001)
    )
    html(alice, "/transcripts/endless/")
    with CaptureQueriesContext(
        connection,
    ) as asked:
        page = html(alice, "/transcripts/endless/?page=25")
    assert len(page) < 300_000
    assert len(asked) < 15


# Hits


def hops(client: Client, path: str, rel: str) -> Iterator[str]:
    """What is highlighted on each page that the links `rel` lead to."""
    while True:
        page = html(client, path)
        found = re.search(rf'<nav class="hits".*?<a rel="{rel}" href="([^"#]*)', page, re.DOTALL)
        if not found or found[0].count("</nav>"):
            return
        path = "/transcripts/call/" + found[1].replace("&amp;", "&")
        yield re.sub(r"<[^>]+>", "", cited(html(client, path)))


@pytest.fixture
def hits(db: Any) -> None:
    call("Fares rose.", "Fuel is dear.", "The fare is what counts.", "Fuel again.", "No fares, no flights.")
    call("Fares of another call.", slug="other")


@pytest.mark.usefixtures("hits")
def test_one_goes_from_hit_to_hit_in_the_order_of_the_call(alice: Client) -> None:
    there = list(hops(alice, "/transcripts/call/?q=fares", "next"))
    assert [re.findall(r"rose|counts|flights", each) for each in there] == [["rose"], ["counts"], ["flights"]]
    back = list(hops(alice, "/transcripts/call/?q=fares&p=6", "prev"))
    assert [re.findall(r"rose|counts|flights", each) for each in back] == [["counts"], ["rose"]]


@pytest.mark.usefixtures("hits")
def test_a_hit_says_which_it_is_and_marks_what_was_asked_for(alice: Client) -> None:
    page = html(alice, "/transcripts/call/?q=fares&p=4")
    assert "Passage 2 of 3" in page
    assert "<mark>fare</mark> is what counts" in cited(page)
    assert "Nothing was found in this call" in html(alice, "/transcripts/call/?q=zyzzyva")


@pytest.mark.usefixtures("hits")
def test_what_was_said_is_no_markup_where_words_are_marked(alice: Client) -> None:
    call("<b>Fares</b> & <script>alert(1)</script>")
    page = html(alice, "/transcripts/call/?q=fares")
    assert "&lt;b&gt;<mark>Fares</mark>&lt;/b&gt; &amp; &lt;script&gt;" in page
    assert "<script>" not in page


# Speakers


def test_speakers_keep_their_colours_through_all_pages(alice: Client, long_call: Transcript) -> None:
    long_call.turns.filter(position=3).update(speaker="")
    for page in (html(alice, f"/transcripts/long/?page={n}") for n in (1, 3)):
        who = re.findall(r'<div class="turn([^"]*)".*?class="who">(.*?)</p>', page, re.DOTALL)
        spoken = {(re.sub(r".*<strong>|</strong>|<a .*", "", each), colour) for colour, each in who}
        assert spoken <= {("Ann", " speaker-1"), ("Ben", " speaker-2"), ("", "")}
        assert len(spoken) >= 2


STYLE = (ROOT / "mcpsite/core/static/mcpsite/site.css").read_text(encoding="utf-8")
SCHEMES = dict(zip(("light", "dark"), re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL), strict=True))


def colour(scheme: str, name: str) -> list[float]:
    found = re.search(rf"--{name}: #(\w{{6}});", SCHEMES[scheme])
    assert found, name
    return [int(found[1][place : place + 2], 16) / 255 for place in (0, 2, 4)]


def luminance(rgb: list[float]) -> float:
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("ground", ["paper", "card", "mark"])
def test_each_speakers_colour_stands_out_from_what_is_behind_it(scheme: str, ground: str) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5."""
    for number in range(1, COLOURS + 1):
        lights = sorted(luminance(colour(scheme, each)) for each in (f"speaker-{number}", ground))
        assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5, number


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_two_speakers_colours_are_alike(scheme: str) -> None:
    colours = [colour(scheme, f"speaker-{number}") for number in range(1, COLOURS + 1)]
    for place, one in enumerate(colours):
        for other in colours[:place]:
            assert sum(abs(a - b) for a, b in zip(one, other, strict=True)) > 0.25
