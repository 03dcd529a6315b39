"""The endpoints of the built-in authorization server, under `/oauth/`."""

import hashlib
import json
import logging
from base64 import b64decode
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import unquote_plus, urlsplit
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db import transaction
from django.db.models import F, Max
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider.exceptions import OAuthToolkitError
from oauth2_provider.http import OAuth2ResponseRedirect
from oauth2_provider.models import AccessToken, Application, RefreshToken
from oauth2_provider.oauth2_backends import _add_iss_to_redirect
from oauth2_provider.views import AuthorizationView, RevokeTokenView, TokenView
from oauth2_provider.views.mixins import OAuthLibMixin
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.errors import (
    ConsentRequired,
    InvalidClientIdError,
    MismatchingRedirectURIError,
    MissingClientIdError,
)

from mcpsite.access import readers, signing
from mcpsite.access.limits import limits
from mcpsite.access.oauth import clients, grants, refusals, unused

logger = logging.getLogger(__name__)

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Allow-Headers": "authorization, content-type, mcp-protocol-version",
    "Access-Control-Expose-Headers": "WWW-Authenticate, Retry-After",
    "Access-Control-Max-Age": "600",
}

Answer = TypeVar("Answer", bound=HttpResponseBase)

FAULTS = {
    InvalidClientIdError: "This site does not know the application that sent you here (client_id); "
    "remove the connection in the application and create it again.",
    MissingClientIdError: "The application that sent you here did not say which one it is (client_id).",
    MismatchingRedirectURIError: "The application asked to send you back to an address that it has not "
    "registered (redirect_uri).",
}
"""Sentences for people in place of the toolkit's own words, which are for programs."""


