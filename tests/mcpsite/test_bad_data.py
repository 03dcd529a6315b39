"""`make run` with files in the data folders that are not as they should be."""

import os
from pathlib import Path

from tests.site import running

FARES = "snapshot_date,route,airline,avg_fare_usd\n2026-07-01,BOS-LIS,Azul,612\n"


def test_bad_files_in_the_data_folders_keep_nothing_else_from_being_served(tmp_path: Path) -> None:
    fares, calls = tmp_path / "fares", tmp_path / "calls"
    for folder, suffix, good in ((fares, ".csv", FARES), (calls, ".txt", "[00:01] Ann: Fares rose.")):
        folder.mkdir()
        os.mkfifo(folder / f"pipe{suffix}")
        (folder / f"good{suffix}").write_text(good)
        (folder / f"empty{suffix}").touch()
        (folder / f"binary{suffix}").write_bytes(bytes(range(256)))
        (folder / f"away{suffix}").symlink_to(folder / "nowhere")
        (folder / f"~${suffix}").write_bytes(b"\0")
        Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9" + suffix.encode())).write_text(good)
    (fares / "deep.json").write_text("[" * 100_000)
    (fares / "error.json").write_text('{"error": "unauthorized"}')
    (calls / "error.txt").write_text('{"error": "unauthorized"}')
    folders = {"TREND_DATA_DIR": str(fares), "TRANSCRIPT_DATA_DIR": str(calls)}
    with running(folders, first=True) as site:
        log, token = site.log.read_text(), site.token()
        told = (
            "deep.json: is nested",
            "error.json: has no known column",
            "error.txt: It is JSON",
            "not UTF-8",
        )
        assert [sentence for sentence in told if sentence not in log] == []
        assert "Traceback" not in log
        rows = site.call(token, "airfare_trend_insights", {})["structuredContent"]["rows"]
        assert [row["airline"] for row in rows] == ["Azul"]
        found = site.call(token, "search_transcripts", {"query": "fares"})["structuredContent"]["passages"]
        assert ["Fares rose." in passage["text"] for passage in found] == [True]
