from django.apps import AppConfig


class AirfareConfig(AppConfig):
    name = "airfare"
    verbose_name = "Airfare"
