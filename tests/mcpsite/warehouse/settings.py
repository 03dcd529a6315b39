"""The site's settings, with a second database as somebody would add one."""

from mcpsite.core import database_url
from mcpsite.settings import *  # noqa: F403
from mcpsite.settings import DATABASES, INSTALLED_APPS, env

INSTALLED_APPS = [*INSTALLED_APPS, "tests.mcpsite.warehouse"]
DATABASES = {**DATABASES, "warehouse": database_url.address_of(env.text("WAREHOUSE_URL")).config}
DATABASE_ROUTERS = ["tests.mcpsite.warehouse.router.Router"]
