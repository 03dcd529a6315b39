"""What the side bar of the admin shows of transcripts."""

GROUPS = {
    "Transcripts": [("transcripts.transcript", "forum"), ("transcripts.collection", "folder_shared")],
}
