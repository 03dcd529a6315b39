from django.apps import AppConfig

from mcpsite.contributions import modules


class UploadsConfig(AppConfig):
    name = "uploads"

    def ready(self) -> None:
        modules("uploads")
