from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import ngettext
from oauth2_provider import admin as toolkit
from oauth2_provider.generators import generate_client_secret
from oauth2_provider.models import AccessToken, Application, Grant, IDToken, RefreshToken
from unfold.decorators import action

from mcpsite.access.oauth import grants, scopes
from mcpsite.access.oauth.forms import ClientForm
from mcpsite.access.oauth.models import PkceExemption
from mcpsite.core.modeladmin import ModelAdmin
from mcpsite.exchange.exporting import ExportMixin, columns

# Codes live for a minute, and ID tokens are not stored: there is nothing to see.
admin.site.unregister([AccessToken, Application, Grant, IDToken, RefreshToken])


@admin.register(Application)
class ClientAdmin(ExportMixin, ModelAdmin[Any]):
    """The clients that people can connect; deleting one disconnects everybody who uses it.

    A client that cannot register itself is made here, by hand. Its secret is only in the response to the form
    that made it, so that page is rendered and not redirected to.
    """

    form = ClientForm
    radio_fields = {"client_type": admin.HORIZONTAL}
    actions_submit_line = ("make_new_secret",)
    list_display = ("name", "client_id", "client_type", "registration_source", "created")
    list_filter = ("registration_source", "client_type")
    search_fields = ("name", "client_id", "redirect_uris")
    # The toolkit's own page of a client is not served here.
    view_on_site = False
    resource_classes = (
        columns(Application, "id", "name", "client_id", "client_type", "registration_source", "created"),
    )

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        # The page after a new client is the one with its secret.
        buttons = {"show_save_and_add_another": False, "show_save_and_continue": object_id is not None}
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **buttons})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        return {"client_type": Application.CLIENT_CONFIDENTIAL, **initial}

    def get_fieldsets(self, _request: HttpRequest, obj: Any = None) -> Any:
        rare = ["skip_authorization"]
        if obj is None:
            return [
                (None, {"fields": ["name", "redirect_uris", "client_type"]}),
                ("Rarely needed", {"fields": ["without_pkce", *rare]}),
            ]
        if made_by_hand(obj) and obj.client_type == Application.CLIENT_CONFIDENTIAL:
            rare = ["without_pkce", *rare]
        facts = ["name", "client_id", "redirect_uris", "client_type", "registration_source", "created"]
        return [(None, {"fields": facts}), ("Rarely needed", {"fields": rare})]

    def get_readonly_fields(self, _request: HttpRequest, obj: Any = None) -> list[str]:
        if obj is None:
            return []
        # What a client said about itself is not changed by others.
        own = [] if made_by_hand(obj) else ["name", "redirect_uris"]
        return ["client_id", "client_type", "registration_source", "created", *own]

    def get_actions_submit_line(self, request: HttpRequest, object_id: Any) -> Any:
        client = self.get_object(request, object_id)
        if client is None or client.client_type != Application.CLIENT_CONFIDENTIAL:
            return []
        return super().get_actions_submit_line(request, object_id)

    @action(description="Save and create a new secret")  # type: ignore[untyped-decorator]
    def make_new_secret(self, request: Any, obj: Any) -> None:
        obj.client_secret = request.secret = generate_client_secret()
        obj.save()

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.authorization_grant_type = Application.GRANT_AUTHORIZATION_CODE
            confidential = obj.client_type == Application.CLIENT_CONFIDENTIAL
            request.secret = obj.client_secret if confidential else ""
        super().save_model(request, obj, form, change)
        if form.cleaned_data["without_pkce"]:
            PkceExemption.objects.get_or_create(client=obj)
        else:
            PkceExemption.objects.filter(client=obj).delete()

    def response_add(self, request: Any, obj: Any, _post_url_continue: Any = None) -> HttpResponse:
        return self._made(request, obj, f"{obj} was created")

    def response_change(self, request: Any, obj: Any) -> HttpResponse:
        if hasattr(request, "secret"):
            return self._made(request, obj, f"New secret for {obj}", again=True)
        response: HttpResponse = super().response_change(request, obj)
        return response

    def _made(self, request: Any, obj: Any, title: str, *, again: bool = False) -> HttpResponse:
        """Return the page with the values to be typed into the client."""
        facts = [
            ("Client id", obj.client_id),
            *([("Client secret", request.secret)] if request.secret else []),
            ("Endpoint", settings.RESOURCE_SERVER_URL),
            ("Authorization URL", f"{settings.SITE_URL}/oauth/authorize"),
            ("Token URL", f"{settings.SITE_URL}/oauth/token"),
            ("Scopes", " ".join(scopes.defaults())),
        ]
        context = self.admin_site.each_context(request) | {
            "title": title,
            "opts": self.opts,
            "client": obj,
            "secret": request.secret,
            "again": again,
            "facts": facts,
            "client_url": reverse("admin:oauth2_provider_application_change", args=[obj.pk]),
        }
        template = "admin/oauth2_provider/application/made.html"
        return TemplateResponse(request, template, context, headers={"Cache-Control": "no-store"})


def made_by_hand(client: Any) -> bool:
    return bool(client.registration_source == Application.RegistrationSource.MANUAL)


class EndsConnections:
    """The action that ends connections: if one token is revoked alone, its siblings would live on."""

    lookup = ""
    """How refresh tokens are looked up by the rows of this page."""

    @admin.action(description="End the connections of the selected tokens", permissions=["change"])
    def revoke_tokens(self: Any, request: HttpRequest, queryset: Any) -> None:
        beside = RefreshToken.objects.filter(**{self.lookup: queryset})
        ended = set(beside.values_list("token_family", flat=True))
        for grant in ended:
            grants.revoke_grant(grant)
        self.message_user(
            request, ngettext("%d connection ended.", "%d connections ended.", len(ended)) % len(ended)
        )


@admin.register(AccessToken)
class AccessTokenAdmin(EndsConnections, ExportMixin, toolkit.AccessTokenAdmin, ModelAdmin[Any]):
    """The tokens that clients use for an hour; revoke one to end the whole connection."""

    lookup = "access_token__in"
    # Never the token itself.
    resource_classes = (
        columns(
            AccessToken,
            *("id", "scope", "created", "expires"),
            user="user__username",
            client="application__name",
        ),
    )


@admin.register(RefreshToken)
class RefreshTokenAdmin(EndsConnections, ExportMixin, toolkit.RefreshTokenAdmin, ModelAdmin[Any]):
    """The tokens that keep clients connected."""

    lookup = "pk__in"
    resource_classes = (
        columns(
            RefreshToken,
            *("id", "created", "revoked"),
            user="user__username",
            client="application__name",
        ),
    )
