"""Where in the site there is something of airfare."""

GROUPS = {"Data": [("airfare.farerow", "flight"), ("airfare.sourcefile", "draft")]}
