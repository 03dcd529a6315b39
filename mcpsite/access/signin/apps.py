from django.apps import AppConfig
from django.core.checks import Tags, register


class SignInConfig(AppConfig):
    name = "mcpsite.access.signin"
    label = "signin"
    verbose_name = "Sign-in"

    def ready(self) -> None:
        from mcpsite.access.signin import sessions  # noqa: F401  (connects its receiver)
        from mcpsite.access.signin.checks import check_sign_in

        register(check_sign_in, Tags.security, deploy=True)
