"""Signing in, staying signed in, and signing out."""

import logging
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.conf import settings
from django.contrib import auth, messages
from django.contrib.auth.views import LoginView
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View
from django.views.decorators.cache import never_cache
from mozilla_django_oidc.views import OIDCAuthenticationRequestView

from mcpsite.access.limits import limits
from mcpsite.access.signin import devices, hashing, pages, sessions, stored_edits
from mcpsite.access.signin.backend import library_settings, redirect_uri
from mcpsite.access.signin.faults import NotAllowed, ProviderUnavailable, SessionEnded, SignInFailed
from mcpsite.access.signin.middleware import ENDED, ENDED_WITH_EDIT, back_to
from mcpsite.access.signin.provider import provider, provider_name

logger = logging.getLogger(__name__)

STATE_SECONDS = 600
"""How long somebody may take at the provider."""
MOST_LOGGED = 200
NOT_SILENT = ("login_required", "interaction_required", "consent_required", "account_selection_required")
"""A provider's answers if it would have to ask the person something (OpenID Connect Core §3.1.2.6)."""


def next_page(request: HttpRequest, value: str | None) -> str:
    """Return `value` if it is a page of this site that is not about signing in; else ""."""
    if not value or not url_has_allowed_host_and_scheme(
        value, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return ""
    path = urlsplit(value).path
    return "" if path.startswith("/accounts/") or path in ("/admin/login/", "/admin/logout/") else value


def _require_provider() -> None:
    if not settings.OIDC_RP_CLIENT_ID:
        raise Http404


class SignIn(LoginView):
    """The site's one sign-in page: the provider's button first, then the password form."""

    about_signing_in = True
    keeps_opener = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # A person who asks for another account is signed out when somebody has signed in, and not before.
        self.redirect_authenticated_user = "another" not in request.GET
        return super().dispatch(request, *args, **kwargs)

    def get_redirect_url(self, *args: Any) -> str:
        return next_page(self.request, super().get_redirect_url(*args))

    def get_form(self, *args: Any) -> Any:
        form = super().get_form(*args)
        if settings.OIDC_RP_CLIENT_ID:
            # The provider's button comes first, also for the keyboard.
            form.fields["username"].widget.attrs.pop("autofocus", None)
        return form

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs) | pages.support()
        context["password_sign_in"] = settings.PASSWORD_SIGN_IN
        if settings.OIDC_RP_CLIENT_ID:
            asked = {"next": self.get_redirect_url()}
            if "another" in self.request.GET:
                asked["another"] = "1"
            context["provider"] = provider_name()
            context["start"] = f"{reverse('oidc_authentication_init')}?{urlencode(asked)}"
        return context

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.PASSWORD_SIGN_IN:
            return pages.error_page(
                request,
                title="You are not signed in",
                sentence=f"Passwords are not accepted here; sign in with {provider_name()}.",
                status=403,
            )
        account = request.POST.get("username", "")
        self._password = limits().password(
            request.META.get("REMOTE_ADDR", ""), account, devices.known(request, account)
        )
        # Before it is checked: of many at once no more are tried than of many in turn.
        wait = limits().count_password(self._password)
        if wait:
            logger.warning("Sign-in refused for %d s: too many wrong passwords.", wait)
            return pages.error_page(
                request,
                title="Too many wrong passwords",
                sentence=f"Wait {pages.waiting_time(wait)}, then sign in again.",
                status=429,
                wait=wait,
            )
        try:
            with (hashing.OF_KNOWN if self._password.known else hashing.OF_STRANGERS).turn():
                response: HttpResponse = super().post(request, *args, **kwargs)
        except hashing.Busy:
            limits().forget_password(self._password, right=False)
            return pages.error_page(
                request,
                title="Sign-in is busy",
                sentence=f"Wait {pages.waiting_time(hashing.RETRY_SECONDS)}, then sign in again.",
                status=503,
                wait=hashing.RETRY_SECONDS,
            )
        return response

    def form_valid(self, form: Any) -> HttpResponse:
        limits().forget_password(self._password, right=True)
        response = super().form_valid(form)
        devices.remember_device(self.request, response, form.get_user())
        return response

    def form_invalid(self, form: Any) -> HttpResponse:
        if not form.non_field_errors():  # No password was tried: a field was empty.
            limits().forget_password(self._password, right=False)
        return super().form_invalid(form)


