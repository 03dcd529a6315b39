"""Pages for people; `/mcp` and the OAuth metadata are answered before Django (see `mcpsite.asgi`)."""

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("admin/", admin.site.urls),
]
