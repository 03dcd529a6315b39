"""What the side bar of the admin shows of the history."""

GROUPS = {"Operation": [("history.change", "history")]}
