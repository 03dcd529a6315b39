"""Two data sets that whatever holds for any has to hold for."""

from collections.abc import Sequence
from dataclasses import dataclass

from airfare.models import FareRow
from hotel_rates.models import HotelRate
from mcpsite.datasets.declaration import DataSet, data_set_of


@dataclass(frozen=True, kw_only=True)
class Case:
    """A data set, and how a few rows of it are written."""

    data_set: DataSet
    header: str
    rows: tuple[str, ...]
    """Three rows of three days, latest last; the first has prose with the word storm."""
    category: str
    """A category, of which the rows have the values of `values`."""
    values: tuple[str, ...]
    number: str
    """A number: 100, 200 and 300 in the rows."""
    prose: str
    day: str
    """What the filter by day is called."""

    def file(self, *rows: str) -> str:
        return "\n".join([self.header, *(rows or self.rows)]) + "\n"

    @property
    def permissions(self) -> list[str]:
        return [self.data_set.may(action) for action in ("view", "change", "add", "delete")]

    def __str__(self) -> str:
        return self.data_set.name


FARES = Case(
    data_set=data_set_of(FareRow),
    header="snapshot_date,route,airline,avg_fare_usd,notes",
    rows=(
        "2026-05-04,JFK-LAX,Delta,100,A storm closed the hub",
        "2026-05-11,SFO-SEA,Alaska,200,",
        "2026-06-01,BOS-MIA,United,300,",
    ),
    category="airline",
    values=("Delta", "Alaska", "United"),
    number="avg_fare_usd",
    prose="notable_event",
    day="snapshot_date",
)
HOTELS = Case(
    data_set=data_set_of(HotelRate),
    header="Night,City,Hotel,Rate (USD),Note",
    rows=(
        "2026-05-04,Lisbon,Tejo House,100,A storm closed the roof",
        "2026-05-11,Porto,Ribeira Rooms,200,",
        "2026-06-01,Oslo,Fjord View,300,",
    ),
    category="city",
    values=("Lisbon", "Porto", "Oslo"),
    number="usd",
    prose="note",
    day="day",
)
CASES: Sequence[Case] = (FARES, HOTELS)
