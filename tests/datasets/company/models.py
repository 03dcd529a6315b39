"""Tables of the company's database, as `inspectdb` finds them and somebody completes them."""

from typing import Any, ClassVar

from django.db import models


class Customer(models.Model):
    """Who buys."""

    objects: ClassVar[models.Manager["Customer"]] = models.Manager()
    name = models.CharField(max_length=100)

    class Meta:
        app_label = "company"
        managed = False
        db_table = "customer"

    def __str__(self) -> str:
        return self.name


class Sale(models.Model):
    """Lines of invoices since 2024, one row each."""

    objects: ClassVar[models.Manager["Sale"]] = models.Manager()
    sold_on = models.DateField(null=True, help_text="day of the invoice")
    booked_at = models.DateTimeField(null=True)
    region = models.CharField(max_length=40, null=True)  # noqa: DJ001 (as it is found)
    channel = models.CharField(max_length=40)
    usd = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    units = models.IntegerField()
    weight = models.FloatField(null=True)
    is_gift = models.BooleanField(default=False)
    note = models.TextField(null=True, db_comment="what the seller remarks")  # noqa: DJ001
    margin = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    customer = models.ForeignKey(Customer, models.DO_NOTHING, null=True)
    details: Any = models.JSONField(null=True)

    class Meta:
        app_label = "company"
        managed = False
        db_table = "sale"
        indexes = [models.Index(fields=["-sold_on"], name="sale_sold_on")]

    def __init__(self, *_: Any, **__: Any) -> None:
        raise AssertionError("An instance was made.")

    def __str__(self) -> str:
        return str(self.pk)


class SlowSale(models.Model):
    """Sales by way of a view that takes for ever."""

    objects: ClassVar[models.Manager["SlowSale"]] = models.Manager()
    region = models.CharField(max_length=40, db_index=True)

    class Meta:
        app_label = "company"
        managed = False
        db_table = "slow_sale"

    def __str__(self) -> str:
        return self.region
