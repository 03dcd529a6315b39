from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Tags, register
from django.db.models.signals import post_migrate, post_save

from access import algorithms, limits, scopes


class AccessConfig(AppConfig):
    name = "access"
    verbose_name = "Access"

    def ready(self) -> None:
        from access.checks import check_settings
        from access.claimed_groups import look_again  # needs the models
        from access.readers import grant_new_permissions  # needs the models

        register(check_settings, Tags.security, deploy=True)
        algorithms.allowed(settings.JWT_ALGORITHMS)
        limits.limits()
        scopes.check_setting(settings.TOOL_SCOPES)
        post_migrate.connect(grant_new_permissions, dispatch_uid="access.readers")
        post_save.connect(look_again, sender="auth.Group", dispatch_uid="access.claimed_groups")
