from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Tags, register
from django.db.models.signals import post_save

from mcpsite.core.checks import CLIENTS
from transcripts.checks import check_store
from transcripts.stores import base


class TranscriptsConfig(AppConfig):
    name = "transcripts"
    verbose_name = "Transcripts"

    def ready(self) -> None:
        from transcripts import following  # needs the models

        register(check_store, CLIENTS, Tags.security, deploy=True)
        post_save.connect(following.notice, sender="history.Change", dispatch_uid="transcripts.following")
        if settings.TRANSCRIPT_STORE and settings.TRANSCRIPT_STORE not in base.STORES:
            # A site's own store may need the models, so the settings could not check whether it exists.
            settings.ENVIRONMENT.derive(None, base.check_store, settings.TRANSCRIPT_STORE)
            settings.ENVIRONMENT.refuse()
