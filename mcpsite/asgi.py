"""The ASGI application: `uvicorn mcpsite.asgi:application`."""

import os
from typing import cast

from django.core.asgi import get_asgi_application
from starlette.types import ASGIApp

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mcpsite.settings")
django_application = get_asgi_application()

# Tools import models, which need the apps that the line above has set up.
from mcpsite.router import Router  # noqa: E402

application = Router(cast(ASGIApp, django_application))
