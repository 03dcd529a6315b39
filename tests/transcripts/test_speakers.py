"""Who speaks: nobody's words are put into another's mouth, and a curator puts labels right once."""

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from mcpsite.history import reverting
from mcpsite.history.models import Change
from tests.transcripts.conftest import Load
from transcripts.labels import Kind, kind_of
from transcripts.models import Passage, Transcript
from transcripts.parsing import parse

STAMPED = "[00:02] Ann Lee: So.\n[00:05] Bo Ray: Yes.\n"


def turns(text: str, named: dict[str, str] | None = None) -> list[tuple[str, str]]:
    return [(turn.speaker, turn.text) for turn in parse("a.txt", text.encode(), named).turns]


@pytest.mark.parametrize(
    "label",
    [
        "Ann Lee",
        "von Braun",
        "O'Hara Lee",
        "Yusuf al-Rashid",
        "Rita d'Angelo",
        "J. R. Smith",
        "Analyst",
        "Speaker 12",
        "SPEAKER_00",
        "Analystin",
        "Dr. Lee, CFA (Summit)",
        "Mr. Marcus Ode, former VP of Revenue Management, Northstar Air",
        "Lead Analyst",
        "専門家",
        "Łukasz Żak",
        "Иван Петров",
    ],
)
def test_names_and_roles_are_labels(label: str) -> None:
    assert kind_of(label) is Kind.SURE


@pytest.mark.parametrize(
    "label",
    [
        "Price",
        "To be clear",
        "Disclaimer",
        "Note",
        "In short",
        "Long haul",
        "Load factors",
        "What I mean is",
        "https",
        "Our rule was simple. And then",
        "Key Takeaways",
        "价格",
    ],
)
def test_topics_and_phrases_are_no_labels(label: str) -> None:
    assert kind_of(label) is Kind.NOT


@pytest.mark.parametrize(
    "label", ["Densification", "Tim Price", "Price Increases", "Do Thi Lan", "Phase 2", "Will"]
)
def test_what_may_be_either_is_told_to_be_so(label: str) -> None:
    assert kind_of(label) is Kind.MAYBE


def test_a_doubtful_label_in_a_stamped_call_has_no_speaker_and_is_told() -> None:
    parsed = parse(
        "a.txt", f"{STAMPED}Densification: It helps.\nAnd so on.\n[00:09] Ann Lee: Thanks.\n".encode()
    )
    assert [(turn.speaker, turn.text) for turn in parsed.turns][2:] == [
        ("", "Densification: It helps.\nAnd so on."),
        ("Ann Lee", "Thanks."),
    ]
    assert parsed.notes == ["Line 3: “Densification: It helps.” may begin a new turn, so it has no speaker."]


def test_a_point_stands_behind_what_is_said_so_that_nobody_reads_it_as_a_name() -> None:
    points = "Price: It rose.\nVolume: It fell.\n"
    assert turns(f"{STAMPED}{points}")[-1] == ("Bo Ray", "Yes. Price: It rose. Volume: It fell.")
    assert turns(f"Ann Lee: So.\n\n{points}\nBo Ray: Yes.\n")[0] == (
        "Ann Lee",
        "So. Price: It rose. Volume: It fell.",
    )


def test_points_that_recur_inside_a_stamped_turn_are_part_of_it() -> None:
    points = "Densification: It helps.\nRoundness: Too.\nDensification: Again.\n"
    assert turns(f"{STAMPED}{points}[00:09] Ann Lee: OK.\n")[1] == (
        "Bo Ray",
        "Yes. Densification: It helps. Roundness: Too. Densification: Again.",
    )


def test_a_first_name_between_roles_speaks_and_points_that_stand_together_do_not() -> None:
    assert [who for who, _ in turns("Analyst: So?\nDana: Yes.\nAnalyst: And?\nDana: No.\n")] == [
        *("Analyst", "Dana"),
        *("Analyst", "Dana"),
    ]
    points = "Densification: It helps.\nRoundness: Too.\n"
    assert [who for who, _ in turns(f"Expert: So.\n{points}{points}Analyst: OK.\n")] == [
        *("Expert", "", "", "", "", "Analyst"),
    ]


def test_a_stamp_without_a_name_is_nobodys_and_told() -> None:
    parsed = parse("a.txt", f"{STAMPED}[00:09] Who was that?\n".encode())
    assert parsed.turns[-1].speaker == ""
    assert parsed.notes == ["Turns with a time and no speaker: line 3."]


def test_a_stamp_that_is_no_time_begins_its_turn_and_is_told() -> None:
    parsed = parse("a.txt", f"{STAMPED}[00:75] Ann Lee: Hm.\n".encode())
    assert (parsed.turns[-1].speaker, parsed.turns[-1].text) == ("Ann Lee", "[00:75] Hm.")
    assert parsed.notes == ["Line 3: the time in “[00:75] Ann Lee: Hm.” was not understood."]


