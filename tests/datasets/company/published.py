"""What the company publishes."""

from typing import Any

from django.db.models import QuerySet

from mcpsite.access.caller import Caller
from mcpsite.datasets.publishing import PublishedColumn, publish
from tests.datasets.company.models import Sale, SlowSale


def own_region(sales: QuerySet[Any], caller: Caller) -> QuerySet[Any]:
    """The sellers of the north see the north."""
    return sales.filter(region="North") if caller.username == "nora" else sales


publish(
    Sale,
    name="sales",
    title="Sales of the company",
    using="erp",
    columns=[
        "sold_on",
        "region",
        "channel",
        PublishedColumn("usd", unit="USD", meaning="net amount"),
        "units",
        "note",
    ],
    ordering=["-sold_on", "region"],
    visible_to=own_region,
)
publish(SlowSale, name="slow_sales", using="erp", columns=["region"], ordering=["region"], readers=True)
