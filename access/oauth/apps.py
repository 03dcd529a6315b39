from django.apps import AppConfig


class OAuthConfig(AppConfig):
    name = "access.oauth"
    label = "oauth"
    verbose_name = "Sign-in of clients"