def test_what_services_add_is_nobodys() -> None:
    assert turns(f"{STAMPED}Transcribed by https://otter.ai\n")[-1] == ("", "Transcribed by https://otter.ai")
    assert turns(f"{STAMPED}Page 1 of 2\n[00:09] Ann Lee: Bye.\n")[1:3] == [
        ("Bo Ray", "Yes."),
        ("", "Page 1 of 2"),
    ]


def test_a_name_alone_on_a_line_ends_the_turn_before_it() -> None:
    text = "Ann Lee: So.\n\nBo Ray: Yes.\n\nMei Chen, Chief Financial Officer\n\nFares rose.\n"
    assert turns(text)[-2:] == [("Bo Ray", "Yes."), ("", "Mei Chen, Chief Financial Officer\n\nFares rose.")]


def test_names_alone_on_a_line_speak_where_their_roles_are_told() -> None:
    text = "Operator\n\nGood day.\n\nLena Park, Chief Financial Officer\n\nFares rose.\n\nOperator\n\nBye.\n"
    assert turns(text) == [
        ("Operator", "Good day."),
        ("Lena Park, Chief Financial Officer", "Fares rose."),
        ("Operator", "Bye."),
    ]


def test_names_alone_on_a_line_speak_where_they_come_again_and_that_is_told() -> None:
    text = "Ann Lee\n\nSo.\n\nBo Ray\nYes.\n\nAnn Lee\n\nAnd?\n\nMei Chen\n\nOh.\n\nBo Ray\n\nNo.\n"
    parsed = parse("a.txt", text.encode())
    assert [(turn.speaker, turn.text) for turn in parsed.turns] == [
        ("Ann Lee", "So."),
        ("Bo Ray", "Yes."),
        ("Ann Lee", "And?"),
        ("", "Mei Chen\n\nOh."),
        ("Bo Ray", "No."),
    ]
    assert "“Ann Lee” is alone on its line and appears again" in parsed.notes[0]
    assert "“Mei Chen” may begin a new turn" in parsed.notes[1]


def test_a_list_of_people_says_nothing() -> None:
    people = "Participants\n\nJohn Smith - CEO\nJane Roe - CFO\n\n"
    talk = (
        "Operator\n\nGood day.\n\nJohn Smith\n\nFares rose.\n\nOperator\n\nNext.\n\nJohn Smith\n\nThanks.\n"
    )
    assert [who for who, _ in turns(people + talk) if who] == ["Operator", "John Smith"] * 2


def test_a_long_title_has_its_words() -> None:
    title = "Senior Vice President and Former Head of Network Planning for the Americas, Northstar Air"
    text = f"{title}: We cut fares.\n\nAnalyst: Why?\n\n{title}: Demand fell.\n"
    assert [who for who, _ in turns(text)] == [title, "Analyst", title]


def test_a_title_without_a_name_has_its_words_behind_a_time() -> None:
    title = "Former Vice President of Revenue Management, Northstar Air"
    assert turns(f"[00:02] Analyst: So?\n\n[00:05] {title}: Yes.\n")[1] == (title, "Yes.")


def test_a_word_before_a_small_letter_is_a_point_and_has_no_speaker() -> None:
    text = "Analyst: Wie steht es?\n\nExperte: Gut.\n\nMargen: besser.\n\nAnalyst: Danke.\n"
    assert turns(text)[2] == ("", "Margen: besser.")


def test_headings_are_no_speakers() -> None:
    text = "Hong Kong\n\nFares rose.\n\nUnited Kingdom\n\nFares fell.\n\nClient Feedback\n\nGood.\n"
    assert {speaker for speaker, _ in turns(text)} == {""}


def test_the_lines_of_a_meetings_page_are_one_turn_each() -> None:
    text = "Ann Lee\n0 minutes 2 seconds0:02\nAnn Lee 0 minutes 2 seconds\nSo.\nBo Ray\n0:09\nYes.\n"
    assert turns(text) == [("Ann Lee", "So."), ("Bo Ray", "Yes.")]


def test_a_caption_of_two_people_is_two_turns() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:04.000\n- Ann Lee: So.\n- Bo Ray: Yes.\n"
    assert turns(text) == [("Ann Lee", "So."), ("Bo Ray", "Yes.")]


def test_a_caption_without_a_name_is_nobodys_where_every_caption_has_one() -> None:
    cue = "00:0{0}.000 --> 00:0{0}.500\n{1}\n\n"
    said = ["Ann Lee: So.", "Ann Lee: It rains.", "Yes.", "Bo Ray: No."]
    text = "WEBVTT\n\n" + "".join(cue.format(place * 2 + 1, words) for place, words in enumerate(said))
    assert turns(text) == [("Ann Lee", "So. It rains."), ("", "Yes."), ("Bo Ray", "No.")]


