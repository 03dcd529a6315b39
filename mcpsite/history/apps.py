from django.apps import AppConfig

from mcpsite.core.contributions import modules


class HistoryConfig(AppConfig):
    name = "mcpsite.history"
    verbose_name = "History"

    def ready(self) -> None:
        modules("recorded")