@method_decorator(never_cache, name="dispatch")
class Authorize(AuthorizationView):
    """Asks the signed-in person whether the client may act for them (RFC 6749 §4.1.1)."""

    template_name = "oauth/consent.html"
    keeps_opener = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if holds_nul(request.GET) or holds_nul(request.POST):
            return self.fault("The application sent a parameter that holds a NUL character.")
        query = without_empty(request.META.get("QUERY_STRING", ""))
        request.META["QUERY_STRING"], request.GET = query, QueryDict(query)
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "none" in request.GET.get("prompt", "").split():
            return self._consent_needed(request)
        # The toolkit's own parameter, with which a client could skip the consent page.
        parameters = request.GET.copy()
        parameters.pop("approval_prompt", None)
        request.GET = parameters  # type: ignore[assignment]
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        application = context["application"]
        target = urlsplit(context["redirect_uri"])
        host = urlsplit(application.client_id).hostname if application.registration_source == "cimd" else None
        return context | {
            # A client with a document is identified by its host; its name is its own word.
            "name": host or application.name or "An application without a name",
            "claimed_name": application.name,
            "verified_host": host,
            "destination": target.netloc,
            "on_this_machine": target.scheme == "http",
            "app_scheme": target.scheme if clients.is_of_app(context["redirect_uri"]) else "",
            "readable": readable_by(self.request.user),
            "abilities": context["scopes_descriptions"],
            "another_account": f"?{self._parameters(prompt='login')}",
        }

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().render_to_response(context, **kwargs)
        # As django-csp's decorator does, which accepts only constants: browsers check the redirect that
        # follows a form against the policy of the form's page.
        response._csp_update = {"form-action": [clients.form_target(context["redirect_uri"])]}  # type: ignore[attr-defined]
        return response

    def form_valid(self, form: Any) -> HttpResponse:
        # The hidden fields come from the browser: nobody is redirected before they are checked again.
        application = Application.objects.filter(client_id=form.cleaned_data["client_id"]).first()
        target = form.cleaned_data["redirect_uri"]
        if (
            application is None
            or clients.redirect_fault(target)
            or not application.redirect_uri_allowed(target)
        ):
            return self.form_invalid(form)
        response: HttpResponse = super().form_valid(form)
        return response

    def form_invalid(self, _form: Any) -> HttpResponse:
        return self.fault("The form was changed before it was sent; start again from your application.")

    def error_response(self, error: Any, application: Any, **kwargs: Any) -> HttpResponse:
        """Tell the client, or the person if no redirect is allowed (RFC 6749 §4.1.2.1)."""
        to_client, details = OAuthLibMixin.error_response(self, error, **kwargs)
        if to_client:
            return self.redirect(details["url"], application)
        fault = details["error"]
        return self.fault(FAULTS.get(type(fault), fault.description or fault.error))

    def redirect(self, redirect_to: str, _application: Any) -> HttpResponse:
        """Send the person back to the client, with the issuer in errors too (RFC 9207 §2)."""
        target = _add_iss_to_redirect(redirect_to, signing.issuer())
        # The address was checked before; the toolkit's own list has no schemes of applications.
        response: HttpResponse = OAuth2ResponseRedirect(target, [urlsplit(target).scheme])
        return response

    def handle_prompt_login(self) -> HttpResponse:
        # Nobody is signed out by an address that anybody may have made; the page asks them all the same.
        return redirect(f"{super().handle_prompt_login()['Location']}&another=1")

    def handle_no_permission(self) -> HttpResponse:
        prompt = self.request.GET.get("prompt", "").split()
        known = Application.objects.filter(client_id=self.request.GET.get("client_id", ""))
        if "none" in prompt and not known.exists():
            return self.fault("The application is not known here.")
        response: HttpResponse = super().handle_no_permission()
        return response

    def _parameters(self, **changes: str) -> str:
        parameters = self.request.GET.copy()
        for name, value in changes.items():
            parameters[name] = value
        return str(parameters.urlencode())

    def fault(self, sentence: str) -> HttpResponse:
        return render(self.request, "oauth/fault.html", {"sentence": sentence}, status=400)

    def _consent_needed(self, request: HttpRequest) -> HttpResponse:
        """Tell a client that wants no page shown that one is needed (OpenID Connect Core §3.1.2.6)."""
        try:
            _, credentials = self.validate_authorization_request(request)
        except OAuthToolkitError as error:
            return self.error_response(error, application=None)
        needed = ConsentRequired(state=credentials.get("state"))
        return self.error_response(
            OAuthToolkitError(error=needed, redirect_uri=credentials["redirect_uri"]), application=None
        )


def targets_after(path: str) -> list[str]:
    """Return where the authorization request `path` may send the person at once, as sources of a policy.

    The client gets an error, or consent that an operator gave for everybody, without a page between.
    """
    address, _, query = path.partition("?")
    parameters = QueryDict(query)
    if address != reverse("oauth:authorize") or holds_nul(parameters):
        return []
    application = Application.objects.filter(client_id=parameters.get("client_id", "")).first()
    target = parameters.get("redirect_uri", "")
    if application is None or clients.redirect_fault(target) or not application.redirect_uri_allowed(target):
        return []
    return [clients.form_target(target)]


def holds_nul(parameters: QueryDict) -> bool:
    """Return whether a value has the character that PostgreSQL refuses in any comparison."""
    return any("\0" in value for _, values in parameters.lists() for value in values)


def without_empty(form: str) -> str:
    """Return an encoded form without empty parameters: they count as left out (RFC 6749 §3.1)."""
    return "&".join(pair for pair in form.split("&") if pair.partition("=")[2])


def readable_by(user: Any) -> list[str]:
    """Return the names of the apps whose published data `user` may read in part."""
    return [
        str(app.verbose_name)
        for app in apps.get_app_configs()
        if any(map(user.has_perm, readers.published(app)))
    ]


