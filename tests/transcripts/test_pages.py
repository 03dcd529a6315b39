"""The pages that answers cite: who gets to see them, and what is on them."""

import re

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from tests.transcripts.conftest import Load, reader, transcript
from transcripts.models import Collection, Transcript
from transcripts.views import PER_PAGE

pytestmark = pytest.mark.django_db

AIRLINE = "/transcripts/2026-02-11-premium-demand-airline/"


@pytest.fixture
def client() -> Client:
    return Client(SERVER_NAME="localhost")


@pytest.fixture
def alice(client: Client) -> Client:
    """The browser of somebody who may read transcripts."""
    client.force_login(reader())
    return client


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def titles(html: str) -> list[str]:
    return re.findall(r"<h2><a [^>]*>([^<]*)</a></h2>", html)


@pytest.mark.parametrize("path", ["/transcripts/", f"{AIRLINE}?p=2", "/transcripts/no-such-call/"])
def test_who_is_not_signed_in_signs_in_and_comes_back(three: None, client: Client, path: str) -> None:
    reader()
    there = client.get(path)
    assert there.status_code == 302
    assert there.headers["Location"].startswith("/accounts/login/?next=")
    form = client.get(there.headers["Location"])
    assert f'name="next" value="{path}"' in form.content.decode()
    back = client.post(
        "/accounts/login/", {"username": "alice", "password": "correct horse battery", "next": path}
    )
    assert back.headers["Location"] == path


@pytest.mark.parametrize("evil", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_signing_in_leads_to_no_other_site(client: Client, db: None, evil: str) -> None:
    reader()
    answer = client.post(
        "/accounts/login/", {"username": "alice", "password": "correct horse battery", "next": evil}
    )
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize("path", ["/transcripts/", AIRLINE, "/transcripts/?q=premium"])
def test_without_the_right_there_is_no_such_page(three: None, client: Client, path: str) -> None:
    client.force_login(reader("bob", may_read=False))
    assert client.get(path).status_code == 404


def test_an_unpublished_transcript_has_no_page_for_anybody(three: None, alice: Client) -> None:
    assert alice.get(AIRLINE).status_code == 200
    Transcript.objects.filter(slug__contains="airline").update(published=False)
    assert alice.get(AIRLINE).status_code == 404
    assert "Airline" not in " ".join(titles(text(alice, "/transcripts/")))
    assert "Premium Demand" not in text(alice, "/transcripts/?q=headlines")


def test_a_collection_of_others_is_not_there(three: None, alice: Client) -> None:
    board = Collection.objects.create(name="Board", slug="board")
    group = Group.objects.create(name="board")
    board.groups.add(group)
    Transcript.objects.filter(slug__contains="airline").update(collection=board)
    assert alice.get(AIRLINE).status_code == 404
    reader("carol").groups.add(group)
    member = Client(SERVER_NAME="localhost")
    assert member.login(username="carol", password="correct horse battery")
    assert member.get(AIRLINE).status_code == 200


def test_a_page_shows_the_facts_and_each_turn_with_an_anchor_of_its_own(three: None, alice: Client) -> None:
    html = text(alice, AIRLINE)
    for fact in (
        "11 February 2026",
        "Travel - Airlines",
        "34 minutes",
        "Lantern Row",
        "Quarry Lane (Analyst)",
    ):
        assert fact in html
    anchors = re.findall(r'<div class="turn[^"]*" id="([^"]+)"', html)
    assert anchors == ["t-00-02", "t-00-12", "t-1-05-09", "t-1-05-09-x2"]


def test_a_link_to_a_passage_highlights_its_turns(three: None, alice: Client) -> None:
    assert "Cited passage" not in text(alice, AIRLINE)
    html = text(alice, f"{AIRLINE}?p=2")
    cited = html[html.index('aria-label="Cited passage"') : html.index("</section>")]
    passage = transcript("Airline").passages.get(position=2)
    assert cited.count('class="turn ') == (passage.last_turn or 0) - (passage.first_turn or 0) + 1
    assert html.count('class="turn ') == 4


@pytest.mark.parametrize("p", ["1", "999", "-1", "x", "", "9" * 40, "%00", "٣"])
def test_a_link_to_no_passage_is_the_page_without_a_highlight(three: None, alice: Client, p: str) -> None:
    assert "Cited passage" not in text(alice, f"{AIRLINE}?p={p}")


def test_the_list_shows_all_latest_first(three: None, alice: Client) -> None:
    assert titles(text(alice, "/transcripts/")) == ["Rates Hotel", "Premium Demand Airline", "Handler Notes"]


def test_the_list_comes_in_pages(load_folder: Load, alice: Client) -> None:
    load_folder({f"call-{n:02}.txt": "Fuel was dear." for n in range(PER_PAGE + 1)})
    first, second = text(alice, "/transcripts/"), text(alice, "/transcripts/?page=2")
    assert (len(titles(first)), len(titles(second))) == (PER_PAGE, 1)
    assert 'rel="next" href="?page=2"' in first
    assert 'rel="prev" href="?page=1"' in second


def test_a_search_finds_passages_and_links_to_them(three: None, alice: Client) -> None:
    html = text(alice, "/transcripts/?q=housekeeping")
    assert titles(html) == ["Rates Hotel"]
    assert re.search(
        r'href="/transcripts/2026-03-18-rates-hotel/\?p=2&amp;v=\w{8}&amp;q=housekeeping#t-00-02"', html
    )
    assert "<mark>housekeeping</mark> turnover is the trouble" in html


def test_a_sector_narrows_list_and_search(three: None, alice: Client) -> None:
    assert titles(text(alice, "/transcripts/?sector=Travel+-+Lodging")) == ["Rates Hotel"]
    assert titles(text(alice, "/transcripts/?q=premium&sector=Travel+-+Airlines")) == [
        "Premium Demand Airline"
    ]


@pytest.mark.parametrize("query", ["zyzzyva", '"', "%00", "%F0%9F%9B%AB", "OR", "x" * 5000])
def test_a_search_without_a_hit_says_so(three: None, alice: Client, query: str) -> None:
    assert "Nothing was found" in text(alice, f"/transcripts/?q={query}%20%2A")


def test_what_was_said_and_searched_is_text_not_markup(load_folder: Load, alice: Client) -> None:
    load_folder({"a.txt": "[00:01] <b>Eve</b>: <script>alert(1)</script> fuel\n"})
    for path in ("/transcripts/a/", "/transcripts/?q=<script>fuel"):
        html = text(alice, path)
        assert "<script>" not in html
        assert "<b>Eve" not in html


@pytest.mark.parametrize(
    "path", ["/transcripts/", "/transcripts/?q=premium", f"{AIRLINE}?p=2", "/", "/nope/"]
)
def test_pages_hold_no_inline_script_or_style(three: None, alice: Client, path: str) -> None:
    html = alice.get(path).content.decode()
    assert not re.search(
        r'<script(?! type="module" src="/static/)|<style|\sstyle=|\son[a-z]+=|javascript:', html
    )


def test_a_page_is_not_kept_by_caches(three: None, alice: Client) -> None:
    assert "no-store" in alice.get(AIRLINE).headers["Cache-Control"]


def test_a_missing_page_says_what_may_be_the_reason(db: None, alice: Client) -> None:
    answer = alice.get("/transcripts/no-such-call/")
    assert answer.status_code == 404
    assert "This page does not exist, or your account may not see it." in answer.content.decode()
    assert "Sign out" in answer.content.decode()


def test_the_home_page_tells_the_address_to_connect(client: Client, db: None) -> None:
    assert "http://localhost:8788/mcp" in text(client, "/")
