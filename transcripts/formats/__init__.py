"""People's files → text, and text → what was said when and by whom, as far as the format says.

One module for each container or layout; `transcripts.turns` reads what these leave as plain lines.
"""
