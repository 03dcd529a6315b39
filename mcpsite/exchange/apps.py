from django.apps import AppConfig


class ExchangeConfig(AppConfig):
    """Lists exported as files, and what all imports of corrected files have in common."""

    name = "mcpsite.exchange"
