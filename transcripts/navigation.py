"""Where in the site there is something of transcripts."""

from transcripts.models import TRANSCRIPTS

GROUPS = {
    "Transcripts": [("transcripts.transcript", "forum"), ("transcripts.collection", "folder_shared")],
}
PAGES = [("Transcripts", "transcripts:list", TRANSCRIPTS.permission)]
