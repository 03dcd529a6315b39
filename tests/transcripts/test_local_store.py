"""The local store finds passages, on whichever database the tests run."""

import asyncio
import threading
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mcpsite.mcp.database import close_database_threads
from transcripts.loading import rewrite
from transcripts.models import Collection, Passage, SpeakerLabel, Transcript, Turn
from transcripts.parsing import Said
from transcripts.stores import local, postgresql, sqlite
from transcripts.stores.base import Within, store

SPEECHES = {
    "airline": ["Fares to Lisbon rose by a fifth.", "Yield management drives the capacity of each route."],
    "hotel": ["Occupancy fell in the spring.", "Group bookings came back after the café was rebuilt."],
    "cruise": ["Passengers book their cabins later.", "Fuel hedging protects the margin of a cruise."],
}


def call(name: str, *said: str | Said) -> Transcript:
    """A stored call, each turn long enough to be a passage of its own."""
    made = Transcript.objects.create(
        slug=name, title=name, source_file=f"{name}.txt", digest="", text="", collection=Collection.default()
    )
    turns = [each if isinstance(each, Said) else Said(text=each, speaker="Expert") for each in said]
    rewrite(made, [Said(text=f"{turn.text} {'um ' * 130}", speaker=turn.speaker) for turn in turns])
    return made


@pytest.fixture
def calls(db: Any) -> dict[str, Transcript]:
    return {name: call(name, *said) for name, said in SPEECHES.items()}


def names(query: str, *, among: set[int] | None = None, speaker: str = "", limit: int = 10) -> list[str]:
    """The calls in which `query` is found, best first."""
    slugs = dict(Transcript.objects.values_list("pk", "slug"))
    transcripts = None if among is None else Transcript.objects.filter(pk__in=among)
    hits = local.search_database(query, transcripts=transcripts, speaker=speaker, limit=limit)
    return [slugs[hit.transcript_id] for hit in hits]


def indexed() -> dict[str, int]:
    """Every word the database holds, with the number of passages it counts for it."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT term, doc FROM transcripts_frequency")
        else:
            cursor.execute("SELECT lexeme, passages FROM transcripts_frequency WHERE lexeme NOT IN ('', ' ')")
        return dict(cursor.fetchall())


def in_step() -> bool:
    """Whether the index holds what the passages say, counted anew."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            # Raises sqlite's "database disk image is malformed" where index and table differ.
            cursor.execute(
                "INSERT INTO transcripts_words(transcripts_words, rank) VALUES ('integrity-check', 1)"
            )
            return True
        cursor.execute(
            """
            SELECT lexeme, count(*) FROM transcripts_passage, unnest(tsvector_to_array(lexemes)) AS lexeme
            GROUP BY lexeme
            UNION ALL SELECT '', count(*) FROM transcripts_passage
            UNION ALL SELECT ' ', sum(length(lexemes)) FROM transcripts_passage
            """
        )
        anew = {lexeme: count for lexeme, count in cursor.fetchall() if count}
        cursor.execute("SELECT lexeme, passages FROM transcripts_frequency")
        return anew == dict(cursor.fetchall())


# What is found


@pytest.mark.usefixtures("calls")
def test_a_passage_is_found_by_one_of_its_words_among_others_that_stand_nowhere() -> None:
    assert names("what did the spaceship say about hedging zeppelins") == ["cruise"]


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("query", ["booked", "booking", "BOOK", "books"])
def test_a_word_is_found_in_its_other_forms(query: str) -> None:
    assert sorted(names(query)) == ["cruise", "hotel"]


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("query", ["cafe", "café", "cafe\N{COMBINING ACUTE ACCENT}", "CAFÉ"])
def test_a_letter_is_found_with_and_without_its_accent(query: str) -> None:
    assert names(query) == ["hotel"]


@pytest.mark.django_db
def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    for number in range(20):
        call(f"common-{number}", "Capacity capacity capacity capacity.")
    call("rare", "Capacity and kerosene.")
    assert names("capacity kerosene")[0] == "rare"


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("query", ["", "   ", "\n", "...", '"', "\x00"])
def test_a_query_without_a_word_finds_nothing(query: str) -> None:
    assert names(query) == []


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize(
    "query", ["NEAR(hedging fuel)", "text: hedging", '"hedging', "hedging*", "-hedging", "hedging & ! | <->"]
)
def test_operators_are_not_obeyed(query: str) -> None:
    assert "cruise" in names(query)


