"""Where the admin's menu links to data sets."""

from mcpsite.datasets.declaration import data_sets

GROUPS = {
    "Data": [
        *((data_set.label, data_set.options.icon) for data_set in data_sets()),
        ("datasets.sourcefile", "draft"),
    ]
}
