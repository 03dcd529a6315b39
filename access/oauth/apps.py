from django.apps import AppConfig


class OAuthConfig(AppConfig):
    name = "access.oauth"
    label = "oauth"
    verbose_name = "Sign-in of clients"

    def ready(self) -> None:
        from access.oauth import checks  # noqa: F401  (registers them)