class AdminSignIn(SignIn):
    """`/admin/login/`: the same page, or why a signed-in person does not get into the admin."""

    keeps_opener = False

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST":
            return super().dispatch(request, *args, **kwargs)
        user: Any = request.user
        wanted = self.get_default_redirect_url()
        if not user.is_authenticated:
            return redirect(pages.sign_in(wanted))
        if user.is_staff:
            return redirect(wanted)
        context = {"wanted": wanted, **pages.support()}
        return render(request, "signin/not_staff.html", context, status=403)

    def get_default_redirect_url(self) -> str:
        return next_page(self.request, self.request.GET.get("next")) or reverse("admin:index")


@method_decorator(never_cache, name="dispatch")
class Start(OIDCAuthenticationRequestView):
    """Sends the person to the provider; the library makes state, nonce and PKCE's pair.

    `renew` asks the provider to answer without asking the person anything, `another` to ask who they are.
    """

    about_signing_in = True
    keeps_opener = True
    get_settings = staticmethod(library_settings)

    def get(self, request: HttpRequest) -> HttpResponse:
        _require_provider()
        if "renew" in request.GET and not sessions.may_renew(request):
            # The person who made this address wants the provider to refuse.
            return redirect(next_page(request, request.GET.get("next")) or settings.LOGIN_REDIRECT_URL)
        try:
            endpoint = urlsplit(provider().endpoint("authorization_endpoint"))
        except ProviderUnavailable as failed:
            return failure(request, failed, again=request.get_full_path())
        self.OIDC_OP_AUTH_ENDPOINT = endpoint._replace(query="").geturl()
        self._of_endpoint = dict(parse_qsl(endpoint.query))
        response: HttpResponse = super().get(request)
        # One page to come back to for each sign-in under way, not one for all of them.
        state = request.session["oidc_states"][next(reversed(request.session["oidc_states"]))]
        request.session.pop("oidc_login_next", None)
        state["next"] = next_page(request, request.GET.get("next"))
        state["renewing"] = "renew" in request.GET
        request.session.modified = True
        return response

    def get_extra_params(self, request: HttpRequest) -> dict[str, str]:
        asked = {**self._of_endpoint, "redirect_uri": redirect_uri()}
        if "renew" in request.GET:
            return {**asked, "prompt": "none"}
        return {**asked, "prompt": "login"} if "another" in request.GET else asked


@method_decorator(never_cache, name="dispatch")
class Callback(View):
    """Where the provider sends people back to (RFC 6749 §4.1.2)."""

    about_signing_in = True
    keeps_opener = True
    http_method_names = ["get"]

    def get(self, request: HttpRequest) -> HttpResponse:
        _require_provider()
        try:
            state = self._state(request)
        except SignInFailed as failed:
            return failure(request, failed)
        try:
            self._check_answer(request)
            user = auth.authenticate(request, nonce=state["nonce"], code_verifier=state["code_verifier"])
            if user is None:
                raise NotAllowed("You may not sign in here; ask for access.", reason="a backend said no.")
        except SignInFailed as failed:
            return self._failed(request, state, failed)
        # Signing in makes a new session key; a renewal for the same person leaves open forms as they are.
        if not state["renewing"] or request.user != user:
            auth.login(request, user)
        sessions.note_renewal(request, request.META["mcpsite.access.signin.id_token"])
        return redirect(state["next"] or settings.LOGIN_REDIRECT_URL)

    def _state(self, request: HttpRequest) -> dict[str, Any]:
        """Return what was remembered of this sign-in, which can be finished once. Raises SignInFailed."""
        states = request.session.get("oidc_states", {})
        state: dict[str, Any] | None = states.pop(request.GET.get("state", ""), None)
        if state is None:
            raise SignInFailed(
                "This sign-in was started in another browser, or has already ended; sign in again.",
                reason="the callback's state is not one of this session.",
            )
        request.session["oidc_states"] = states
        # Asking the provider takes a while, in which another request must not bring the state back.
        request.session.save()
        if time.time() - state["added_on"] > STATE_SECONDS:
            raise SignInFailed(
                "This sign-in took too long; sign in again.", reason="the callback's state is too old."
            )
        return state

    def _check_answer(self, request: HttpRequest) -> None:
        """Raise SignInFailed if the provider, or somebody else, answers with anything but a code."""
        said = request.GET.get("iss")
        required = provider().document().get("authorization_response_iss_parameter_supported") is True
        if said != provider().issuer and (said is not None or required):
            raise SignInFailed(
                "This answer belongs to another sign-in; sign in again.",
                reason="the callback's iss is not OIDC_ISSUER (RFC 9207).",
            )
        error = request.GET.get("error", "")
        if error in NOT_SILENT:
            raise SessionEnded(ENDED, reason=f"the provider answered {error}.")
        if error == "access_denied":
            raise NotAllowed(
                "The sign-in was cancelled, or your account may not use this site; try again, or ask "
                "for access.",
                reason="the provider answered access_denied.",
            )
        if error in ("temporarily_unavailable", "server_error"):
            raise ProviderUnavailable(f"the provider answered {error}")
        if error or not request.GET.get("code"):
            description = request.GET.get("error_description", "")[:MOST_LOGGED]
            raise SignInFailed(
                "Your company's sign-in refused the request. Try again; if that does not help, tell "
                "whoever runs this site.",
                reason=f"the provider answered {error[:MOST_LOGGED]!a} {description!a}.",
            )

    def _failed(self, request: HttpRequest, state: dict[str, Any], failed: SignInFailed) -> HttpResponse:
        again = state["next"]
        if isinstance(failed, ProviderUnavailable):
            if state["renewing"]:
                sessions.put_off(request)
            return failure(request, failed, again=again if state["renewing"] else pages.sign_in(again))
        if state["renewing"] and request.user.is_authenticated:
            sessions.end_session(request)
        if isinstance(failed, SessionEnded):
            logger.info("A session was not renewed: %s", failed.reason)
            parameters = urlsplit(again).query
            messages.info(request, ENDED_WITH_EDIT if f"{stored_edits.PARAMETER}=" in parameters else ENDED)
            return redirect(pages.sign_in(again))
        return failure(request, failed, again=pages.sign_in(again))


