"""`manage.py daily`: all daily jobs in one command."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from mcpsite.access.models import AuditEvent
from mcpsite.core import daily_jobs, exclusive
from mcpsite.history.models import Change

pytestmark = pytest.mark.django_db(transaction=True)


def run() -> str:
    said = StringIO()
    call_command("daily", stdout=said)
    return said.getvalue()


def call(days: int) -> AuditEvent:
    time = timezone.now() - timedelta(days=days)
    return AuditEvent.objects.create(id=uuid4(), time=time, tool="search", outcome="ok", milliseconds=1)


def test_calls_and_changes_are_kept_for_as_long_as_is_set(settings: Settings) -> None:
    settings.AUDIT_KEEP_DAYS, settings.HISTORY_KEEP_DAYS = 30, 60
    call(31)
    kept = call(29)
    kind = ContentType.objects.get_for_model(AuditEvent)
    ago = timezone.now() - timedelta(days=61)
    Change.objects.create(time=ago, action=Change.Action.LOAD, content_type=kind)
    assert "tool calls older than 30 days are deleted" in run()
    assert [event.pk for event in AuditEvent.objects.all()] == [kept.pk]
    assert not Change.objects.exists()


def test_without_a_number_of_days_they_are_kept_for_ever(settings: Settings) -> None:
    settings.AUDIT_KEEP_DAYS = settings.HISTORY_KEEP_DAYS = 0
    call(5000)
    run()
    assert AuditEvent.objects.count() == 1


def test_expired_sessions_go_and_others_stay() -> None:
    now = timezone.now()
    Session.objects.create(session_key="old", session_data="", expire_date=now - timedelta(days=1))
    Session.objects.create(session_key="new", session_data="", expire_date=now + timedelta(days=1))
    run()
    assert [session.pk for session in Session.objects.all()] == ["new"]


def test_a_job_that_fails_stops_no_other_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def jobs() -> Iterator[daily_jobs.Job]:
        yield daily_jobs.Job(title="the first", run=lambda: 1 / 0)
        yield daily_jobs.Job(title="the second", run=lambda: done.append("second"))

    monkeypatch.setattr(daily_jobs, "jobs", jobs)
    with pytest.raises(CommandError, match="These jobs failed: the first"):
        run()
    assert done == ["second"]


def test_one_process_at_a_time_does_them() -> None:
    held, over = threading.Event(), threading.Event()

    def another() -> None:
        with exclusive.alone("daily", wait=True):
            held.set()
            over.wait(30)

    other = threading.Thread(target=another)
    other.start()
    held.wait(30)
    try:
        assert "Another process" in run()
    finally:
        over.set()
        other.join()
    assert "Done: expired sessions" in run()
    assert not User.objects.exists()
