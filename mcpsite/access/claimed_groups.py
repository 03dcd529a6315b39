"""Groups that follow a claim of the tokens (ACCESS_GROUPS_CLAIM).

The identity provider decides about the groups that it has given here, and about no others: a group
that an administrator of this site gave by hand stays. Only existing groups are given, and nothing
here makes anybody staff or superuser.

Providers write the claim in many forms (client-contract 49): a list, a list as JSON text, one name as a
text, objects with a name, and under a claim of their own (Keycloak's `realm_access.roles`).
"""

import hashlib
import json
import logging
import time
from collections.abc import Mapping
from functools import lru_cache

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction

from mcpsite.access.caller import Claims
from mcpsite.access.models import Identity

logger = logging.getLogger(__name__)

MAX_NAMES = 1000
MAX_NAME_LENGTH = 150
"""The length of a group's name in Django."""
MEMBERS = ("name", "displayName", "display", "id", "value")
"""Members in which a group that is written as an object has its name, the best first."""
OVERAGE = (
    "the provider says only that there are too many groups to list (overage), so nobody's groups were "
    "changed; configure it to put only the groups assigned to the application into tokens, or use app "
    "roles and the claim roles"
)


def named(raw: Mapping[str, object], claim: str | None = None) -> frozenset[str]:
    """Return the group names in the claim, as the provider writes them.

    `claim` is the name of a claim, or a path to it with dots between; by default ACCESS_GROUPS_CLAIM. A
    token without it names none, because most providers leave out an empty list. One text is one name, unless
    it has commas and no group has that name.
    """
    value = value_at(raw, settings.ACCESS_GROUPS_CLAIM if claim is None else claim)
    if isinstance(value, str):
        value = _names_in(value.strip())
    if not isinstance(value, list):
        return frozenset()
    names = (_group_name(each).strip() for each in value[:MAX_NAMES])
    return frozenset(name for name in names if 1 <= len(name) <= MAX_NAME_LENGTH and name.isprintable())


def overflows(raw: Mapping[str, object], claim: str | None = None) -> bool:
    """Return whether the token says, in place of the claim, that its groups are too many to list.

    Entra names a distributed claim (OpenID Connect Core §5.6.2), or sets `hasgroups`. The groups would
    have to be requested elsewhere; until then nothing is known of them.
    """
    claim = settings.ACCESS_GROUPS_CLAIM if claim is None else claim
    if not claim or value_at(raw, claim) is not None:
        return False
    elsewhere = raw.get("_claim_names")
    places = elsewhere if isinstance(elsewhere, Mapping) else {}
    return (
        any(claim == name or claim.startswith(f"{name}.") for name in places)
        or any(name.startswith(f"{claim}:src") for name in raw)
        or (claim == "groups" and raw.get("hasgroups") in (True, "true", "1"))
    )


def holds(names: frozenset[str], name: str) -> bool:
    """Return whether `name` is among a claim's names; Keycloak writes a slash before a full path."""
    return bool(name) and (name in names or f"/{name}" in names)


def value_at(raw: object, path: str) -> object:
    """Return the value at `path`: under exactly this name, else under a first part of it and so on.

    A name may contain dots itself, as a URL or a client's id does, so the longest part is tried first.
    """
    if not isinstance(raw, Mapping):
        return None
    if raw.get(path) is not None:
        return raw[path]
    head = path
    while "." in head:
        head = head.rpartition(".")[0]
        found = value_at(raw.get(head), path[len(head) + 1 :])
        if found is not None:
            return found
    return None


def _names_in(text: str) -> list[object]:
    """Return the names in one text."""
    if text.startswith("["):
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            parsed = None
        if isinstance(parsed, list):
            return parsed
    if "," in text and not _is_one_name(text):
        return list(text.split(","))
    return [text]


def _is_one_name(text: str) -> bool:
    if not text.isprintable():
        return False
    called = (settings.OIDC_STAFF_GROUP, settings.OIDC_SUPERUSER_GROUP)
    return text in called or Group.objects.filter(name=text).exists()


