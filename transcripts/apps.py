from django.apps import AppConfig
from django.conf import settings

from transcripts.stores import base


class TranscriptsConfig(AppConfig):
    name = "transcripts"
    verbose_name = "Transcripts"

    def ready(self) -> None:
        if settings.TRANSCRIPT_STORE and settings.TRANSCRIPT_STORE not in base.STORES:
            # A store of one's own may need the models, so the settings could not look whether it is there.
            settings.ENVIRONMENT.derive(None, base.check, settings.TRANSCRIPT_STORE)
            settings.ENVIRONMENT.refuse()
