"""How the admin looks: the settings of django-unfold, in the colours of static/mcpsite/site.css."""

from typing import Any

from django.templatetags.static import static

BASE = {
    "50": "#fbfaf8",
    "100": "#f1f2f0",
    "200": "#dcdfdc",
    "300": "#c3c9c8",
    "400": "#a3afb3",
    "500": "#5f6a6f",
    "600": "#48545a",
    "700": "#344044",
    "800": "#273034",
    "900": "#171d1f",
    "950": "#0e1213",
}
PRIMARY = {
    "50": "#eef8fa",
    "100": "#d6eef2",
    "200": "#b3dfe7",
    "300": "#92d3df",
    "400": "#74c7d6",
    "500": "#52b5c7",
    "600": "#0b5c6b",
    "700": "#094d5a",
    "800": "#083f4a",
    "900": "#07343d",
    "950": "#052229",
}


def _icon(_request: Any) -> str:
    return static("mcpsite/icon.svg")


def unfold(name: str, *, debug: bool) -> dict[str, Any]:
    """The setting UNFOLD for a site that is called `name`."""
    return {
        "SITE_TITLE": name,
        "SITE_HEADER": name,
        "SITE_URL": "/",
        "SITE_ICON": _icon,
        "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _icon}],
        "SHOW_BACK_BUTTON": True,
        "ENVIRONMENT": "mcpsite.look.environment" if debug else None,
        "COLORS": {"base": BASE, "primary": PRIMARY},
        "SIDEBAR": {"show_search": False, "navigation": "mcpsite.sidebar.navigation"},
    }


def environment(_request: Any) -> list[str]:
    """A badge that tells a developer's machine from the site of the company."""
    return ["Development", "warning"]
