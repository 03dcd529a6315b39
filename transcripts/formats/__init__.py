"""Files as people have them → text, and text → what was said when by whom, as far as the format tells.

One module for each container or layout; `transcripts.turns` reads what these leave as plain lines.
"""
