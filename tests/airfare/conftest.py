"""Files to load, and what came of loading them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from mcpsite.access.caller import Caller, Claims
from mcpsite.datasets.files import find
from mcpsite.datasets.outcomes import Outcome
from tests.airfare.fares import load
from tests.data_folder import folder, write_files

HEADER = (
    "snapshot_date,route,airline,season,avg_fare_usd,premium_fare_usd,fare_yoy_pct,"
    "advance_purchase_days,load_factor_pct,ancillary_revenue_pct,notable_driver"
)

__all__ = ["folder"]

Load = Callable[..., dict[str, Outcome]]


@pytest.fixture
def load_folder(folder: Path, db: None) -> Load:
    """Writes the given files (name to content), loads the folder, and tells what became of each file."""

    def run(files: dict[str, str | bytes] | None = None, **options: Any) -> dict[str, Outcome]:
        write_files(folder, files or {})
        return {each.name: each for each in load(find([folder]), **options)}

    return run


@pytest.fixture
def cleaned_at_once(settings: Any) -> None:
    """What a load replaces is deleted at its end."""
    settings.LOAD_UNDO_HOURS = settings.MCP_DEADLINE_SECONDS = 0


@pytest.fixture
def curator(client: Client) -> User:
    user = User.objects.create_user("curator", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=("airfare", "datasets")))
    client.force_login(user)
    return user


@pytest.fixture
def caller() -> Caller:
    """Somebody who may see every fare."""
    claims = Claims(
        issuer="https://issuer.example/", subject="alice", client_id="", scopes=frozenset(), expires_at=0
    )
    return Caller(user_id=1, username="alice", claims=claims, permissions=frozenset({"airfare.view_farerow"}))


def table(*rows: str) -> str:
    """A CSV file of `rows` under the usual header."""
    return "\n".join([HEADER, *rows]) + "\n"


def fare(
    day: str = "2025-10-06",
    route: str = "JFK-LAX",
    airline: str = "Delta",
    season: str = "Summer",
    fare: object = 452,
    note: str = "",
) -> str:
    """A row of such a file."""
    return f'{day},{route},{airline},{season},{fare},,,,,,"{note}"'
