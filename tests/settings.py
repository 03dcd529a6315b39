"""The site's settings with the example app installed: a second data set for whatever holds for any."""

import os

os.environ["APPS_DIR"] = "examples"

from mcpsite.settings import *  # noqa: F403
