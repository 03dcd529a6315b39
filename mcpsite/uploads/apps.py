from django.apps import AppConfig

from mcpsite.core.contributions import modules


class UploadsConfig(AppConfig):
    name = "mcpsite.uploads"

    def ready(self) -> None:
        modules("uploads")
