"""An app whose server writes its audit trail as often as PROBE_AUDIT_INTERVAL says."""

import os

from django.apps import AppConfig


class Probes(AppConfig):
    name = "tests.access.probes"

    def ready(self) -> None:
        from mcpsite.access import audit

        audit.INTERVAL_SECONDS = float(os.environ.get("PROBE_AUDIT_INTERVAL", audit.INTERVAL_SECONDS))
