from django.urls import path

from mcpsite.access.oauth import views

app_name = "oauth"
urlpatterns = [
    path("oauth/authorize", views.Authorize.as_view(), name="authorize"),
    path("oauth/token", views.Token.as_view(), name="token"),
    path("oauth/register", views.Register.as_view(), name="register"),
    path("oauth/revoke", views.Revoke.as_view(), name="revoke"),
    path("oauth/introspect", views.Introspect.as_view(), name="introspect"),
    path("oauth/connections", views.Connections.as_view(), name="connections"),
    # The default address of MCP 2025-03-26: the Python client refreshes there after a restart, because it
    # does not keep the metadata.
    path("token", views.Token.as_view()),
]
