"""Browsers that signed in with a password before.

Strangers who try passwords for an account, or from a shared address, use up the tries of others there.
A browser that signed in carries a signed cookie, and its tries for that account are counted separately
(OWASP, "Slow down online guessing attacks with device cookies"). The cookie reveals nothing of a password
against which a guess could be checked, it is good only for the account's present password, and it allows
no more tries than a stranger has.
"""

import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare

COOKIE = "device"
SECONDS = 180 * 24 * 3600
MOST = 5
"""Accounts that a browser is remembered for; the oldest are dropped."""
_SALT = "mcpsite.access.signin.devices"


def known(request: HttpRequest, account: str) -> str:
    """Return the name of this browser if it signed in to `account` before, else ""."""
    device, accounts = _known_accounts(request)
    if not accounts or "\0" in account:
        return ""
    people = get_user_model()
    user = people._default_manager.filter(username=people.normalize_username(account.strip())).first()
    if user is None or not constant_time_compare(accounts.get(str(user.pk), ""), _proof(user)):
        return ""
    return f"{device} {user.pk}"


def remember_device(request: HttpRequest, response: HttpResponse, user: Any) -> None:
    """Remember this browser for the account of `user`, who signed in just now."""
    device, accounts = _known_accounts(request)
    accounts.pop(str(user.pk), None)
    latest = dict(list(accounts.items())[1 - MOST :]) | {str(user.pk): _proof(user)}
    response.set_cookie(
        COOKIE,
        signing.dumps([device or secrets.token_urlsafe(12), latest], salt=_SALT),
        max_age=SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _known_accounts(request: HttpRequest) -> tuple[str, dict[str, str]]:
    try:
        device, accounts = signing.loads(request.COOKIES.get(COOKIE, ""), salt=_SALT, max_age=SECONDS)
    except signing.BadSignature:
        return "", {}
    return device, accounts


def _proof(user: Any) -> str:
    """Return what changes with the password: a digest, keyed with SECRET_KEY, of its hash."""
    proof: str = user.get_session_auth_hash()
    return proof
