from django.contrib import admin
from oauth2_provider.admin import ApplicationAdmin
from oauth2_provider.models import Application, Grant, IDToken

# Codes live for a minute, and ID tokens are not kept: there is nothing to see.
admin.site.unregister([Application, Grant, IDToken])


@admin.register(Application)
class ClientAdmin(ApplicationAdmin):
    """The clients that people can connect; deleting one disconnects everybody who uses it."""

    list_display = ("name", "client_id", "client_type", "registration_source", "created")
    list_filter = ("registration_source", "client_type")
    search_fields = ("name", "client_id", "redirect_uris")
    # The toolkit's own page of a client is not served here.
    view_on_site = False
