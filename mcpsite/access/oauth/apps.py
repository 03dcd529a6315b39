from django.apps import AppConfig


class OAuthConfig(AppConfig):
    name = "mcpsite.access.oauth"
    label = "oauth"
    verbose_name = "Sign-in of clients"

    def ready(self) -> None:
        from oauth2_provider.models import Application

        from mcpsite.access.oauth import checks, clients  # noqa: F401  (the first registers its checks)

        # The toolkit lets a setting name the schemes, one list for all clients; those of applications cannot
        # be listed. Replacing its model by ours would need a table and migrations for this one line.
        Application.get_allowed_schemes = clients.allowed_schemes
