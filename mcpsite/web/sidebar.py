"""The admin's side bar: all lists, in groups, of which a person sees only the permitted ones.

An app places its models in its `navigation.py`: GROUPS is a dictionary of titles and lists of models
(`app_label.model`), each with its icon, a name of Material Symbols. TITLES renames models whose own name
would say too little.
"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from mcpsite.core.contributions import contributed

LAST = ("Access", "Operation")
"""The groups below the data."""
OTHER_ICON = "table_rows"


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return unfold's setting SIDEBAR["navigation"]; a model in no group is listed under its app's name."""
    apps = admin.site.get_app_list(request)
    models = {model["model"]._meta.label_lower: model for app in apps for model in app["models"]}
    groups: list[dict[str, Any]] = [{"items": [_item("Dashboard", "dashboard", reverse("admin:index"))]}]
    titles = {name: title for named in contributed("navigation", "TITLES") for name, title in named.items()}
    for title, entries in _groups():
        items = []
        for name, icon in entries:
            if (model := models.pop(name, None)) and model["admin_url"]:
                items.append(_item(titles.get(name, model["name"]), icon, model["admin_url"]))
        groups.append({"title": title, "separator": True, "items": items})
    for app in apps:
        rest = [model for model in app["models"] if model["model"]._meta.label_lower in models]
        items = [_item(each["name"], OTHER_ICON, each["admin_url"]) for each in rest if each["admin_url"]]
        groups.append({"title": app["name"], "separator": True, "items": items})
    return [group for group in groups if group["items"]]


def _groups() -> list[tuple[str, list[tuple[str, str]]]]:
    groups: dict[str, list[tuple[str, str]]] = {}
    for contribution in contributed("navigation", "GROUPS"):
        for title, entries in contribution.items():
            groups.setdefault(title, []).extend(entries)
    return sorted(groups.items(), key=lambda group: LAST.index(group[0]) + 1 if group[0] in LAST else 0)


def _item(title: str, icon: str, link: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": link}
