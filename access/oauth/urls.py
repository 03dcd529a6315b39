from django.urls import path

from access.oauth import views

app_name = "oauth"
urlpatterns = [
    path("authorize", views.Authorize.as_view(), name="authorize"),
    path("token", views.Token.as_view(), name="token"),
    path("register", views.Register.as_view(), name="register"),
    path("revoke", views.Revoke.as_view(), name="revoke"),
    path("introspect", views.Introspect.as_view(), name="introspect"),
    path("connections", views.Connections.as_view(), name="connections"),
]
