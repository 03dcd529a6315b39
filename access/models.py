from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import models
from django.utils import timezone


class Identity(models.Model):
    """Who a person or service is at an issuer, and which user of this site that is.

    Only (issuer, subject) says who somebody is; a name or an e-mail address can be had by others.
    """

    issuer = models.CharField(max_length=500, help_text="Exactly as in the tokens, trailing slash included.")
    subject = models.CharField(max_length=255, help_text="The claim sub of the tokens.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="identities",
        help_text="To keep somebody out, make the user inactive; a deleted one may return.",
    )
    name = models.CharField(max_length=200, blank=True, help_text="As the tokens say; only to be read.")
    email = models.CharField(
        "e-mail",
        max_length=254,
        blank=True,
        help_text="As the tokens say; never used to find a user.",
    )
    created = models.DateTimeField(default=timezone.now, editable=False)
    last_seen = models.DateTimeField(null=True, blank=True, editable=False, help_text="To the hour.")

    class Meta:
        verbose_name_plural = "identities"
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="one_identity_per_issuer_and_subject")
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"


class DefaultGrant(models.Model):
    """A permission that the group of readers was once given by default.

    It is given once: what an operator takes away later is not given back by the next migration.
    """

    permission = models.OneToOneField(Permission, models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return str(self.permission)
