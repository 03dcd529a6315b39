"""Edits that outlive the session they were made in.

A form of the admin that is sent when its session has ended is stored on this side of the browser, in the
session that follows, and shown again to the same person in the same browser after they have signed in: as
the form with their values, which they check and save. Nothing is saved before.

A signed field in each such form names its person, so nobody else gets a stored edit.
"""

import secrets
import time
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core import signing
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase

from mcpsite.access.signin.sessions import STORED_EDITS

FIELD = "_editor"
PARAMETER = "kept"
MAX_BYTES = 512 * 1024
"""Of all the edits stored for one browser; the oldest are dropped."""
LONGEST = 24 * 3600
"""Seconds for which a form may stay open, and an edit be stored."""
NEVER_STORED = ("password", "passwd", "secret", "token", "csrf", "api_key")
NOTE = "Your changes were restored; check and save them."
_SALT = "mcpsite.access.signin.stored_edits"


def editor_of(user: Any) -> str:
    """Return the signed value of FIELD in a form that is made for `user`."""
    return signing.dumps(str(user.pk), salt=_SALT)


def is_form(request: HttpRequest, view: Any) -> bool:
    """Return whether `view` is the admin's form for one object, whose values can be shown again."""
    return isinstance(getattr(view, "model_admin", None), ModelAdmin) and _url_name(request).endswith(
        ("_add", "_change")
    )


def store(request: HttpRequest, view: Any, user_id: str | None) -> str:
    """Store what was sent to a form; return the address that shows it again, or "" if it cannot be stored.

    `user_id`: who is, or was until now, signed in; None if it is not known.
    """
    if request.method != "POST" or not is_form(request, view):
        return ""
    try:
        editor = signing.loads(request.POST.get(FIELD, ""), salt=_SALT, max_age=LONGEST)
    except signing.BadSignature:
        return ""
    fields = QueryDict(mutable=True)
    for name, values in request.POST.lists():
        if name != FIELD and not any(word in name.lower() for word in NEVER_STORED):
            fields.setlist(name, values)
    sent = fields.urlencode()
    if user_id not in (None, editor) or len(sent) > MAX_BYTES:
        return ""
    edits = _stored(request)
    edits.pop(request.GET.get(PARAMETER, ""), None)
    key = secrets.token_urlsafe(9)
    edits[key] = {"user": editor, "path": request.path, "fields": sent, "at": time.time()}
    while sum(len(each["fields"]) for each in edits.values()) > MAX_BYTES:
        del edits[next(iter(edits))]
    request.session[STORED_EDITS] = edits
    query = request.GET.copy()
    query[PARAMETER] = key
    return f"{request.path}?{query.urlencode()}"


def shown_again(request: HttpRequest, view: Any, kwargs: dict[str, Any]) -> HttpResponseBase | None:
    """Return the form with what was stored for this very person; None if there is nothing to show."""
    key = request.GET.get(PARAMETER, "")
    if not key or STORED_EDITS not in request.session or not is_form(request, view):
        return None
    edits = _stored(request)
    edit = edits.get(key)
    if edit is None or edit["user"] != str(request.user.pk) or edit["path"] != request.path:
        return None
    if request.method != "GET":
        # It is being saved: from here on the form itself carries the values.
        del edits[key]
        request.session[STORED_EDITS] = edits
        return None
    form = _with_values(view.model_admin, QueryDict(edit["fields"]))
    messages.info(request, NOTE)
    page = form.add_view if _url_name(request).endswith("_add") else form.change_view
    response: HttpResponseBase = form.admin_site.admin_view(page)(request, **kwargs)
    return response


def _url_name(request: HttpRequest) -> str:
    return (request.resolver_match and request.resolver_match.url_name) or ""


def _stored(request: HttpRequest) -> dict[str, dict[str, Any]]:
    """Return what is stored for this browser and not too old, oldest first."""
    edits = request.session.get(STORED_EDITS, {})
    return {key: edit for key, edit in edits.items() if time.time() - edit["at"] < LONGEST}


def _with_values(model_admin: "ModelAdmin[Any]", values: QueryDict) -> "ModelAdmin[Any]":
    """Return an admin like `model_admin` whose forms have `values`; a GET of them saves nothing.

    A separate class, because the admin makes its forms itself, for any model, and shows sent values only
    while it saves them.
    """

    class Shown(type(model_admin)):  # type: ignore[misc]
        def get_form(self, *args: Any, **kwargs: Any) -> Any:
            class Form(super().get_form(*args, **kwargs)):  # type: ignore[misc]
                def __init__(self, *args: Any, **kwargs: Any) -> None:
                    super().__init__(*args, **{**kwargs, "data": values})

            return Form

        def get_formset_kwargs(self, *args: Any) -> Any:
            return {**super().get_formset_kwargs(*args), "data": values}

    shown: ModelAdmin[Any] = Shown(model_admin.model, model_admin.admin_site)
    return shown
