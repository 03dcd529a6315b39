"""The Content-Security-Policy of every page (https://www.w3.org/TR/CSP3/): this site's own files, no more.

A view that needs more declares it with django-csp's decorators, as the consent page does.
"""

from typing import Any

from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

SITE: dict[str, Any] = {
    "default-src": [NONE],
    "script-src": [SELF, NONCE],
    "style-src": [SELF, NONCE],
    "img-src": [SELF],
    "font-src": [SELF],
    "connect-src": [SELF],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
    "base-uri": [NONE],
    "object-src": [NONE],
}

ADMIN = {
    **SITE,
    # unfold is built on Alpine.js, which compiles the expressions in its templates. Alpine's build for strict
    # policies takes neither the arrow functions nor the globals (`localStorage`, `window`) in them.
    "script-src": [SELF, NONCE, UNSAFE_EVAL],
    # It sets the width of a list's action bar in a `style` attribute; <style> stays forbidden.
    "style-src-attr": [UNSAFE_INLINE],
    # Arrows and ticks of form fields are images inside its style sheet.
    "img-src": [SELF, "data:"],
}


class PagePolicyMiddleware(CSPMiddleware):
    """django-csp with a separate policy for the admin."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        match = request.resolver_match
        if parts.config is None and not report_only and match and match.app_name == "admin":
            parts.config = ADMIN
        if not report_only and match and match.view_name == "login" and settings.AUTHORIZATION_SERVER:
            from mcpsite.access.oauth.views import (
                targets_after,  # Too early if the settings import this module.
            )

            # Browsers check every redirect that follows a form against the policy of the form's page.
            parts.update = {"form-action": targets_after(request.GET.get("next", ""))}
        return parts