@method_decorator(csrf_exempt, name="dispatch")
class OAuthEndpoint(View):
    """An endpoint for programs: POST only, from pages of any origin, because no cookie counts here."""

    takes_form = True

    @staticmethod
    def unavailable(sentence: str) -> HttpResponse:
        """Return the answer while the server cannot (RFC 6749 has no word for it at this endpoint)."""
        return open_to_every_origin(oauth_error(503, "temporarily_unavailable", sentence))

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "OPTIONS":
            response: HttpResponseBase = HttpResponse(status=204)
        elif self.takes_form and holds_nul(request.POST):
            response = oauth_error(400, "invalid_request", "A parameter holds a NUL character.")
        else:
            if self.takes_form:
                request.POST = QueryDict(without_empty(request.POST.urlencode()))
            response = super().dispatch(request, *args, **kwargs)
        return open_to_every_origin(response)


def open_to_every_origin(response: Answer) -> Answer:
    """Return the response, which pages of any origin may read and nobody may cache."""
    for name, value in CORS.items():
        response.headers[name] = value
    response.headers["Cache-Control"] = "no-store"
    return response


def oauth_error(status: int, error: str, description: str) -> JsonResponse:
    """Return an error in the form of RFC 6749 §5.2."""
    response = JsonResponse({"error": error, "error_description": description}, status=status)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Basic"
    return response


class Token(OAuthEndpoint, TokenView):
    """Exchanges codes and refresh tokens for tokens (RFC 6749 §3.2)."""

    def post(self, request: HttpRequest) -> HttpResponse:
        # One transaction: what the validator locks stays locked until the tokens are saved.
        with transaction.atomic():
            response: HttpResponse = self.authorization_flow_token_response(request)
        reason = refusals.noted()
        if response.status_code >= 400:
            log_refusal(request, response, reason)
        return response


def log_refusal(request: HttpRequest, response: HttpResponse, reason: str) -> None:
    """Log in one line why no token was given."""
    with suppress(ValueError):
        answer = json.loads(response.content)
        reason = reason or answer.get("error_description", "")
        logger.warning(
            "No token for the client %.100a (%.40a): %s%s.",
            client_named(request),
            request.POST.get("grant_type", ""),
            answer.get("error"),
            f", {reason.rstrip('.')}" if reason else "",
        )
        response._has_been_logged = True  # type: ignore[attr-defined]  # Django would say only that it was.


def client_named(request: HttpRequest) -> str:
    """Return the id of the client that a request names, by RFC 6749 §2.3.1 or in its body."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        with suppress(ValueError):
            return unquote_plus(b64decode(encoded).decode().partition(":")[0])
    return request.POST.get("client_id", "")


class Revoke(OAuthEndpoint, RevokeTokenView):
    """RFC 7009; any of its tokens ends the client's whole grant."""


class Register(OAuthEndpoint):
    """RFC 7591: open to anybody, within a limit for each address."""

    takes_form = False

    def post(self, request: HttpRequest) -> HttpResponse:
        wait = limits().count_stranger("registration", request.META.get("REMOTE_ADDR", ""))
        if wait:
            response = oauth_error(
                429, "temporarily_unavailable", "Too many clients were registered; try later."
            )
            response.headers["Retry-After"] = str(wait)
            return response
        if len(request.body) > clients.MAX_METADATA_BYTES:
            return oauth_error(413, "invalid_client_metadata", "The metadata is longer than 16 KiB.")
        try:
            metadata = clients.Metadata.from_json(request.body)
            application = Application(
                name=metadata.name,
                redirect_uris=" ".join(metadata.redirect_uris),
                client_type="public" if metadata.auth_method == "none" else "confidential",
                authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
                registration_source=Application.RegistrationSource.DCR,
            )
            secret = application.client_secret  # Only its digest is stored.
            application.save()
        except clients.InvalidMetadata as error:
            return oauth_error(400, error.code, error.description)
        unused.delete_unused()
        logger.info("A client registered itself: %a, %s.", metadata.name, application.client_id)
        answer = {
            "client_id": application.client_id,
            "client_id_issued_at": int(application.created.timestamp()),
            "client_name": metadata.name,
            "redirect_uris": list(metadata.redirect_uris),
            "grant_types": list(clients.GRANT_TYPES),
            "response_types": ["code"],
            "token_endpoint_auth_method": metadata.auth_method,
        }
        if metadata.auth_method != "none":
            answer |= {"client_secret": secret, "client_secret_expires_at": 0}
        return JsonResponse(answer, status=201)


