"""Where the site's menus link to the history."""

GROUPS = {"Operation": [("history.change", "history")]}
