"""The identity provider that people sign in with, as this site's sign-in sees it.

Nothing is requested from it before somebody signs in, so the site starts while it is down. Each request has a
time limit and an answer of bounded size (`mcpsite.access.discovery`), and follows no redirect.
"""

import asyncio
import base64
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import cache, partial
from typing import Any, TypeVar
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx2
from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.signals import setting_changed

from mcpsite.access import discovery
from mcpsite.access.discovery import DiscoveryFailed, IssuerDiffers
from mcpsite.access.keys import Keys
from mcpsite.access.signin import id_token
from mcpsite.access.signin.faults import ProviderUnavailable, SignInFailed

logger = logging.getLogger(__name__)

T = TypeVar("T")

FRESH = 30.0
"""Seconds for which a metadata document shows that the provider is up."""
PAUSE = 5.0
"""Seconds before a provider that gave no document is asked again."""
STALE_CODE = ("invalid_grant", "invalid_request")


class Provider:
    """A provider. Its public methods block, so they are for views, never for the event loop."""

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        client_secret: str,
        algorithm: str,
        time_limit: float,
        max_stale: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wait `time_limit` seconds for an answer; known keys outlive an outage by `max_stale` seconds."""
        self.issuer = issuer
        self.client_id = client_id
        self._client_secret = client_secret
        self._algorithm = algorithm
        self._time_limit = time_limit
        self._clock = clock
        self._keys = Keys(partial(discovery.fetch_keys, issuer), max_stale=max_stale, time_limit=time_limit)
        self._reading = threading.Lock()
        self._document: Mapping[str, Any] | None = None
        self._asked_at = float("-inf")
        self._fault = ""
        # The one that worked last: providers expect the method that a client is registered with.
        self._methods = ["client_secret_basic", "client_secret_post"] if client_secret else ["none"]

    @property
    def host(self) -> str:
        """The provider's name for people, if no setting names it."""
        return urlsplit(self.issuer).hostname or self.issuer

    def document(self) -> Mapping[str, Any]:
        """Return the provider's metadata, read within the last FRESH seconds. Raises ProviderUnavailable."""
        with self._reading:  # One request asks a slow provider, the others wait for its answer.
            if self._clock() - self._asked_at >= (FRESH if self._document else PAUSE):
                self._read()
                self._asked_at = self._clock()
            if self._document is None:
                raise ProviderUnavailable(self._fault)
            return self._document

    def is_up(self) -> bool:
        """Return whether the provider answers."""
        try:
            self.document()
        except ProviderUnavailable:
            return False
        return True

    def endpoint(self, name: str) -> str:
        """Return the address `name` of the metadata. Raises ProviderUnavailable."""
        value = self.document().get(name)
        if not isinstance(value, str) or not discovery.is_safe(value, self.issuer):
            raise ProviderUnavailable(f"the metadata of {self.issuer} has no usable {name}")
        return value

    def tokens(self, *, code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        """Return the token endpoint's answer to `code` (RFC 6749 §4.1.3). Raises SignInFailed."""
        url = self.endpoint("token_endpoint")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        status, answer = 0, None
        for method in list(self._methods):
            status, answer = self._ask("POST", url, *self._authenticated(method, form))
            if (answer or {}).get("error") not in ("invalid_client", "unauthorized_client"):
                self._methods.sort(key=lambda each: each != method)
                break
        if status == httpx2.codes.OK and answer is not None:
            return answer
        error = str((answer or {}).get("error", ""))
        if error in STALE_CODE:
            raise SignInFailed(
                "This sign-in took too long or was already used; sign in again.",
                reason=f"the token endpoint refused the code ({error}).",
            )
        remedy = "; check OIDC_RP_CLIENT_ID and OIDC_RP_CLIENT_SECRET" if "client" in error else ""
        raise ProviderUnavailable(f"the token endpoint answered {status} {error!a}{remedy}")

    def id_claims(self, token: object, *, nonce: str) -> dict[str, Any]:
        """Return the claims of the ID token, once verified. Raises SignInFailed."""
        return _wait_for(
            id_token.proven(
                token,
                keys=self._keys,
                issuer=self.issuer,
                client_id=self.client_id,
                algorithm=self._algorithm,
                nonce=nonce,
                now=time.time(),
            )
        )

    def userinfo(self, access_token: object, *, subject: str) -> dict[str, Any]:
        """Return the claims about `subject` (OpenID Connect Core §5.3); {} if there is no such endpoint.

        Raises SignInFailed if it is about somebody else (§5.3.4).
        """
        if "userinfo_endpoint" not in self.document():
            return {}
        if not isinstance(access_token, str) or not access_token.isascii():
            raise ProviderUnavailable("the token endpoint gave no usable access token")
        url = self.endpoint("userinfo_endpoint")
        status, said = self._ask("GET", url, headers={"Authorization": f"Bearer {access_token}"})
        if status != httpx2.codes.OK or said is None:
            raise ProviderUnavailable(f"{url} answered {status}, or with something else than a JSON object")
        if said.get("sub") != subject:
            raise SignInFailed(id_token.AGAIN, reason="userinfo is about another subject than the ID token.")
        return said

    def sign_out_url(self, *, hint: str, back: str) -> str:
        """Return where the provider's own session is ended (RP-Initiated Logout 1.0 §2); "" if nowhere.

        Raises ProviderUnavailable.
        """
        if "end_session_endpoint" not in self.document():
            return ""
        asked = {"client_id": self.client_id, "post_logout_redirect_uri": back}
        if hint:
            asked["id_token_hint"] = hint
        url = self.endpoint("end_session_endpoint")
        return f"{url}{'&' if '?' in url else '?'}{urlencode(asked)}"

    def _authenticated(
        self, method: str, form: Mapping[str, str]
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return the form and the headers of a request that authenticates us (RFC 6749 §2.3.1)."""
        if method == "client_secret_basic":
            pair = f"{quote_plus(self.client_id)}:{quote_plus(self._client_secret)}"
            return form, {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        secret = {"client_secret": self._client_secret} if method == "client_secret_post" else {}
        return {**form, "client_id": self.client_id, **secret}, {}

    def _read(self) -> None:
        try:
            self._document = _wait_for(self._in_time(discovery.metadata(self.issuer)))
        except (DiscoveryFailed, TimeoutError) as error:
            self._document = None
            self._fault = str(error) or f"it took longer than {self._time_limit:g} seconds"
            if isinstance(error, IssuerDiffers):
                self._fault = f"{self.issuer} has another name for itself; correct OIDC_ISSUER"
            logger.warning("The provider of the sign-in cannot be used: %s.", self._fault)

    def _ask(
        self,
        method: str,
        url: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, Any] | None]:
        async def asking() -> tuple[int, dict[str, Any] | None]:
            async with discovery.http_client(self.issuer) as client:
                return await discovery.ask(client, method, url, self.issuer, form=form, headers=headers)

        try:
            return _wait_for(self._in_time(asking()))
        except TimeoutError:
            raise ProviderUnavailable(f"{url} took longer than {self._time_limit:g} seconds") from None
        except DiscoveryFailed as error:
            raise ProviderUnavailable(str(error)) from error

    async def _in_time(self, question: Coroutine[Any, Any, T]) -> T:
        async with asyncio.timeout(self._time_limit):
            return await question


def _wait_for(question: Coroutine[Any, Any, T]) -> T:
    """Return the answer, for a thread that may wait; it is made on the event loop, where the keys live."""

    async def run() -> T:
        return await question

    return async_to_sync(run)()


@cache
def provider() -> Provider:
    """Return this process's provider by the settings; made anew if one changes."""
    return Provider(
        issuer=settings.OIDC_ISSUER,
        client_id=settings.OIDC_RP_CLIENT_ID,
        client_secret=settings.OIDC_RP_CLIENT_SECRET,
        algorithm=settings.OIDC_RP_SIGN_ALGO,
        time_limit=settings.OIDC_TIMEOUT,
        max_stale=float(settings.JWKS_MAX_STALE_SECONDS),
    )


def provider_name() -> str:
    """Return what people call the provider."""
    return settings.OIDC_SIGN_IN_NAME or provider().host


def _forget_provider(*, setting: str, **_: object) -> None:
    if setting.startswith(("OIDC", "JWKS")):
        provider.cache_clear()


setting_changed.connect(_forget_provider, dispatch_uid="mcpsite.access.signin.provider")
