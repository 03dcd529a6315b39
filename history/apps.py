from django.apps import AppConfig

from mcpsite.contributions import modules


class HistoryConfig(AppConfig):
    name = "history"
    verbose_name = "History"

    def ready(self) -> None:
        modules("recorded")
