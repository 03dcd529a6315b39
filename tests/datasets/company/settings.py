"""The site's settings, with the company's app installed."""

from mcpsite.settings import *  # noqa: F403
from mcpsite.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.datasets.company"]
