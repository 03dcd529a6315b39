from django.contrib import admin
from oauth2_provider import admin as toolkit
from oauth2_provider.models import AccessToken, Application, Grant, IDToken, RefreshToken
from unfold.admin import ModelAdmin

# Codes live for a minute, and ID tokens are not kept: there is nothing to see.
admin.site.unregister([AccessToken, Application, Grant, IDToken, RefreshToken])


@admin.register(Application)
class ClientAdmin(toolkit.ApplicationAdmin, ModelAdmin):
    """The clients that people can connect; deleting one disconnects everybody who uses it."""

    list_display = ("name", "client_id", "client_type", "registration_source", "created")
    list_filter = ("registration_source", "client_type")
    search_fields = ("name", "client_id", "redirect_uris")
    # The toolkit's own page of a client is not served here.
    view_on_site = False


@admin.register(AccessToken)
class AccessTokenAdmin(toolkit.AccessTokenAdmin, ModelAdmin):
    """What clients hold for an hour; revoke one to end the whole connection."""


@admin.register(RefreshToken)
class RefreshTokenAdmin(toolkit.RefreshTokenAdmin, ModelAdmin):
    """What keeps a client connected."""
