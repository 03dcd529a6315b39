"""Where in the site there is something of the history."""

GROUPS = {"Operation": [("history.change", "history")]}
