"""The tools of data sets, and of the tables that companies publish (in their apps' modules `published`)."""

from mcpsite.core.contributions import modules
from mcpsite.datasets import declared_tools, describing

modules("published")
declared_tools.register_all()
describing.register()
ADVICE = describing.ADVICE
