"""Pages of the admin that work with every address, whatever somebody typed or pasted into it.

Django's admin passes the parameters of an address on to the database. Each database refuses other values
(a year 99999, a number of twenty digits, a NUL), and each refusal would make the page fail.
"""

import logging
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import ValidationError
from django.db import DataError, InterfaceError, NotSupportedError, ProgrammingError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse

from mcpsite.core.modeladmin import ModelAdmin

logger = logging.getLogger(__name__)

WITHOUT_MEANING = (
    IncorrectLookupParameters,
    ValidationError,
    # From Python's own numbers, dates and tuples.
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    # From the database and its driver.
    DataError,
    InterfaceError,
    NotSupportedError,
    ProgrammingError,
)
"""What a parameter raises that has no meaning for its field."""


class AnyAddress(ModelAdmin[Any]):
    """A ModelAdmin whose list is empty, and says why, if a parameter of its address has no meaning."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method != "GET" or not request.GET:
            return super().changelist_view(request, extra_context)
        try:
            response: HttpResponse = super().changelist_view(request, extra_context)
            # Filters may ask the database as late as in the template.
            if isinstance(response, TemplateResponse):
                response.render()
            if not response.get("Location", "").endswith(f"?{ERROR_FLAG}=1"):
                return response
        except WITHOUT_MEANING as error:
            logger.info("A list of %s was asked for by what has no meaning there: %s", self.opts, type(error))
        request.GET = QueryDict()
        request.META["QUERY_STRING"] = ""
        request.matches_nothing = True  # type: ignore[attr-defined]
        text = "Nothing matches: a filter in this page's address has an invalid value."
        self.message_user(request, text, messages.WARNING)
        return super().changelist_view(request, extra_context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.none() if getattr(request, "matches_nothing", False) else rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        # Suggestions beside a field are searched by this alone; PostgreSQL stores no text with a NUL.
        return super().get_search_results(request, queryset, search_term.replace("\0", ""))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # No list offers a pattern; each database has its own, and some keep it busy for hours.
        pattern = lookup.rpartition("__")[2] in ("regex", "iregex")
        return not pattern and super().lookup_allowed(lookup, value, request)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        try:
            return super().get_object(request, object_id, from_field)
        except WITHOUT_MEANING:
            return None
