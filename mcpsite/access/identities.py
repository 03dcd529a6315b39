"""From claims to a caller: which user of this site a token belongs to, and what they may do right now.

A token says who somebody is; what they may do is in the database and is read in each call, so a
deactivated user or a removed group ends access at the next call, whatever the token says.
"""

import hashlib
import logging
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from mcpsite.access import claimed_groups, signing
from mcpsite.access.caller import Caller, Claims
from mcpsite.access.models import Identity
from mcpsite.core.postgresql import prepared_rows

logger = logging.getLogger(__name__)

SEEN_EVERY = timedelta(hours=1)
SESSION = "session"
"""The issuer of a person whom this site itself has signed in. No token names it, because issuers are URLs."""


class AccessDenied(Exception):
    """The token is good, but its person has no access here: one plain sentence, shown as it is."""


def caller_for(claims: Claims) -> Caller:
    """Return the caller that `claims` (of a verified token) belong to, with their current rights.

    Synchronous: runs inside a database section. Costs one statement, except for the first call of a new
    identity and, for each identity, one call an hour. Raises AccessDenied.
    """
    own = claims.issuer == SESSION or (signing.is_own_issuer() and claims.issuer == signing.issuer())
    caller = _own_user(claims) if own else _known(claims)
    if caller is None and not own and settings.ACCESS_AUTO_CREATE_USERS:
        _make_user(claims)
        caller = _known(claims)
    if caller is None:
        logger.warning("No user for subject %a at %a.", claims.subject, claims.issuer)
        raise AccessDenied("You have no account on this server; ask one of its administrators for access.")
    return caller


def claims_of_session(user: AbstractBaseUser | AnonymousUser, *, client_id: str) -> Claims:
    """Return the claims of a person on this site's pages; their rights are read as for a token."""
    return Claims(
        issuer=SESSION,
        subject=str(user.pk),
        client_id=client_id,
        scopes=frozenset(),
        expires_at=math.inf,
        has_every_scope=True,
    )


def username_for(issuer: str, subject: str) -> str:
    """Return the name of the user made for an identity: readable, and unlike any other identity's."""
    readable = re.sub(r"[^A-Za-z0-9@.+_-]+", "-", subject)[:100].strip("-")
    digest = hashlib.sha256(f"{issuer}\0{subject}".encode()).hexdigest()
    return f"{readable}-{digest[:24]}".lstrip("-")


def _own_user(claims: Claims) -> Caller | None:
    """Return the user whose primary key a token of our own names."""
    subject = claims.subject
    if not (subject.isascii() and subject.isdigit() and len(subject) <= 18):
        return None
    return _query_caller(claims, _statement(own=True), [int(subject)])


def _known(claims: Claims) -> Caller | None:
    return _query_caller(claims, _statement(own=False), [claims.issuer, claims.subject])


def _query_caller(claims: Claims, statement: str, parameters: list[int | str]) -> Caller | None:
    rows = prepared_rows(connection, statement, parameters)
    account: Any = None
    groups: list[int] = []
    permissions: list[str] = []
    for row in rows:
        if row[0] == _PERMISSION:
            permissions.append(f"{row[2]}.{row[3]}")
        elif row[0] == _GROUP:
            groups.append(row[1])
        else:
            account = row
    if account is None:
        return None
    _, user_id, username, claim_digest, is_active, is_superuser, identity_id, last_seen, claimed_at = account
    if not is_active:
        raise AccessDenied(
            "Your account on this server is not active; ask one of its administrators for access."
        )
    if identity_id is not None and claimed_groups.are_stale(claims, claim_digest, claimed_at):
        claimed_groups.update_groups(identity_id, claims)
        return _query_caller(claims, statement, parameters)
    if identity_id is not None:
        _note_seen(identity_id, last_seen, claims)
    return Caller(
        user_id=user_id,
        username=username,
        claims=claims,
        permissions=frozenset(permissions),
        groups=frozenset(groups),
        is_superuser=bool(is_superuser),
    )


_USER, _GROUP, _PERMISSION = 0, 1, 2


