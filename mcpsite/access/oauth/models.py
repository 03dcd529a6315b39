from django.db import models
from oauth2_provider.models import Application


class PkceExemption(models.Model):
    """A client that may come without PKCE, because it cannot do it: one with a secret, made by hand."""

    client = models.OneToOneField(Application, models.CASCADE, primary_key=True, related_name="+")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.client)
