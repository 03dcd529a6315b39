"""Who is calling: the one object that a request carries from the token to the queryset."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """What a verified access token says (RFC 9068); nothing here is trusted before verification."""

    issuer: str
    subject: str
    client_id: str
    """`client_id`, else `azp`, `cid` (Okta) or `appid` (Entra v1); empty where the token names no client."""
    scopes: frozenset[str]
    """What the person lets the client do."""
    expires_at: float
    """Seconds since the epoch."""
    raw: Mapping[str, object] = field(default_factory=dict, repr=False)
    """All claims, for what a deployment maps itself (groups, e-mail). Never logged."""
    has_every_scope: bool = False
    """For somebody who uses the site's own pages: no client is between, whom scopes would bound."""

    def has_scopes(self, wanted: Iterable[str]) -> bool:
        """Whether all of `wanted` are granted."""
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
        """Whether the caller holds `permission` (`app_label.codename`); a superuser holds each."""
        return self.is_superuser or permission in self.permissions
