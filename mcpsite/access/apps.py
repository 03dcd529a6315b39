from django.apps import AppConfig
from django.core.checks import Tags, register
from django.db.models.signals import post_migrate, post_save


class AccessConfig(AppConfig):
    name = "mcpsite.access"
    verbose_name = "Access"

    def ready(self) -> None:
        from mcpsite.access.checks import check_settings
        from mcpsite.access.claimed_groups import look_again  # needs the models
        from mcpsite.access.readers import grant_new_permissions  # needs the models
        from mcpsite.core.checks import CLIENTS

        register(check_settings, CLIENTS, Tags.security, deploy=True)
        post_migrate.connect(grant_new_permissions, dispatch_uid="mcpsite.access.readers")
        post_save.connect(look_again, sender="auth.Group", dispatch_uid="mcpsite.access.claimed_groups")
