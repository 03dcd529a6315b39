from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.db import models
from django.utils import timezone


class Identity(models.Model):
    """Who a person or service is at an issuer, and which user of this site that is.

    Only (issuer, subject) identifies somebody; others can have the same name or e-mail address.
    """

    issuer = models.CharField(
        max_length=500, help_text="Exactly as in the tokens, including the trailing slash."
    )
    subject = models.CharField(max_length=255, help_text="The claim sub of the tokens.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="identities",
        help_text="To block somebody, deactivate the user; a deleted user is created again at the next "
        "sign-in.",
    )
    name = models.CharField(max_length=200, blank=True, help_text="From the tokens; for information only.")
    email = models.CharField(
        "e-mail",
        max_length=254,
        blank=True,
        help_text="From the tokens; never used to find a user.",
    )
    created = models.DateTimeField(default=timezone.now, editable=False)
    last_seen = models.DateTimeField(null=True, blank=True, editable=False, help_text="Accurate to the hour.")
    claimed_groups = models.ManyToManyField(
        Group, blank=True, editable=False, related_name="+", help_text="Given by ACCESS_GROUPS_CLAIM."
    )
    claim_digest = models.CharField(max_length=64, blank=True, editable=False)
    claim_issued_at = models.BigIntegerField(
        default=0, editable=False, help_text="When the token that the claim was last taken from was issued."
    )

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


class SigningKey(models.Model):
    """A private key that signs this site's tokens, or did; read only by `mcpsite.access.private_keys`."""

    secret = models.TextField(help_text="PEM, encrypted with a key that is derived from SECRET_KEY.")
    replaced_at = models.DateTimeField(null=True, help_text="Empty for the current key.")

    class Meta:
        # The one that signs comes first, then the one that signed before it.
        ordering = [models.F("replaced_at").desc(nulls_first=True), "-id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                models.Value(1), condition=models.Q(replaced_at=None), name="one_key_that_signs"
            )
        ]

    def __str__(self) -> str:
        return f"key replaced at {self.replaced_at}" if self.replaced_at else "current signing key"


class KeySighting(models.Model):
    """When some process last signed with a key, by which processes notice that they share none."""

    kid = models.CharField(max_length=64, unique=True)
    seen_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.kid} at {self.seen_at}"


class AuditEvent(models.Model):
    """A tool call: who asked what, and the result. Written only by `mcpsite.access.audit`.

    Calls over a limit share a row a minute, which is the first of them. It stores the names as they were, and
    outlives the user whom it names.
    """

    class Outcome(models.TextChoices):
        OK = "ok", "OK"
        TOOL_ERROR = "tool error", "Tool error"
        DENIED = "denied", "Denied"
        LIMITED = "limited", "Limited"
        DEADLINE = "deadline", "Deadline"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, editable=False)
    time = models.DateTimeField(db_index=True, help_text="When the call began.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, null=True, db_constraint=False, related_name="+"
    )
    username = models.CharField(max_length=150, blank=True)
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    client_id = models.CharField(max_length=500, blank=True, help_text="Whom the token was issued to.")
    client_name = models.CharField(
        max_length=200, blank=True, help_text="The name that the client gives itself."
    )
    tool = models.CharField(max_length=128, help_text="As it was requested, even if no such tool exists.")
    arguments = models.TextField(blank=True, help_text="Shortened JSON, with secrets removed.")
    outcome = models.CharField(max_length=10, choices=Outcome)
    note = models.CharField(
        max_length=500, blank=True, help_text="The error that the caller got, or a note about a fallback."
    )
    rows = models.PositiveIntegerField(default=0)
    bytes = models.PositiveIntegerField(default=0, help_text="Size of the answer as JSON.")
    milliseconds = models.FloatField()
    protocol = models.CharField(max_length=20, blank=True, help_text="The MCP version that the client used.")
    request_id = models.CharField(
        max_length=64, blank=True, help_text="The JSON-RPC id that the client chose."
    )
    calls = models.PositiveIntegerField(
        default=1, help_text="More than 1 if calls over a limit share this row: those within a minute."
    )

    class Meta:
        verbose_name = "tool call"
        ordering = ["-time"]

    def __str__(self) -> str:
        return f"{self.tool} by {self.username or self.subject} at {self.time:%Y-%m-%d %H:%M:%S}"

    @property
    def era(self) -> str:
        """`modern` since the revision of 2026-07-28, which has no sessions; else `legacy`."""
        return "modern" if self.protocol >= "2026-07-28" else "legacy"