def failure(request: HttpRequest, failed: SignInFailed, *, again: str = "") -> HttpResponse:
    """Return the page for a sign-in that failed."""
    logger.warning("Sign-in failed: %s", failed.reason)
    return pages.error_page(
        request, title=failed.title, sentence=failed.sentence, status=failed.status, again=again
    )


@method_decorator(never_cache, name="dispatch")
class SignOut(View):
    """Ends the session here, and the provider's if it has a page for that."""

    about_signing_in = True

    def get(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect("signed_out")
        return render(request, "signin/sign_out.html")

    def post(self, request: HttpRequest) -> HttpResponse:
        by_provider = sessions.by_provider(request)
        hint = request.session.get(sessions.ID_TOKEN, "")
        auth.logout(request)
        if not (by_provider and settings.OIDC_RP_CLIENT_ID):
            return redirect("signed_out")
        back = f"{settings.SITE_URL}{reverse('signed_out')}"
        try:
            url = provider().sign_out_url(hint=hint, back=back)
        except ProviderUnavailable as failed:
            logger.warning("Signed out here alone: %s.", failed.reason)
            url = ""
        if not url:
            return redirect(f"{reverse('signed_out')}?still=1")
        return pages.onward(request, url, provider_name())


@method_decorator(never_cache, name="dispatch")
class SignedOut(View):
    """The page after people have signed out."""

    about_signing_in = True

    def get(self, request: HttpRequest) -> HttpResponse:
        still = bool(settings.OIDC_RP_CLIENT_ID) and "still" in request.GET
        context = {"still": still, "provider": provider_name() if still else ""}
        return render(request, "signin/signed_out.html", context)


class Switch(View):
    """Signs out here and asks who is there: for a person who has another account."""

    about_signing_in = True
    keeps_opener = True
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        after = next_page(request, request.POST.get("next"))
        auth.logout(request)
        return redirect(f"{reverse('login')}?{urlencode({'next': after, 'another': 1})}")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that was made before somebody signed in anew: it is stored, and shown again.

    That is only for what one of our own pages sent, as the browser says; the rest is refused.
    """
    match = request.resolver_match
    user: Any = request.user
    ours = request.headers.get("Origin") == f"{request.scheme}://{request.get_host()}"
    if ours and match is not None:
        user_id = str(user.pk) if user.is_authenticated else None
        back = stored_edits.store(request, match.func, user_id)
        if back and user_id:
            return redirect(back)
        if back:
            messages.info(request, ENDED_WITH_EDIT)
            return redirect(pages.sign_in(back))
    logger.warning("A form was refused: %s", reason)
    return pages.error_page(
        request,
        title="This page has expired",
        sentence="Nothing was changed. Open the page again and repeat your last action.",
        again=back_to(request),
        status=403,
    )
