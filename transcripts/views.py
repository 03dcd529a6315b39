"""The pages that answers cite, for the people who may read the transcripts, and a list with search."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from transcripts import searching
from transcripts.models import TRANSCRIPTS, Transcript
from transcripts.reading import Link, Reading
from transcripts.searching import TranscriptFilters

PER_PAGE = 25
MOST_FOUND = 25
LONGEST_QUERY = 1000
SNIPPET = 320


def for_readers(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Allow signed-in people who may read transcripts: others sign in first, or see no such page (404)."""

    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: str) -> HttpResponse:
        if not TRANSCRIPTS.admits(request.user):
            raise Http404
        return view(request, **kwargs)

    return never_cache(require_safe(login_required(guarded)))


@for_readers
def transcript_list(request: HttpRequest) -> HttpResponse:
    """Return all transcripts, latest first; with `?q=` the matching ones, best first."""
    query = _asked(request, "q")
    sector = _asked(request, "sector")
    filters = TranscriptFilters(sector=sector)
    context: dict[str, Any] = {
        "query": query,
        "sector": sector,
        "sectors": searching.sectors(request.user),
    }
    if query:
        found = searching.passages_here(request.user, query, filters, limit=MOST_FOUND)
        context["found"] = [
            {
                "cited": cited,
                "path": cited.path_among(query),
                "snippet": searching.marked(searching.snippet(cited.text, query, SNIPPET), query),
            }
            for cited in found
        ]
    else:
        pages = Paginator(searching.matching_transcripts(request.user, filters), PER_PAGE)
        context["page"] = pages.get_page(request.GET.get("page"))
    return render(request, "transcripts/list.html", context)


@for_readers
def transcript(request: HttpRequest, slug: str) -> HttpResponse:
    """Return the page of a transcript with a part of its turns; its address may ask for all of `Link`."""
    shown = get_object_or_404(Transcript.objects.visible_to(request.user).defer("text"), slug=slug)
    link = Link(
        passage=_asked(request, "p"),
        turn=_asked(request, "at"),
        digest=_asked(request, "v"),
        query=_asked(request, "q"),
        page=_asked(request, "page"),
    )
    context = {"transcript": shown, "reading": Reading(shown, link)}
    return render(request, "transcripts/transcript.html", context)


def _asked(request: HttpRequest, name: str) -> str:
    """Return what was typed into a field; no database accepts a NUL."""
    return request.GET.get(name, "").replace("\0", " ").strip()[:LONGEST_QUERY]
