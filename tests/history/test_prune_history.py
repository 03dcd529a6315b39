"""`manage.py prune_history`."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from airfare.models import FareRow
from mcpsite.datasets import curation
from mcpsite.history.models import Change, ChangedObject
from tests.airfare.conftest import Load, fare, folder, load_folder, table

__all__ = ["folder", "load_folder"]

pytestmark = pytest.mark.django_db


def test_old_changes_go_with_their_objects_and_the_data_stays(load_folder: Load) -> None:
    load_folder({"a.csv": table(fare(fare=1), fare(fare=2))})
    curation.hide(FareRow.objects.all())
    Change.objects.update(time=timezone.now() - timedelta(days=31))
    curation.publish(FareRow.objects.filter(avg_fare_usd=1))
    out = StringIO()
    call_command("prune_history", days=30, stdout=out)
    assert "Deleted 2 changes" in out.getvalue()
    assert Change.objects.get().action == "publish"
    assert ChangedObject.objects.count() == 1
    assert FareRow.objects.filter(hidden=True).count() == 1


def test_a_number_of_days_is_needed() -> None:
    with pytest.raises(CommandError, match="days"):
        call_command("prune_history", "--days", "0")
