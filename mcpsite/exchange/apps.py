from django.apps import AppConfig


class ExchangeConfig(AppConfig):
    """Lists that leave as files, and what is common to files that come back."""

    name = "mcpsite.exchange"
