"""Pages for people; `/mcp` and the OAuth metadata are answered before Django (see `mcpsite.asgi`)."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from mcpsite.web import errors, home, tryout

handler500 = errors.server_error

urlpatterns = [
    path("", home.home, name="home"),
    path("check/", home.connection_check, name="check"),
    path("try/", tryout.index, name="tryout"),
    path("try/<str:name>/", tryout.try_tool, name="try_tool"),
    path("transcripts/", include("transcripts.urls")),
    path("", include("mcpsite.access.signin.urls")),
    path("admin/", admin.site.urls),
]

if settings.AUTHORIZATION_SERVER:
    urlpatterns += [path("", include("mcpsite.access.oauth.urls"))]
