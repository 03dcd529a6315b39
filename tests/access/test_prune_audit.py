"""`manage.py prune_audit`."""

import time
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from mcpsite.access.audit import write_events
from mcpsite.access.management.commands import prune_audit
from mcpsite.access.models import AuditEvent
from tests.access.test_audit import event

pytestmark = pytest.mark.django_db

DAY = 86_400


def prune(*arguments: str) -> str:
    printed = StringIO()
    call_command("prune_audit", *arguments, stdout=printed)
    return printed.getvalue()


def test_older_calls_are_deleted_and_newer_ones_kept() -> None:
    now = time.time()
    write_events([event(time=now - age * DAY, tool=f"{age}") for age in (0, 6.9, 7.1, 400)])
    assert prune("--days", "7").startswith("Deleted 2 tool calls from before ")
    assert set(AuditEvent.objects.values_list("tool", flat=True)) == {"0", "6.9"}


def test_more_than_a_batch_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prune_audit, "BATCH", 10)
    write_events([event(time=time.time() - 2 * DAY) for _ in range(25)])
    assert prune("--days", "1").startswith("Deleted 25 ")


def test_an_empty_trail_is_pruned_without_complaint() -> None:
    assert prune("--days", "30").startswith("Deleted 0 ")


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "week", "99999999999"])
def test_a_number_of_days_that_makes_no_sense_deletes_nothing(text: str) -> None:
    write_events([event(time=1.0)])
    with pytest.raises(CommandError):
        prune(f"--days={text}")
    assert AuditEvent.objects.count() == 1


def test_the_days_have_to_be_said() -> None:
    with pytest.raises(CommandError, match="--days"):
        prune()