@cache
def _statement(*, own: bool) -> str:
    """Return the statement for user, groups and permissions, a row each.

    Its parameters are the primary key, or issuer and subject; its rows are (kind, id, text, text, active,
    superuser, identity, last seen, time of the claim). Written by hand because every call runs it: on
    SQLite it takes 0.04 ms, and the same by querysets 1.6 ms.
    """
    quote = connection.ops.quote_name
    user = get_user_model()
    user_groups: Any = user._meta.get_field("groups")
    user_permissions: Any = user._meta.get_field("user_permissions")
    group_permissions: Any = Group._meta.get_field("permissions")
    t = {
        "user": quote(user._meta.db_table),
        "identity": quote(Identity._meta.db_table),
        "permission": quote(Permission._meta.db_table),
        "content_type": quote(ContentType._meta.db_table),
        "user_groups": quote(user_groups.m2m_db_table()),
        "user_permissions": quote(user_permissions.m2m_db_table()),
        "group_permissions": quote(group_permissions.m2m_db_table()),
    }
    if own:
        identity, source, where = "NULL, NULL, '', NULL", f"{t['user']} u", "u.id = %s"
    else:
        identity = "i.id, i.last_seen, i.claim_digest, i.claim_issued_at"
        source = f"{t['identity']} i JOIN {t['user']} u ON u.id = i.user_id"
        where = "i.issuer = %s AND i.subject = %s"
    # Only table names of our own models are put into the text.
    return (
        f"WITH who (id, username, active, superuser, identity, last_seen, digest, claimed) AS ("  # noqa: S608
        f"SELECT u.id, u.username, u.is_active, u.is_superuser, {identity} FROM {source} WHERE {where}) "
        f"SELECT {_USER}, id, username, digest, active, superuser, identity, last_seen, claimed FROM who "
        f"UNION ALL SELECT {_GROUP}, l.group_id, '', '', NULL, NULL, NULL, NULL, NULL "
        f"FROM who JOIN {t['user_groups']} l ON l.user_id = who.id "
        f"UNION ALL SELECT {_PERMISSION}, p.id, c.app_label, p.codename, NULL, NULL, NULL, NULL, NULL FROM ("
        f"SELECT l.permission_id FROM who JOIN {t['user_permissions']} l ON l.user_id = who.id "
        f"UNION ALL SELECT l.permission_id FROM who JOIN {t['user_groups']} g ON g.user_id = who.id "
        f"JOIN {t['group_permissions']} l ON l.group_id = g.group_id) held "
        f"JOIN {t['permission']} p ON p.id = held.permission_id "
        f"JOIN {t['content_type']} c ON c.id = p.content_type_id"
    )


def _make_user(claims: Claims) -> None:
    """Make the user and the identity for a first call; a simultaneous first call may be quicker."""
    try:
        with transaction.atomic():
            user = get_user_model()(
                username=username_for(claims.issuer, claims.subject),
                first_name=_text_claim(claims.raw, "name")[:150],
            )
            user.set_unusable_password()
            user.save(force_insert=True)
            _add_to_default_group(user)
            Identity.objects.create(
                issuer=claims.issuer,
                subject=claims.subject,
                user=user,
                **_profile(claims),
                last_seen=timezone.now(),
            )
    except IntegrityError:
        # The other call's user is read next. A user of this name without the identity belongs to nobody.
        return
    logger.info("Made user %s for a new identity at %s.", user.username, claims.issuer)


def _add_to_default_group(user: Any) -> None:
    name = settings.ACCESS_DEFAULT_GROUP
    if not name:
        return
    group = Group.objects.filter(name=name).first()
    if group is None:
        logger.warning(
            "ACCESS_DEFAULT_GROUP is %r, but there is no such group; create it in the admin.", name
        )
    else:
        user.groups.add(group)


def _note_seen(identity_id: int, last_seen: object, claims: Claims) -> None:
    """Record that the identity is in use, at most hourly."""
    now = timezone.now()
    seen = _as_datetime(last_seen)
    if seen is not None and seen > now - SEEN_EVERY:
        return
    profile = {name: said for name, said in _profile(claims).items() if said}
    try:
        with _without_waiting():
            Identity.objects.filter(pk=identity_id).update(last_seen=now, **profile)
    except OperationalError:
        # A load is writing. The call continues; the next one tries again.
        logger.debug("An identity's time of last use was not written.")


@contextmanager
def _without_waiting() -> Iterator[None]:
    """On SQLite, fail at once if another process writes, instead of waiting for it."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        (usual,) = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(usual)}")


def _as_datetime(value: object) -> datetime | None:
    """Return a timestamp from the driver's form: SQLite's is text without a time zone."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return None
    return value if timezone.is_aware(value) else timezone.make_aware(value, connection.timezone)


def _profile(claims: Claims) -> dict[str, str]:
    return {"name": _text_claim(claims.raw, "name")[:200], "email": _text_claim(claims.raw, "email")[:254]}


def _text_claim(raw: Mapping[str, object], name: str) -> str:
    """Return the text claim `name`, also under a namespace as for Auth0 (`https://example.com/email`)."""
    for claim, value in raw.items():
        if (claim == name or claim.endswith(f"/{name}")) and isinstance(value, str) and value.isprintable():
            return value
    return ""
