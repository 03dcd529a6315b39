"""What the side bar of the admin shows of airfare."""

GROUPS = {"Data": [("airfare.farerow", "flight"), ("airfare.sourcefile", "draft")]}
