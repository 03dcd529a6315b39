"""Where in the site there is something of transcripts."""

GROUPS = {
    "Transcripts": [("transcripts.transcript", "forum"), ("transcripts.collection", "folder_shared")],
}
PAGES = [("Transcripts", "transcripts:list", "transcripts.view_transcript")]
