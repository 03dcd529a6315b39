"""The site's settings, with the tools of this package installed."""

from mcpsite.core.values import decimal
from mcpsite.settings import *  # noqa: F403
from mcpsite.settings import INSTALLED_APPS, env

INSTALLED_APPS = [*INSTALLED_APPS, "tests.access.probes"]
MCP_DEADLINE_SECONDS = env.read("MCP_DEADLINE_SECONDS", decimal(0.1, 60), 1.0)
