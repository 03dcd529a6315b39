"""Transcripts to load, and the people who read them."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User

from mcpsite.access.caller import Caller, Claims
from tests.data_folder import folder, write_files
from transcripts.loading import LoadReport, load, sources
from transcripts.models import Transcript

__all__ = ["folder"]

CLAIMS = Claims(
    issuer="https://issuer.example/", subject="alice", client_id="", scopes=frozenset(), expires_at=0
)
READ = "transcripts.view_transcript"

Load = Callable[..., LoadReport]

AIRLINE = """---
Call Date: 2026-02-11
Moderator: Lantern Row
Participants:
  - Senior Analyst, Quarry Lane (Analyst)
  - Former VP Revenue, Northstar Air (Expert)
Sector: Travel - Airlines
Duration: 34 minutes

[00:02] Analyst: Where does premium cabin demand stand?
[00:12] Expert: Stronger than the headlines say.
It has changed hands, though.

[01:05:09] Analyst: And jet fuel hedging?
[01:05:09] Expert: Half of the quarter is hedged.
"""

HOTEL = """---
Call Date: 2026-03-18
Sector: Travel - Lodging
Participants:
  - Franchisee, Seabright Hotels (Operator)
---
[00:02] Analyst: How are room rates?
[00:05] Operator: Premium rooms sell out; housekeeping turnover is the trouble.
"""

NOTES = "Ground handlers were asked.\n\nWheelchair requests have doubled since 2019.\n"


@pytest.fixture
def load_folder(folder: Path, db: None) -> Load:
    """Writes the given files (name to content) and loads the folder."""

    def run(files: dict[str, str | bytes] | None = None, **options: Any) -> LoadReport:
        write_files(folder, files or {})
        return load(sources([folder]), **options)

    return run


@pytest.fixture
def three(load_folder: Load) -> None:
    """An airline's and a hotel's call, and notes without header, stamps and speakers."""
    load_folder(
        {
            "2026-02-11_Premium_Demand_Airline.txt": AIRLINE,
            "2026-03-18_Rates_Hotel.txt": HOTEL,
            "Handler_Notes.txt": NOTES,
        }
    )


@pytest.fixture
def caller() -> Caller:
    """Somebody who may read transcripts and is in no group."""
    return Caller(user_id=1, username="alice", claims=CLAIMS, permissions=frozenset({READ}))


def caller_in(groups: Iterable[Group], *permissions: str) -> Caller:
    """A caller in `groups`; with the right to read unless other permissions are given."""
    return Caller(
        user_id=2,
        username="bob",
        claims=CLAIMS,
        permissions=frozenset(permissions or {READ}),
        groups=frozenset(group.pk for group in groups),
    )


def reader(name: str = "alice", *, may_read: bool = True) -> User:
    """A user of the site."""
    user = User.objects.create_user(name, password="correct horse battery")
    if may_read:
        user.user_permissions.add(Permission.objects.get(codename="view_transcript"))
    return user


def transcript(name: str) -> Transcript:
    """The transcript whose file's name contains `name`."""
    return Transcript.objects.get(source_file__contains=name)
