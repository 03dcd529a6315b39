"""Where people look at fares and correct them."""

from django.contrib import admin

from airfare.models import FareRow
from mcpsite.datasets.admin import RowAdmin


@admin.register(FareRow)
class FareRowAdmin(RowAdmin):
    """Fares; the list has those figures that are corrected most."""

    columns = ("airline", "season", "avg_fare_usd", "premium_fare_usd", "fare_yoy_pct", "load_factor_pct")