def _group_name(each: object) -> str:
    if isinstance(each, Mapping):
        each = next((each[member] for member in MEMBERS if isinstance(each.get(member), str)), "")
    return each if isinstance(each, str) else ""


def digest(names: frozenset[str]) -> str:
    """Return what identifies these names; never the empty text of an identity that was never looked at."""
    return hashlib.sha256(json.dumps(sorted(names)).encode()).hexdigest()


def issued_at(claims: Claims) -> int:
    """Return when the token was issued; now, if the issuer was asked about it and did not say."""
    said = claims.raw.get("iat")
    return int(said) if isinstance(said, int | float) else int(time.time())


def are_stale(claims: Claims, seen_digest: str, seen_issued_at: int) -> bool:
    """Return whether the claim differs from the one that was last used.

    An older token does not count: it would bring back a group that has been taken away since.
    """
    if not settings.ACCESS_GROUPS_CLAIM or issued_at(claims) < seen_issued_at:
        return False
    if overflows(claims.raw):
        _log_overage(claims.issuer, claims.subject)
        return False
    return digest(named(claims.raw)) != seen_digest


@lru_cache(maxsize=1024)
def _log_overage(issuer: str, subject: str) -> None:
    """Log it, once for each of the last people and not in each of their calls."""
    logger.warning("Groups of %a at %a: %s.", subject, issuer, OVERAGE)


def look_again(**_: object) -> None:
    """Have each claim read again after a group was made or renamed, because it may name that group."""
    if settings.ACCESS_GROUPS_CLAIM:
        Identity.objects.exclude(claim_digest="").update(claim_digest="")


def update_groups(identity_id: int, claims: Claims) -> None:
    """Set the user's groups as the claim says. Synchronous; two statements, and those for changes."""
    names = named(claims.raw)
    with transaction.atomic():
        # One call after the other: of two tokens the newer one decides.
        identity = Identity.objects.select_for_update(of=("self",)).get(pk=identity_id)
        if not are_stale(claims, identity.claim_digest, identity.claim_issued_at):
            return
        user = get_user_model()._default_manager.get(pk=identity.user_id)
        given = set(identity.claimed_groups.all())
        meant = _meant(names)
        wanted = set(meant.values())
        by_hand = set(user.groups.exclude(pk__in=[group.pk for group in given]))
        elsewhere = set(
            Group.objects.filter(
                pk__in=Identity.claimed_groups.through.objects.filter(identity__user_id=identity.user_id)
                .exclude(identity_id=identity_id)
                .values("group_id")
            )
        )
        user.groups.remove(*(given - wanted - elsewhere))
        user.groups.add(*(wanted - given))
        # A group that the user had already is not the claim's to take away later.
        identity.claimed_groups.set(wanted - by_hand | (wanted & elsewhere))
        identity.claim_digest = digest(names)
        identity.claim_issued_at = issued_at(claims)
        identity.save(update_fields=["claim_digest", "claim_issued_at"])
    unknown = len(names) - len(meant)
    said = f"; {unknown} named that do not exist here" if unknown else ""
    if not names and value_at(claims.raw, settings.ACCESS_GROUPS_CLAIM) is None:
        said = f"; the token, for the client {claims.client_id!a}, has no {settings.ACCESS_GROUPS_CLAIM}"
    logger.info(
        "Groups of %a at %a follow the claim: %s%s.",
        claims.subject,
        claims.issuer,
        ", ".join(sorted(group.name for group in wanted)) or "none",
        said,
    )


def _meant(names: frozenset[str]) -> dict[str, Group]:
    """Return the group that each name means, if there is one.

    A full path of Keycloak is also found without the slash before it.
    """
    bare = {name: name.removeprefix("/") for name in names}
    called = {group.name: group for group in Group.objects.filter(name__in={*bare, *bare.values()})}
    meant = {name: called.get(name) or called.get(bare[name]) for name in names}
    return {name: group for name, group in meant.items() if group is not None}
