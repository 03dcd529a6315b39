"""The pages that answers cite, for the people who may read the transcripts, and a list with search."""

import re
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
from transcripts.searching import TranscriptFilters

PER_PAGE = 25
MOST_FOUND = 25
LONGEST_QUERY = 1000
SNIPPET = 320


def for_readers(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For signed-in people who may read transcripts: others sign in first, or see no such page (404)."""

    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: str) -> HttpResponse:
        if not TRANSCRIPTS.admits(request.user):
            raise Http404
        return view(request, **kwargs)

    return never_cache(require_safe(login_required(guarded)))


@for_readers
def transcript_list(request: HttpRequest) -> HttpResponse:
    """All transcripts, latest first; with `?q=` those that fit, best first, each at its best passage."""
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
    """One transcript; `?p=3` highlights its third passage."""
    shown = get_object_or_404(Transcript.objects.visible_to(request.user).defer("text"), slug=slug)
    turns = list(shown.turns.all())
    first, last = _cited(request, shown) or (len(turns) + 1, len(turns))
    context = {
        "transcript": shown,
        "before": [turn for turn in turns if turn.position < first],
        "cited": [turn for turn in turns if first <= turn.position <= last],
        "after": [turn for turn in turns if turn.position > last],
    }
    return render(request, "transcripts/transcript.html", context)


def _cited(request: HttpRequest, shown: Transcript) -> tuple[int, int] | None:
    """Positions of the first and the last turn that the link cites; None for none."""
    number = request.GET.get("p", "")
    if not re.fullmatch(r"[0-9]{1,6}", number):
        return None
    passage = shown.passages.filter(position=int(number), first_turn__isnull=False).first()
    return (passage.first_turn or 0, passage.last_turn or 0) if passage else None


def _asked(request: HttpRequest, name: str) -> str:
    """What was typed into a field; no database takes a NUL."""
    return request.GET.get(name, "").replace("\0", " ").strip()[:LONGEST_QUERY]
