"""Who is calling: the one object that a request carries from the token to the queryset."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """What a verified access token says (RFC 9068); nothing here is trusted before verification."""

    issuer: str
    subject: str
    client_id: str
    """`client_id`, else `azp`, `cid` (Okta) or `appid` (Entra v1); empty if the token names no client."""
    scopes: frozenset[str]
    """What the person allows the client."""
    expires_at: float
    """Seconds since the epoch."""
    raw: Mapping[str, object] = field(default_factory=dict, repr=False)
    """All claims, for those that a deployment maps itself (groups, e-mail). Never logged."""
    has_every_scope: bool = False
    """For a person on the site's own pages, where scopes have no client to limit."""

    def has_scopes(self, wanted: Iterable[str]) -> bool:
        """Return whether all of `wanted` are granted."""
        return self.has_every_scope or self.scopes.issuperset(wanted)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """An authenticated person or service and what they may do, as of this call."""

    user_id: int
    username: str
    claims: Claims
    permissions: frozenset[str] = frozenset()
    """Django permissions, `app_label.codename`, from the user and their groups."""
    groups: frozenset[int] = frozenset()
    """Primary keys of the user's groups."""
    is_superuser: bool = False

    def has_perm(self, permission: str) -> bool:
        """Return whether the caller has `permission` (`app_label.codename`); a superuser has each."""
        return self.is_superuser or permission in self.permissions
