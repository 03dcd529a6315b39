"""Files become transcripts: added, changed, pruned, refused; what a curator did stays."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from transcripts import loading
from transcripts.loading import LoadReport, load, load_summary, sources
from transcripts.models import Collection, Passage, Transcript, Turn
from transcripts.stores import local

pytestmark = pytest.mark.django_db

CALL = "---\nSector: Airlines\nModerator: Ann\n\n[00:01] Analyst: Fuel?\n[00:09] Expert: {} hedged.\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "2026-01-02_Fuel_Hedging.txt", CALL.format("Half"))
    write(tmp_path, "notes/Ground_Handling.md", "Wages went up by a third.\n\nClearance takes a month.")
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def run(*paths: Path, **options: Any) -> LoadReport:
    return load(sources(paths), **options)


def found(query: str) -> list[str]:
    hits = local.search_database(query, limit=10)
    return [Transcript.objects.get(pk=hit.transcript_id).source_file for hit in hits]


def test_files_become_transcripts_with_their_facts_and_turns(folder: Path) -> None:
    report = run(folder)
    assert report.added == ["2026-01-02_Fuel_Hedging.txt", "notes/Ground_Handling.md"]
    transcript = Transcript.objects.get(slug="2026-01-02-fuel-hedging")
    assert (transcript.title, transcript.sector, transcript.moderator) == ("Fuel Hedging", "Airlines", "Ann")
    assert [(turn.anchor, turn.speaker) for turn in transcript.turns.all()] == [
        ("t-00-01", "Analyst"),
        ("t-00-09", "Expert"),
    ]


def test_loading_again_changes_nothing(folder: Path) -> None:
    run(folder)
    turns = set(Turn.objects.values_list("pk", flat=True))
    report = run(folder)
    assert (report.added, report.changed, len(report.unchanged)) == ([], [], 2)
    assert set(Turn.objects.values_list("pk", flat=True)) == turns


def test_a_changed_file_replaces_its_turns_and_is_found_by_its_new_words(folder: Path) -> None:
    run(folder)
    kept = Transcript.objects.get(slug="2026-01-02-fuel-hedging")
    write(folder, "2026-01-02_Fuel_Hedging.txt", CALL.format("Kerosene is"))
    report = run(folder)
    assert report.changed == ["2026-01-02_Fuel_Hedging.txt"]
    assert Transcript.objects.get(slug="2026-01-02-fuel-hedging").pk == kept.pk
    assert found("kerosene") == ["2026-01-02_Fuel_Hedging.txt"]
    assert found("half") == []


def test_what_a_curator_decided_and_corrected_outlives_a_change(folder: Path) -> None:
    run(folder)
    private = Collection.objects.create(name="Private", slug="private")
    Transcript.objects.filter(slug="2026-01-02-fuel-hedging").update(
        published=False, collection=private, title="Hedges", corrected=["title"]
    )
    write(folder, "2026-01-02_Fuel_Hedging.txt", CALL.format("All").replace("Airlines", "Rail"))
    run(folder)
    transcript = Transcript.objects.get(slug="2026-01-02-fuel-hedging")
    assert not transcript.published
    assert (transcript.collection, transcript.title, transcript.sector) == (private, "Hedges", "Rail")


def test_a_bad_file_is_refused_with_its_reason_and_the_others_are_loaded(folder: Path) -> None:
    (folder / "bad.txt").write_bytes(b"\x00\x01 au lait")
    report = run(folder)
    assert len(report.added) == 2
    assert list(report.refused) == ["bad.txt"]
    assert "UTF-8" in report.refused["bad.txt"]


def test_a_file_that_turned_bad_leaves_what_was_loaded_of_it(folder: Path) -> None:
    run(folder)
    (folder / "2026-01-02_Fuel_Hedging.txt").write_bytes(b"\xff\xfe\x00")
    report = run(folder, prune=True)
    assert report.pruned == []
    assert found("half") == ["2026-01-02_Fuel_Hedging.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads every file")
def test_a_file_that_may_not_be_read_is_refused(folder: Path) -> None:
    write(folder, "secret.txt", "Text.").chmod(0)
    assert "Permission denied" in run(folder).refused["secret.txt"]


def test_prune_deletes_what_is_gone_from_the_folder_and_from_search(folder: Path) -> None:
    run(folder)
    (folder / "notes" / "Ground_Handling.md").unlink()
    assert run(folder).pruned == []
    assert run(folder, prune=True).pruned == ["notes/Ground_Handling.md"]
    assert found("wages") == []
    assert Passage.objects.filter(transcript__source_file="notes/Ground_Handling.md").count() == 0


def test_prune_leaves_what_came_from_another_folder(folder: Path, tmp_path_factory: Any) -> None:
    other = tmp_path_factory.mktemp("other")
    write(other, "Rail.txt", "Trains run late.")
    run(folder)
    run(other, prune=True)
    assert Transcript.objects.count() == 3


@pytest.mark.parametrize("how", ["pruned", "deleted"])
def test_what_comes_back_is_for_nobody_more_than_before(folder: Path, how: str) -> None:
    run(folder)
    private = Collection.objects.create(name="Private", slug="private")
    Transcript.objects.filter(slug="ground-handling").update(published=False)
    Transcript.objects.filter(slug="2026-01-02-fuel-hedging").update(collection=private)
    if how == "deleted":
        loading.remove_transcripts(Transcript.objects.all())
    else:
        load([], prune=True, whole=[folder], allow_empty=True)
    assert not Transcript.objects.exists()
    run(folder, collection=Collection.objects.create(name="Open", slug="open"))
    now = Transcript.objects.order_by("slug").values_list("collection__slug", "published")
    assert list(now) == [("private", True), ("default", False)]


def test_what_comes_back_after_its_collection_is_gone_is_unpublished(folder: Path) -> None:
    run(folder)
    private = Collection.objects.create(name="Private", slug="private")
    Transcript.objects.update(collection=private)
    loading.remove_transcripts(Transcript.objects.all())
    private.delete()
    run(folder)
    assert set(Transcript.objects.values_list("published", flat=True)) == {False}


def test_what_came_back_is_remembered_anew(folder: Path) -> None:
    run(folder)
    Transcript.objects.update(published=False)
    loading.remove_transcripts(Transcript.objects.all())
    run(folder)
    Transcript.objects.update(published=True)
    loading.remove_transcripts(Transcript.objects.all())
    run(folder)
    assert set(Transcript.objects.values_list("published", flat=True)) == {True}


def test_a_dry_run_reports_and_writes_nothing(folder: Path) -> None:
    run(folder)
    write(folder, "Rail.txt", "Trains run late.")
    write(folder, "2026-01-02_Fuel_Hedging.txt", CALL.format("All"))
    (folder / "notes" / "Ground_Handling.md").unlink()
    report = run(folder, prune=True, dry_run=True)
    assert (report.added, report.changed) == (["Rail.txt"], ["2026-01-02_Fuel_Hedging.txt"])
    assert report.pruned == ["notes/Ground_Handling.md"]
    assert Transcript.objects.count() == 2
    assert found("half")


def test_names_that_read_alike_get_slugs_of_their_own_that_stay(folder: Path) -> None:
    write(folder, "Fuel hedging.txt", "Another.")
    write(folder, "b/Fuel-Hedging.txt", "A third.")
    run(folder)
    slugs = dict(Transcript.objects.values_list("source_file", "slug"))
    assert len(set(slugs.values())) == 4
    write(folder, "b/Fuel-Hedging.txt", "A third, changed.")
    run(folder)
    assert dict(Transcript.objects.values_list("source_file", "slug")) == slugs


def test_a_name_of_another_script_gets_a_slug_too(folder: Path) -> None:
    write(folder, "航空.txt", "航空券の価格が上がった。")
    run(folder)
    assert Transcript.objects.get(source_file="航空.txt").slug.startswith("transcript-")


def test_hidden_and_other_files_are_left_out(folder: Path) -> None:
    write(folder, ".draft.txt", "Not yet.")
    write(folder, ".git/x.txt", "Not this.")
    write(folder, "table.csv", "a,b")
    found = sources([folder])
    assert [source.name for source in found if source.passed_over] == ["table.csv"]
    assert len(found) == 3
    report = load(found)
    assert (len(report.added), report.passed_over) == (2, ["table.csv"])
    assert (
        "Skipped, because their names are not those of transcripts: table.csv." in load_summary(report).notes
    )


def test_the_call_is_found_by_its_facts(folder: Path) -> None:
    run(folder)
    assert found("airlines call moderated by Ann") == ["2026-01-02_Fuel_Hedging.txt"]


def test_a_corrected_fact_is_found(folder: Path) -> None:
    run(folder)
    transcript = Transcript.objects.get(slug="2026-01-02-fuel-hedging")
    transcript.sector = "Shipping"
    transcript.save()
    loading.index_facts(transcript)
    assert found("shipping") == ["2026-01-02_Fuel_Hedging.txt"]
    assert found("airlines") == []


@pytest.mark.django_db(transaction=True)
def test_a_load_that_is_cut_short_leaves_the_transcript_and_its_index_as_they_were(folder: Path) -> None:
    run(folder)
    transcript = Transcript.objects.get(slug="2026-01-02-fuel-hedging")

    def cut_short() -> None:
        with transaction.atomic():
            loading.rewrite(transcript, [])
            Transcript.objects.create(slug=transcript.slug, collection=transcript.collection)

    with pytest.raises(IntegrityError):
        cut_short()
    assert found("half") == ["2026-01-02_Fuel_Hedging.txt"]


# One file, several names


def test_a_renamed_file_stays_its_transcript(folder: Path) -> None:
    run(folder)
    before = Transcript.objects.get(source_file="2026-01-02_Fuel_Hedging.txt")
    Transcript.objects.filter(pk=before.pk).update(published=False)
    (folder / before.source_file).rename(folder / "2026-02-03_Hedges.txt")
    report = run(folder, prune=True)
    assert report.renamed == {"2026-02-03_Hedges.txt": before.source_file}
    assert (report.added, report.pruned) == ([], [])
    after = Transcript.objects.get(pk=before.pk)
    assert (after.slug, after.title, after.published) == (before.slug, "Hedges", False)
    assert ["2026-02-03_Hedges.txt", f"renamed from {before.source_file}"] in load_summary(report).rows


def test_a_copy_is_loaded_and_told(folder: Path) -> None:
    run(folder)
    (folder / "copy.txt").write_bytes((folder / "2026-01-02_Fuel_Hedging.txt").read_bytes())
    report = run(folder)
    assert (report.added, report.renamed) == (["copy.txt"], {})
    assert (
        "copy.txt has the same content as 2026-01-02_Fuel_Hedging.txt, which is already loaded; delete one "
        "of them." in load_summary(report).notes
    )


def test_a_file_of_another_folder_with_the_same_name_is_refused_while_the_first_is_there(
    tmp_path: Path,
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "call.txt").write_text(f"[00:01] Ann: {name}")
    load(sources([tmp_path / "one"]))
    report = load(sources([tmp_path / "two"]))
    assert report.refused["call.txt"].startswith("It has the same name as a file that was loaded before")
    assert Turn.objects.get().text == "one"
    (tmp_path / "one" / "call.txt").unlink()
    assert load(sources([tmp_path / "two"])).changed == ["call.txt"]


def test_what_was_not_understood_is_told_with_its_line(folder: Path) -> None:
    (folder / "call.txt").write_text("---\nCall Date: 02/03/2026\n---\n[00:01] Ann: Yes.\n")
    (told,) = [note for note in load_summary(run(folder)).notes if note.startswith("call.txt: ")]
    assert told.startswith(
        "call.txt: Line 2: the date “02/03/2026” may have the day first or the month first"
    )