@pytest.mark.usefixtures("calls")
def test_operators_by_name_are_words() -> None:
    assert sorted(names("hedging AND NOT occupancy OR yield")) == ["airline", "cruise", "hotel"]


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["Цены на билеты выросли", "Οι τιμές αυξήθηκαν", "ارتفعت أسعار التذاكر"])
def test_another_script_is_found_by_its_words(text: str) -> None:
    call("other", text)
    assert names(text.split()[-1]) == ["other"]


@pytest.mark.usefixtures("calls")
def test_hits_say_where_they_are_and_come_best_first() -> None:
    hits = local.search_database("booking cabins cruise margin", limit=10)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    for hit in hits:
        assert hit.position is not None
        assert hit.text == Passage.objects.get(transcript=hit.transcript_id, position=hit.position).text


@pytest.mark.usefixtures("calls")
def test_no_more_than_the_limit_is_found() -> None:
    assert len(local.search_database("expert", limit=2)) == 2


@pytest.mark.usefixtures("calls")
def test_a_call_is_found_by_its_title() -> None:
    assert names("airline")[0] == "airline"


def test_the_store_answers_on_the_event_loop(transactional_db: Any) -> None:
    call("cruise", *SPEECHES["cruise"])
    wanted = Passage.objects.get(text__contains="hedging")
    try:
        hits = asyncio.run(store("local").search("hedging", within=Within(), limit=5))
    finally:
        close_database_threads()
    assert [(hit.transcript_id, hit.position) for hit in hits] == [(wanted.transcript_id, wanted.position)]


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["İstanbul", "istanbul", "ISTANBUL", "İSTANBUL".lower()])
def test_a_letter_is_found_whose_lower_case_is_two(query: str) -> None:
    call("port", "We fly to İstanbul.")
    assert names(query) == ["port"]


@pytest.mark.django_db
def test_a_turn_longer_than_the_index_takes_is_still_stored_and_found() -> None:
    # Every word another one: 3 MB of them, three times what PostgreSQL takes in one passage.
    call("endless", "Kerosene. " + " ".join(f"{number:x}z" for number in range(10**6, 10**6 + 400_000)))
    assert names("kerosene") == ["endless"]
    assert in_step()


# However it is written, the exact form first


@pytest.mark.django_db
def test_the_call_that_says_the_very_figure_comes_first() -> None:
    call("points", *["Fares rose 4.5 points, 5 of 4, by 4 or 5%."] * 3)
    call("percent", "Fares rose 4.5%.")
    call("others", "Fares rose 45%, or 4 to 5.")
    assert names("4.5%") == ["percent", "points", "points", "points"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("1900", "It costs $1,900."),
        ("A320", "We fly the A320neo."),
        ("STRASSE", "Straße."),
        ("ß", "ss"),
        ("ke\N{SOFT HYPHEN}rosene", "Kerosene."),
        ("AT&T", "We met AT&T."),
        ("航空運賃", "航空運賃は上昇しています。需要は強い。"),
        ("油", "燃油価格です。"),
        ("항공운임", "한국의 항공운임은 올랐다."),
        ("ตั๋ว", "ราคาตั๋วเครื่องบิน"),
        ("कीमत", "टिकट की कीमत"),
        ("C++", "It is written in C++."),
    ],
)
def test_a_word_is_found_however_it_is_written(query: str, text: str) -> None:
    call("other", "It was about something else at that time, and at 19.")
    call("wanted", text)
    assert names(query) == ["wanted"]


@pytest.mark.django_db
def test_an_abbreviation_that_reads_like_a_stop_word_is_found_first() -> None:
    call("others", *["It is what it is, and that is it."] * 3)
    call("it", "We spend on IT.")
    assert names("IT")[0] == names("IT spending")[0] == "it"
    assert set(names("it")) == {"it", "others"}


@pytest.mark.django_db
def test_stop_words_alone_find_where_they_stand_together() -> None:
    call("others", *["Who is the one who has the one who."] * 3, "The one.", "Who?")
    call("band", "We heard The Who.")
    assert names("the who")[0] == "band"
    assert "others" in names("who")
    assert "others" in names("what is it that they do, who")


@pytest.mark.django_db
def test_stop_words_alone_are_ranked_within_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sqlite, postgresql):
        monkeypatch.setattr(module, "BUDGET", 5)
    call("band", *["Who?"] * 20, *["The."] * 20, *["The Who."] * 3)
    found = [hit.text for hit in local.search_database("the who", limit=10)]
    assert all("The Who" in text for text in found[:3])
    assert 3 <= len(found) <= 5


