"""A table that exists already."""

from typing import ClassVar

from django.db import models


class Reading(models.Model):
    """One value of an instrument."""

    objects: ClassVar[models.Manager["Reading"]] = models.Manager()

    class Meta:
        app_label = "warehouse"
        managed = False
        db_table = "readings"

    def __str__(self) -> str:
        return str(self.pk)
