"""Where the site's menus link to transcripts."""

from transcripts.models import TRANSCRIPTS

GROUPS = {
    "Transcripts": [("transcripts.transcript", "forum"), ("transcripts.collection", "folder_shared")],
}
PAGES = [("Transcripts", "transcripts:list", TRANSCRIPTS.permission)]
