"""What of the transcripts has a history, and how to undo a change of it."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User

from mcpsite.core.texts import clean_texts
from mcpsite.history import kinds, recording
from mcpsite.history.kinds import ValuesById
from mcpsite.history.models import Change
from transcripts.loading import facts_of_file, index_facts, name_speakers
from transcripts.models import Collection, Transcript

FIELDS = (*Transcript.FACTS, "collection", "published", "corrected", "speakers")


def _from_file(ids: Sequence[int]) -> ValuesById:
    return {each.pk: facts_of_file(each) for each in Transcript.objects.filter(pk__in=ids)}


def _write(wanted: list[tuple[int, dict[str, Any]]], by: User) -> None:
    with recording.action(Change.Action.EDIT, by=by) as action:
        for pk, given in wanted:
            values = clean_texts(given)
            transcript = Transcript.objects.get(pk=pk)
            before = kinds.field_values(Transcript, [pk], FIELDS)[pk]
            said = recording.json_values(facts_of_file(transcript))
            facts = {name for name in values if name in Transcript.FACTS}
            persons = {name for name in facts if values[name] != said[name]}
            transcript.corrected = sorted({*transcript.corrected} - facts | persons)
            kinds.assign(transcript, values)
            if facts:
                index_facts(transcript)
            if "speakers" in values:
                name_speakers(transcript, values["speakers"])
            after = kinds.field_values(Transcript, [pk], FIELDS)[pk]
            action.add(transcript, recording.differences(before, after))


kinds.register_kind(
    kinds.Kind(model=Transcript, fields=FIELDS, corrected="corrected", from_file=_from_file, write=_write)
)
kinds.register_kind(
    kinds.Kind(model=Collection, fields=("name", "slug", "groups"), write=kinds.field_writer(Collection))
)
