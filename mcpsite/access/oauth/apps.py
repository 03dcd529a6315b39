from django.apps import AppConfig


class OAuthConfig(AppConfig):
    name = "mcpsite.access.oauth"
    label = "oauth"
    verbose_name = "Sign-in of clients"

    def ready(self) -> None:
        from oauth2_provider.models import Application

        from mcpsite.access.oauth import checks, clients  # noqa: F401  (the first registers its checks)

        # The toolkit asks its model, and there for one list of schemes; those of applications are no list.
        Application.get_allowed_schemes = clients.allowed_schemes