class Introspect(OAuthEndpoint, OAuthLibMixin):
    """RFC 7662, for clients that authenticate with a secret.

    A client that registered itself learns only about its own tokens; one that an operator made (a
    gateway, another resource server) about everybody's.
    """

    def post(self, request: HttpRequest) -> HttpResponse:
        client = self._authenticated(request)
        if client is None:
            return oauth_error(401, "invalid_client", "Introspection needs a client with a secret.")
        value = request.POST.get("token", "")
        if not value:
            return oauth_error(400, "invalid_request", "The parameter token is missing.")
        return JsonResponse(introspection(value, client))

    def _authenticated(self, request: HttpRequest) -> Any:
        core = self.get_oauthlib_core()
        asked = Request(*core._extract_params(request))
        proven = core.server.request_validator.authenticate_client(asked)
        # The toolkit lets a public client pass as one that logs in from a device.
        return asked.client if proven and asked.client.client_type == "confidential" else None


def introspection(value: str, client: Any) -> dict[str, Any]:
    """Return what RFC 7662 §2.2 tells `client` of a token; only `active` if it is not alive."""
    checksum = hashlib.sha256(value.encode()).hexdigest()
    mine = {} if client.registration_source == "manual" else {"application": client}
    token = AccessToken.objects.filter(token_checksum=checksum, **mine).select_related("user", "application")
    found = token.first()
    if found is not None and found.is_valid() and found.user.is_active:
        return {
            "active": True,
            "token_type": "Bearer",
            "scope": found.scope,
            "client_id": found.application.client_id,
            "username": found.user.get_username(),
            "sub": signing.own_subject(found.user),
            "iss": signing.issuer(),
            "aud": settings.JWT_AUDIENCES[0],
            "iat": int(found.created.timestamp()),
            "exp": int(found.expires.timestamp()),
        }
    refresh = RefreshToken.objects.filter(token_checksum=checksum, revoked__isnull=True, **mine)
    refresh_token = refresh.select_related("user", "application", "access_token").first()
    if refresh_token is not None and refresh_token.access_token is not None and refresh_token.user.is_active:
        return {
            "active": True,
            "scope": refresh_token.access_token.scope,
            "client_id": refresh_token.application.client_id,
            "username": refresh_token.user.get_username(),
            "sub": signing.own_subject(refresh_token.user),
            "iss": signing.issuer(),
            "iat": int(refresh_token.created.timestamp()),
        }
    return {"active": False}


@method_decorator(never_cache, name="dispatch")
class Connections(LoginRequiredMixin, View):
    """The clients that somebody has connected, each with a button to end it."""

    def get(self, request: HttpRequest) -> HttpResponse:
        live = RefreshToken.objects.filter(
            user=request.user, revoked__isnull=True, access_token__isnull=False
        )
        connections = live.values(
            "token_family", name=F("application__name"), client_id=F("application__client_id")
        ).annotate(renewed=Max("created"))
        return render(
            request, "oauth/connections.html", {"connected": connections.order_by("name", "-renewed")}
        )

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            grant = UUID(request.POST.get("grant", ""))
        except ValueError:
            return redirect("oauth:connections")
        if RefreshToken.objects.filter(user=request.user, token_family=grant).exists():
            grants.revoke_grant(grant)
            messages.success(
                request, "Disconnected. The application can no longer read anything on your behalf."
            )
        return redirect("oauth:connections")
