"""Fares as django-mcpz serves them: a model with an index for each filter, on SQLite, asked with the ORM.

`python -m bench.peers.django_mcpz PORT FOLDER KEY AUDIENCE TOKEN`, in this folder's own environment; one
worker of gunicorn with four threads. The token is one of its own table's.
"""

import csv
import sys
from pathlib import Path
from typing import Any

import django
import msgspec
from django.conf import settings

port, folder, _, _, token = sys.argv[1:]
settings.configure(
    SECRET_KEY="for the benchmark alone, and long enough",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_mcpz.bearer_tokens"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": Path(folder) / "mcpz.sqlite3",
            "CONN_MAX_AGE": None,
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from django.urls import path
from django_mcpz.bearer_tokens.auth import token_auth
from django_mcpz.bearer_tokens.models import Token
from django_mcpz.server import MCPServer
from django_mcpz.tokens import sha256_hex
from gunicorn.app.base import BaseApplication

server = MCPServer(name="fares", version="1", auth=token_auth)
urlpatterns = [path("mcp", server)]


class Fare(models.Model):
    """A row of a file."""

    snapshot_date = models.CharField(max_length=10)
    route = models.CharField(max_length=200, db_index=True)
    airline = models.CharField(max_length=200, db_index=True)
    season = models.CharField(max_length=200, db_index=True)
    avg_fare_usd = models.FloatField(null=True)
    premium_fare_usd = models.FloatField(null=True)
    fare_yoy_pct = models.FloatField(null=True)
    advance_purchase_days = models.FloatField(null=True)
    load_factor_pct = models.FloatField(null=True)
    ancillary_revenue_pct = models.FloatField(null=True)
    notable_driver = models.TextField()
    source_file = models.CharField(max_length=200)

    class Meta:
        app_label = "fares"
        indexes = [models.Index(fields=["-snapshot_date", "-route", "-airline"], name="in_order")]


class Asked(msgspec.Struct):
    snapshot_date: str = ""
    route_contains: str = ""
    origin_airport: str = ""
    airline_contains: str = ""
    season_contains: str = ""
    notable_contains: str = ""
    limit: int = 25
    offset: int = 0


class Found(msgspec.Struct):
    rows: list[dict[str, Any]]
    matched_rows: int
    total_rows: int


@server.tool(description="Airfare rows by date, route, airline and season, latest first.", read_only=True)
def airfare_trend_insights(request, params: Asked) -> Found:
    lookups = {
        "snapshot_date__startswith": params.snapshot_date,
        "route__icontains": params.route_contains,
        "route__startswith": params.origin_airport and f"{params.origin_airport.upper()}-",
        "airline__icontains": params.airline_contains,
        "season__icontains": params.season_contains,
        "notable_driver__icontains": params.notable_contains,
    }
    found = Fare.objects.filter(**{lookup: value for lookup, value in lookups.items() if value})
    ordered = found.order_by("-snapshot_date", "-route", "-airline").values()
    rows = list(ordered[params.offset : params.offset + params.limit])
    return Found(rows=rows, matched_rows=found.count(), total_rows=Fare.objects.count())


def fill() -> None:
    """Make the tables, and fill in the files and the token."""
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Fare)
    for file in sorted(Path(folder).glob("*.csv")):
        with file.open(newline="", encoding="utf-8") as lines:
            given = [{name: value for name, value in row.items() if value} for row in csv.DictReader(lines)]
            rows = [Fare(source_file=file.name, **row) for row in given]
        Fare.objects.bulk_create(rows, batch_size=2_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    user = User.objects.create_user("bench")
    Token.objects.create(name="bench", user=user, digest=sha256_hex(token))
    connection.close()


class Server(BaseApplication):
    def load_config(self) -> None:
        own = {
            "bind": f"127.0.0.1:{port}",
            "workers": 1,
            "threads": 4,
            "keepalive": 60,
            "loglevel": "warning",
        }
        for name, value in own.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return get_wsgi_application()


if __name__ == "__main__":
    fill()
    Server().run()