# A curator


def test_a_curator_names_a_label_and_makes_another_nobodys() -> None:
    text = f"{STAMPED}Densification: It helps.\n"
    assert turns(text, {"Ann Lee": "Ann Lee (Quarry Lane)", "Densification": "Dan Sification"}) == [
        ("Ann Lee (Quarry Lane)", "So."),
        ("Bo Ray", "Yes."),
        ("Dan Sification", "It helps."),
    ]
    assert turns(text, {"Densification": ""})[-1] == ("Bo Ray", "Yes. Densification: It helps.")


def test_a_label_of_captions_that_a_curator_makes_nobodys_stays_in_the_text() -> None:
    text = (
        "WEBVTT\n\n00:01.000 --> 00:02.000\nAnn Lee: So?\n\n00:03.000 --> 00:04.000\nUser 7's phone: Yes.\n"
    )
    assert turns(text, {"User 7's phone": ""}) == [("Ann Lee", "So?"), ("", "User 7's phone: Yes.")]


def test_a_curator_names_who_speaks_where_nobody_is_named() -> None:
    assert turns("[00:02] So.\n[00:09] Yes.\n", {"": "Ann Lee"}) == [("Ann Lee", "So."), ("Ann Lee", "Yes.")]


@pytest.fixture
def curator(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("curator"))
    return client


@pytest.fixture
def call(load_folder: Load) -> Transcript:
    load_folder({"call.txt": f"{STAMPED}Densification: It helps.\n"})
    return Transcript.objects.get()


def named(client: Client, call: Transcript, names: dict[str, str], seen: dict[str, str] | None = None) -> str:
    """Give labels names on the page, leaving the others as they are; returns the page that follows."""
    address = reverse("admin:transcripts_transcript_speakers", args=[call.pk])
    rows = client.get(address).context["form"].rows()
    data = {row.field.html_name: names.get(row.label, row.field.value()) for row in rows}
    data["seen"] = json.dumps(call.speakers if seen is None else seen)
    return client.post(address, data, follow=True).content.decode()


def speakers(call: Transcript) -> list[str]:
    return list(call.turns.values_list("speaker", flat=True))


def test_names_given_in_the_admin_hold_for_the_whole_call_and_survive_loads(
    curator: Client, call: Transcript, load_folder: Load
) -> None:
    named(curator, call, {"Bo Ray": "Bo Ray (Expert)", "Densification": "Dan Sification"})
    assert speakers(call) == ["Ann Lee", "Bo Ray (Expert)", "Dan Sification"]
    assert Passage.objects.filter(text__contains="Bo Ray (Expert): Yes.").exists()
    load_folder({"call.txt": f"{STAMPED}Densification: It helps.\n[00:11] Bo Ray: Indeed.\n"})
    assert speakers(call) == ["Ann Lee", "Bo Ray (Expert)", "Dan Sification", "Bo Ray (Expert)"]
    call.refresh_from_db()
    assert (call.speakers, call.notes) == (
        {"Bo Ray": "Bo Ray (Expert)", "Densification": "Dan Sification"},
        [],
    )


def test_naming_is_in_the_history_and_can_be_reverted(curator: Client, call: Transcript) -> None:
    named(curator, call, {"Bo Ray": "Expert"})
    change = Change.objects.get(action=Change.Action.EDIT)
    (changed,) = change.changed.all()
    assert changed.values == {"speakers": [{}, {"Bo Ray": "Expert"}]}
    planned = reverting.plan(change, None)
    assert reverting.revert(change, None, User.objects.get(), "", planned.seen)
    assert speakers(call) == ["Ann Lee", "Bo Ray", ""]


def test_two_curators_do_not_undo_each_other(curator: Client, call: Transcript) -> None:
    named(curator, call, {"Bo Ray": "Expert"})
    page = named(curator, call, {"Ann Lee": "Analyst"}, seen={})
    assert "Somebody else named speakers" in page
    assert speakers(call) == ["Ann Lee", "Expert", ""]


def test_the_page_of_a_transcript_tells_what_was_not_understood(curator: Client, call: Transcript) -> None:
    page = curator.get(reverse("admin:transcripts_transcript_change", args=[call.pk])).content.decode()
    assert "Line 3: “Densification: It helps.” may begin a new turn" in page
    assert "No date was found." in page


def test_only_who_may_change_transcripts_names_speakers(call: Transcript, client: Client) -> None:
    client.force_login(User.objects.create_user("staff", is_staff=True))
    assert client.get(reverse("admin:transcripts_transcript_speakers", args=[call.pk])).status_code == 403
