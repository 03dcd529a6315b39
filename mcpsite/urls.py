"""Pages for people; `/mcp` and the OAuth metadata are answered before Django (see `mcpsite.asgi`)."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
]

if settings.AUTHORIZATION_SERVER:
    urlpatterns += [path("oauth/", include("access.oauth.urls"))]
