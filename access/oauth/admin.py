from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import ngettext
from oauth2_provider import admin as toolkit
from oauth2_provider.models import AccessToken, Application, Grant, IDToken, RefreshToken
from unfold.admin import ModelAdmin

from access.oauth import grants
from exchange.exporting import ExportMixin, columns

# Codes live for a minute, and ID tokens are not kept: there is nothing to see.
admin.site.unregister([AccessToken, Application, Grant, IDToken, RefreshToken])


@admin.register(Application)
class ClientAdmin(ExportMixin, toolkit.ApplicationAdmin, ModelAdmin):
    """The clients that people can connect; deleting one disconnects everybody who uses it."""

    list_display = ("name", "client_id", "client_type", "registration_source", "created")
    list_filter = ("registration_source", "client_type")
    search_fields = ("name", "client_id", "redirect_uris")
    # The toolkit's own page of a client is not served here.
    view_on_site = False
    resource_classes = (
        columns(Application, "id", "name", "client_id", "client_type", "registration_source", "created"),
    )


class EndsConnections:
    """The action that ends connections: of a token that is revoked alone the siblings would live on."""

    lookup = ""
    """How refresh tokens are found by the rows of this page."""

    @admin.action(description="End the connections of the selected tokens", permissions=["change"])
    def revoke_tokens(self: Any, request: HttpRequest, queryset: Any) -> None:
        beside = RefreshToken.objects.filter(**{self.lookup: queryset})
        ended = set(beside.values_list("token_family", flat=True))
        for grant in ended:
            grants.end(grant)
        self.message_user(
            request, ngettext("%d connection ended.", "%d connections ended.", len(ended)) % len(ended)
        )


@admin.register(AccessToken)
class AccessTokenAdmin(EndsConnections, ExportMixin, toolkit.AccessTokenAdmin, ModelAdmin):
    """What clients hold for an hour; revoke one to end the whole connection."""

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
class RefreshTokenAdmin(EndsConnections, ExportMixin, toolkit.RefreshTokenAdmin, ModelAdmin):
    """What keeps a client connected."""

    lookup = "pk__in"
    resource_classes = (
        columns(
            RefreshToken,
            *("id", "created", "revoked"),
            user="user__username",
            client="application__name",
        ),
    )
