"""The weekly document of searches: regions, each with its queries, which inherit from it."""

from collections.abc import Iterator
from typing import Any

from mcpsite.datasets.formats.objects import Events, members, name_of, skip, value_of
from mcpsite.datasets.tables import Unused

Regions = dict[str, dict[str, Any]]

NOTES = frozenset({"notable_driver", "notable_event", "notes"})
"""Names of a query's own note, which stands in place of its region's checks."""


class WeeklyRegions:
    """`{"week", "regions": {name: {"top_queries": [...], "channel_checks"}}}`.

    Each query inherits region, week and channel checks, and a region without queries is one row. The document
    is read twice, because what its queries inherit may come after them.
    """

    member = "regions"

    def survey(self, events: Events) -> Regions:
        """Return what each region says beside its list of queries; one without the list lacks that key."""
        regions: Regions = {}
        for name, event, _ in members(events):
            if event != "start_map":
                skip(events, event)
                continue
            region = regions[name] = {}
            for key, inner, value in members(events):
                if name_of(key) == "top_queries" and inner == "start_array":
                    region["top_queries"] = []
                    skip(events, inner)
                else:
                    region[name_of(key)] = value_of(events, inner, value)
        return regions

    def rows(
        self, events: Events, surveyed: Regions, document: dict[str, Any], unused: Unused
    ) -> Iterator[Any]:
        """Yield a row for each query, and for each region without a list of them."""
        for key in document:
            if key != "week":
                unused.add(f"{key} (beside the regions)")
        for name, event, given in members(events):
            if event != "start_map":
                yield value_of(events, event, given)
                continue
            region = surveyed[name]
            inherited = {
                "region": name,
                "week": document.get("week"),
                "channel_checks": region.get("channel_checks"),
            }
            listed = isinstance(region.get("top_queries"), list)
            if not listed:
                yield inherited | region
            for key, inner, _ in members(events):
                if not (listed and name_of(key) == "top_queries" and inner == "start_array"):
                    skip(events, inner)
                    if listed and name_of(key) != "channel_checks":
                        unused.add(f"{key} (of a region)")
                    continue
                for each, value in events:
                    if each == "end_array":
                        break
                    query = value_of(events, each, value)
                    yield _inheriting(inherited, query) if query and isinstance(query, dict) else query


def _inheriting(inherited: dict[str, Any], query: dict[str, Any]) -> dict[str, Any]:
    """Return a query with what it inherits, without the checks of its region if it has a note itself."""
    if not NOTES.isdisjoint(name_of(key) for key, value in query.items() if value):
        inherited = inherited | {"channel_checks": None}
    return inherited | query
