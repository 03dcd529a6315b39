"""How the admin looks: the settings of django-unfold. Colours are in static/mcpsite/admin.css."""

from typing import Any

from django.templatetags.static import static


def unfold(name: str, *, debug: bool) -> dict[str, Any]:
    """Return the setting UNFOLD for a site called `name`; `debug` marks it as a developer's."""
    return {
        "SITE_TITLE": name,
        "SITE_HEADER": name,
        "SITE_URL": "/",
        "SITE_ICON": icon,
        "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": icon}],
        "STYLES": [style],
        "SCRIPTS": [script],
        "ENVIRONMENT": "mcpsite.web.look.environment_label" if debug else None,
        "GLOBAL_CALLBACK": "mcpsite.web.look.without_colours",
        "DASHBOARD_CALLBACK": "mcpsite.core.panels.context",
        "SIDEBAR": {"navigation": "mcpsite.web.sidebar.navigation"},
    }


def icon(_request: Any) -> str:
    return static("mcpsite/icon.svg")


def style(_request: Any) -> str:
    return static("mcpsite/admin.css")


def script(_request: Any) -> str:
    return static("mcpsite/admin.js")


def environment_label(_request: Any) -> list[str]:
    """Return a badge that distinguishes a developer's machine from the company's site."""
    return ["Development", "warning"]


def without_colours(_request: Any) -> dict[str, Any]:
    """Leave out the colours: unfold writes them into a <style>, which the Content-Security-Policy forbids."""
    return {"colors": None}
