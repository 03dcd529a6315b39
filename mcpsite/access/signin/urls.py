from django.urls import path

from mcpsite.access.signin import views

urlpatterns = [
    path("accounts/login/", views.SignIn.as_view(), name="login"),
    path("accounts/logout/", views.SignOut.as_view(), name="logout"),
    path("accounts/signed-out/", views.SignedOut.as_view(), name="signed_out"),
    path("accounts/switch/", views.Switch.as_view(), name="switch_account"),
    # Named as in the library, which looks for these names.
    path("accounts/oidc/start/", views.Start.as_view(), name="oidc_authentication_init"),
    path("accounts/oidc/callback/", views.Callback.as_view(), name="oidc_authentication_callback"),
    # Instead of the admin's own.
    path("admin/login/", views.AdminSignIn.as_view()),
    path("admin/logout/", views.SignOut.as_view()),
]
