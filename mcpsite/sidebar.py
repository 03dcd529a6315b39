"""The admin's side bar: what there is, in groups, and of that only what the person may see."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

# Icons are names of Material Symbols; a model is named as `app.model`.
GROUPS: dict[str, list[tuple[str, str]]] = {
    "Data": [
        ("airfare.farerow", "flight"),
        ("airfare.sourcefile", "draft"),
        ("uploads.upload", "upload_file"),
    ],
    "Transcripts": [
        ("transcripts.transcript", "forum"),
        ("transcripts.collection", "folder_shared"),
    ],
    "Access": [
        ("auth.user", "person"),
        ("auth.group", "groups"),
        ("access.identity", "badge"),
        ("oauth2_provider.application", "apps"),
        ("oauth2_provider.accesstoken", "key"),
        ("oauth2_provider.refreshtoken", "autorenew"),
    ],
    "Operation": [
        ("access.auditevent", "receipt_long"),
        ("history.change", "history"),
    ],
}
TITLES = {"oauth2_provider.application": "Connected applications"}
"""Where the model's own name would say too little."""
OTHER_ICON = "table_rows"


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """unfold's setting SIDEBAR["navigation"]; what no group names stands under its app's own name."""
    apps = admin.site.get_app_list(request)
    models = {model["model"]._meta.label_lower: model for app in apps for model in app["models"]}
    groups: list[dict[str, Any]] = [{"items": [_item("Dashboard", "dashboard", reverse("admin:index"))]}]
    for title, entries in GROUPS.items():
        items = []
        for name, icon in entries:
            if (model := models.pop(name, None)) and model["admin_url"]:
                items.append(_item(TITLES.get(name, model["name"]), icon, model["admin_url"]))
        groups.append({"title": title, "separator": True, "items": items})
    for app in apps:
        rest = [model for model in app["models"] if model["model"]._meta.label_lower in models]
        items = [_item(each["name"], OTHER_ICON, each["admin_url"]) for each in rest if each["admin_url"]]
        groups.append({"title": app["name"], "separator": True, "items": items})
    return [group for group in groups if group["items"]]


def _item(title: str, icon: str, link: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": link}
