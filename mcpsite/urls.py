"""Pages for people; `/mcp` and the OAuth metadata are answered before Django (see `mcpsite.asgi`)."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import TemplateView

urlpatterns = [
    path(
        "",
        TemplateView.as_view(
            template_name="home.html", extra_context={"endpoint": settings.RESOURCE_SERVER_URL}
        ),
        name="home",
    ),
    path("transcripts/", include("transcripts.urls")),
    path("", include("access.signin.urls")),
    path("admin/", admin.site.urls),
]

if settings.AUTHORIZATION_SERVER:
    urlpatterns += [path("", include("access.oauth.urls"))]
