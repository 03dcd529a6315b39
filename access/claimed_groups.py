"""Groups that follow a claim of the tokens (ACCESS_GROUPS_CLAIM).

The identity provider decides about the groups that it has given here, and about no others: a group
that an administrator of this site gave by hand stays. Only groups that exist are given, and nothing
here makes anybody staff or superuser.
"""

import hashlib
import json
import logging
import time
from collections.abc import Mapping

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction

from access.caller import Claims
from access.models import Identity

logger = logging.getLogger(__name__)

MAX_NAMES = 1000
MAX_NAME_LENGTH = 150
"""The length of a group's name in Django."""


def named(raw: Mapping[str, object], claim: str | None = None) -> frozenset[str]:
    """The group names in the claim: a list of texts, or one text with commas or else spaces between them.

    `claim`: by default ACCESS_GROUPS_CLAIM. A token without it names none: most providers leave an empty
    list out.
    """
    value = raw.get(settings.ACCESS_GROUPS_CLAIM if claim is None else claim)
    if isinstance(value, str):
        value = value.split(",") if "," in value else value.split()
    if not isinstance(value, list):
        return frozenset()
    names = (each.strip() for each in value[:MAX_NAMES] if isinstance(each, str))
    return frozenset(name for name in names if 1 <= len(name) <= MAX_NAME_LENGTH)


def digest(names: frozenset[str]) -> str:
    """What tells these names from others; told apart from the empty text of an identity never looked at."""
    return hashlib.sha256(json.dumps(sorted(names)).encode()).hexdigest()


def issued_at(claims: Claims) -> int:
    """When the token was issued; now, where the issuer was asked about it and did not say."""
    said = claims.raw.get("iat")
    return int(said) if isinstance(said, int | float) else int(time.time())


def are_stale(claims: Claims, seen_digest: str, seen_issued_at: int) -> bool:
    """Whether the claim says something else than what was last taken from it.

    An older token does not count: it would bring back a group that has been taken away since.
    """
    return (
        bool(settings.ACCESS_GROUPS_CLAIM)
        and issued_at(claims) >= seen_issued_at
        and digest(named(claims.raw)) != seen_digest
    )


def look_again(**_: object) -> None:
    """After a group was made or renamed: look at each claim again, for it may name that group."""
    if settings.ACCESS_GROUPS_CLAIM:
        Identity.objects.exclude(claim_digest="").update(claim_digest="")


def follow(identity_id: int, claims: Claims) -> None:
    """Bring the user's groups in line with the claim. Synchronous; two statements and what has to change."""
    names = named(claims.raw)
    with transaction.atomic():
        # One call after another: of two tokens the newer one has the last word.
        identity = Identity.objects.select_for_update(of=("self",)).get(pk=identity_id)
        if not are_stale(claims, identity.claim_digest, identity.claim_issued_at):
            return
        user = get_user_model()._default_manager.get(pk=identity.user_id)
        given = set(identity.claimed_groups.all())
        wanted = set(Group.objects.filter(name__in=names))
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
        # A group that was held already is not the claim's to take away later.
        identity.claimed_groups.set(wanted - by_hand | (wanted & elsewhere))
        identity.claim_digest = digest(names)
        identity.claim_issued_at = issued_at(claims)
        identity.save(update_fields=["claim_digest", "claim_issued_at"])
    unknown = sorted(names - {group.name for group in wanted})
    logger.info(
        "Groups of %a at %a follow the claim: %s%s.",
        claims.subject,
        claims.issuer,
        ", ".join(sorted(group.name for group in wanted)) or "none",
        f"; {len(unknown)} named that do not exist here" if unknown else "",
    )
