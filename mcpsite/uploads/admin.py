"""Where people upload files, and see what became of them.

A person who may upload files of a kind may see the uploads of that kind. Nobody can download the files.
"""

import logging
from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from mcpsite.core.modeladmin import ModelAdmin
from mcpsite.core.read_only import ReadOnly
from mcpsite.exchange.exporting import ExportMixin, columns
from mcpsite.uploads import progress
from mcpsite.uploads.forms import UploadForm
from mcpsite.uploads.loaders import Loader, loader_of, permitted
from mcpsite.uploads.models import Upload
from mcpsite.uploads.queue import enqueue, start_process

logger = logging.getLogger(__name__)

LATE_SECONDS = 20
"""Seconds after which a waiting person is told how to start a process."""


@admin.register(Upload)
class UploadAdmin(ExportMixin, ReadOnly, ModelAdmin[Upload]):
    """Files that people uploaded. Each upload has a page that follows its load."""

    list_display = ["label", "what", "outcome", "username", "created_at"]
    list_filter = ["state", "check_only"]
    resource_classes = [
        columns(
            Upload,
            *("id", "kind", "files", "size", "check_only", "username", "state", "error"),
            *("created_at", "started_at", "finished_at"),
        )
    ]
    list_before_template = "admin/uploads/upload/new_links.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Upload]:
        kinds = [loader.kind for loader in permitted(request.user)]
        return super().get_queryset(request).filter(kind__in=kinds)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(permitted(request.user))

    def has_view_permission(self, request: HttpRequest, obj: Upload | None = None) -> bool:
        return any(obj is None or obj.kind == loader.kind for loader in permitted(request.user))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        offered = [loader for loader in permitted(request.user) if loader.form]
        return super().changelist_view(
            request, {**(extra_context or {}), "loaders": offered, "title": "Uploads"}
        )

    @admin.display(description="files", ordering="id")
    def label(self, upload: Upload) -> str:
        return str(upload)

    @admin.display(description="kind", ordering="kind")
    def what(self, upload: Upload) -> str:
        title = upload.loader.title if upload.loader else upload.kind
        return f"{title}, check only" if upload.check_only else title

    @admin.display(description="state", ordering="state")
    def outcome(self, upload: Upload) -> str:
        refused = any(summary.failed for summary in upload.read_summaries())
        return f"{_state(upload)}, with problems" if refused else _state(upload)

    # The form and the page of an upload

    def get_urls(self) -> list[URLPattern]:
        new = self.admin_site.admin_view(self.new_view)
        return [path("new/<slug:kind>/", new, name="uploads_upload_new"), *super().get_urls()]

    def new_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        """Return the form for files of a kind; accepted files are queued, and their page comes next."""
        loader = loader_of(kind)
        if loader is None or loader.form is None:
            raise Http404
        if not cast(User, request.user).has_perm(loader.permission):
            raise PermissionDenied
        form = loader.form(request.POST, request.FILES) if request.method == "POST" else loader.form()
        if form.is_valid() and (upload := self._enqueue(request, loader, form)):
            start_process()
            return redirect("admin:uploads_upload_change", upload.pk)
        return TemplateResponse(
            request,
            "admin/uploads/upload/new.html",
            {
                **self.admin_site.each_context(request),
                "title": f"Upload {loader.title}",
                "opts": self.opts,
                "form": form,
                "media": self.media + form.media,
                "list_url": reverse(loader.list_url),
            },
        )

    def _enqueue(self, request: HttpRequest, loader: Loader, form: UploadForm) -> Upload | None:
        try:
            return enqueue(
                loader.kind,
                form.cleaned_data["chosen"],
                by=cast(User, request.user),
                check_only=form.cleaned_data["check_only"],
                options=form.options(),
            )
        except OSError:
            logger.exception("An upload could not be kept (UPLOAD_STORAGE).")
            form.add_error(None, "The files could not be stored; ask an operator to check the site's log.")
            return None

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002 (Django's signature)
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Return the page that shows how far the load is, and at its end the result."""
        upload = self.get_object(request, object_id)
        if upload is None:
            raise Http404
        if not self.has_view_permission(request, upload):
            raise PermissionDenied
        if not upload.finished:
            # In case the process has died, or was ending when this upload came.
            start_process()
        report = progress.reported(upload) if upload.state == Upload.State.RUNNING else None
        late = (timezone.now() - upload.created_at).total_seconds() > LATE_SECONDS
        summaries = upload.read_summaries()
        return TemplateResponse(
            request,
            "admin/uploads/upload/page.html",
            {
                **self.admin_site.each_context(request),
                **(extra_context or {}),
                "title": f"Upload of {upload}",
                "opts": self.opts,
                "media": self.media,
                "original": upload,
                "upload": upload,
                "state": _state(upload),
                "percent": report.percent if report else 0,
                "late": upload.state == Upload.State.QUEUED and late,
                "failed": any(summary.failed for summary in summaries),
                "summaries": [
                    {
                        "table": {"headers": summary.columns, "rows": summary.rows},
                        "warnings": summary.warnings,
                        "notes": summary.notes,
                        "looks": summary.looks,
                        "links": summary.links,
                    }
                    for summary in summaries
                ],
            },
        )


def _state(upload: Upload) -> str:
    if upload.check_only:
        return {Upload.State.RUNNING: "being checked", Upload.State.DONE: "checked"}.get(
            Upload.State(upload.state), upload.get_state_display()
        )
    return upload.get_state_display()