# Who may read what


def test_only_the_transcripts_among_are_found(calls: dict[str, Transcript]) -> None:
    among = {calls["hotel"].pk, calls["cruise"].pk}
    assert sorted(names("fares occupancy cabins", among=among)) == ["cruise", "hotel"]


@pytest.mark.usefixtures("calls")
def test_among_nothing_nothing_is_found() -> None:
    assert names("fares", among=set()) == []


@pytest.mark.usefixtures("calls")
def test_ids_of_transcripts_that_are_gone_do_no_harm() -> None:
    gone = call("gone", "Fares.")
    pk = gone.pk
    gone.delete()
    assert names("fares", among={pk}) == []


def test_what_is_not_among_does_not_use_up_the_budget(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # A budget of ten, and thirty passages of others that match better and come first.
    for module in (sqlite, postgresql):
        monkeypatch.setattr(module, "BUDGET", 10)
    monkeypatch.setattr(sqlite, "ENOUGH", 5)
    others = call("others", *["Kerosene kerosene."] * 30)
    mine = call("mine", "Kerosene is mentioned once, beside capacity.")
    assert names("kerosene capacity", among={mine.pk}) == ["mine"]
    assert set(names("kerosene capacity", among={others.pk})) == {"others"}


def test_the_rarest_words_choose_the_candidates(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sqlite, postgresql):
        monkeypatch.setattr(module, "BUDGET", 10)
    monkeypatch.setattr(sqlite, "ENOUGH", 1)
    call("common", *["Capacity."] * 30)
    call("rare", "Kerosene.")
    assert names("capacity kerosene")[0] == "rare"


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no workers")
def test_the_rarest_words_choose_the_candidates_where_workers_would_share_the_search(
    db: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "BUDGET", 3)
    call("common", *["Capacity."] * 300)
    call("rare", *["Kerosene."] * 3)
    among = set(Transcript.objects.values_list("pk", flat=True)) | set(range(10**6, 10**6 + 2_000))
    with connection.cursor() as cursor:
        # What makes the planner share even a small search.
        for setting in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
            cursor.execute(f"SET LOCAL {setting} = 0")
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 4")
        cursor.execute("ANALYZE transcripts_passage")
    call("unread", "Nothing.")  # else everything is among, and nothing filtered
    for _ in range(10):
        assert names("capacity kerosene", among=among, limit=3) == ["rare"] * 3


def test_thousands_of_transcripts_may_be_searched_among(calls: dict[str, Transcript]) -> None:
    # More than SQLite takes as parameters of their own.
    wanted = {calls["cruise"].pk} | set(range(10**6, 10**6 + 40_000))
    assert names("hedging fares", among=wanted) == ["cruise"]


@pytest.mark.django_db
def test_a_speaker_is_found_by_a_part_of_the_label_in_any_case() -> None:
    call("call", Said(text="Kerosene.", speaker="Élodie Martin"), Said(text="Kerosene.", speaker="Moderator"))
    hits = local.search_database("kerosene", speaker="éLODIE", limit=10)
    assert [hit.text.split(":")[0] for hit in hits] == ["Élodie Martin"]


@pytest.mark.parametrize("known", [1, 2, 5_000])
def test_the_same_is_found_whether_what_may_be_shown_is_read_at_once_or_asked_about(
    db: Any, monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    # Thirty calls, of which some may be shown; in each of them somebody else speaks, too.
    monkeypatch.setattr(local, "MOST_KNOWN", known)
    monkeypatch.setattr(local, "SPARE", 0)  # so that the search has to look deeper
    for number in range(30):
        call(
            f"call-{number:02}",
            Said(text="Kerosene.", speaker=f"Martin {number % 2}"),
            Said(text="Kerosene.", speaker="Moderator"),
        )
    among = set(Transcript.objects.filter(slug__regex=r"[0369]$").values_list("pk", flat=True))
    shown = [f"call-{number:02}" for number in range(30) if number % 10 in (0, 3, 6, 9)]
    assert sorted(names("kerosene", among=among, limit=100)) == sorted(shown * 2)
    assert sorted(names("kerosene", among=among, speaker="martin", limit=100)) == shown
    assert sorted(names("kerosene", among=among, speaker="Martin 1", limit=100)) == [
        name for name in shown if int(name[-2:]) % 2
    ]
    assert names("kerosene", among=among, speaker="Martin 1", limit=1)[0] in shown


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("speaker", ["nobody", "%", "_", "'", "\\"])
def test_a_speaker_that_nobody_is_finds_nothing(speaker: str) -> None:
    assert names("fares", speaker=speaker) == []


# The index is as the passages are


def test_deleting_a_transcript_leaves_nothing_of_it(calls: dict[str, Transcript]) -> None:
    calls["cruise"].delete()
    assert names("hedging") == []
    assert not any(word.startswith("hedg") for word in indexed())
    assert in_step()


def test_deleting_rows_past_the_orm_leaves_nothing_of_them(calls: dict[str, Transcript]) -> None:
    with connection.cursor() as cursor:
        for table in (SpeakerLabel, Turn, Passage):
            cursor.execute(
                f"DELETE FROM {table._meta.db_table} WHERE transcript_id = %s", [calls["cruise"].pk]
            )
        cursor.execute("DELETE FROM transcripts_transcript WHERE id = %s", [calls["cruise"].pk])
    assert names("hedging") == []
    assert in_step()


def test_deleting_everything_leaves_an_empty_index(calls: dict[str, Transcript]) -> None:
    Transcript.objects.all().delete()
    assert indexed() == {}
    assert in_step()


def test_a_changed_transcript_is_found_by_what_it_says_now(calls: dict[str, Transcript]) -> None:
    rewrite(calls["cruise"], [Said(text="Ports charge more.")])
    assert names("hedging") == []
    assert names("ports") == ["cruise"]
    assert in_step()


def test_a_changed_passage_is_found_by_what_it_says_now(calls: dict[str, Transcript]) -> None:
    passage = Passage.objects.get(text__contains="hedging")
    passage.text = "Ports charge more."
    passage.save()
    assert names("hedging") == []
    assert names("ports") == ["cruise"]
    assert in_step()


def test_a_transaction_that_fails_changes_nothing_in_the_index(calls: dict[str, Transcript]) -> None:
    before = indexed()
    with pytest.raises(IntegrityError), transaction.atomic():  # noqa: PT012 (one transaction)
        call("new", "Zeppelins.")
        calls["cruise"].delete()
        call("hotel")  # its slug is taken
    assert indexed() == before
    assert names("zeppelins") == []
    assert names("hedging") == ["cruise"]
    assert in_step()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time")
def test_writers_at_once_leave_the_counts_right(transactional_db: Any) -> None:
    Collection.default()
    failed: list[Exception] = []

    def work(number: int) -> None:
        words = [f"word{place}" for place in range(40)]
        if number % 2:
            words.reverse()  # the order that would deadlock
        try:
            for turn in range(4):
                with transaction.atomic():
                    made = call(f"call-{number}-{turn}", *words)
                if turn % 2:
                    made.delete()
        except Exception as error:  # noqa: BLE001 (told by the assertion)
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert indexed()["word7"] == 8
    assert in_step()


# Any text is a legal query


OPERATORS = """AND NOT NEAR( ) " ' '' \\ * ^ : - + & | ! <-> :* {text} %s $1 \ud800 \x00"""
WORDS = "hedging fares the 1.5 a_b e-mail é ﬁ ß İ ั 中文 🛫"
anything = st.text(st.characters(codec=None), max_size=200) | st.lists(
    st.sampled_from(f"{OPERATORS} {WORDS}".split(" ")), max_size=12
).map(" ".join)


@pytest.mark.usefixtures("calls")
@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(query=anything, filtered=st.booleans())
@example(query="hedging\x00fares", filtered=True)
@example(query="\x00", filtered=False)
def test_any_text_is_a_legal_query(query: str, filtered: bool) -> None:
    everything = set(Transcript.objects.values_list("pk", flat=True))
    among = set(sorted(everything)[:1]) if filtered else None
    transcripts = None if among is None else Transcript.objects.filter(pk__in=among)
    found = local.search_database(query, transcripts=transcripts, limit=10)
    assert {hit.transcript_id for hit in found} <= (among or everything)


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize(
    "query",
    [
        "hedging " + "x" * 20_000,
        "hedging " + " ".join(f"word{number}" for number in range(4_000)),
        "hedging " * 5_000,
        "hedging " + "(" * 20_000,
        "hedging" + " 🛫" * 20_000,
    ],
    ids=["one long word", "many words", "one word again and again", "brackets", "emoji"],
)
def test_a_long_query_is_answered(query: str) -> None:
    assert names(query) == ["cruise"]
