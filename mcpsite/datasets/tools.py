"""The tools of data sets, and of the tables that companies publish (in their apps' modules `published`)."""

from django.conf import settings

from mcpsite.core.contributions import modules
from mcpsite.datasets import declared_tools, describing, shared_tools
from mcpsite.mcp.registry import registry

modules("published")
if settings.DATASET_TOOLS == "shared":
    shared_tools.register(registry)
else:
    declared_tools.register_all(registry)
describing.register(registry)
ADVICE = describing.ADVICE
