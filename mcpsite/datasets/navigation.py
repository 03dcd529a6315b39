"""Where in the admin data sets stand."""

from mcpsite.datasets.declaration import data_sets

GROUPS = {
    "Data": [
        *((data_set.label, data_set.options.icon) for data_set in data_sets()),
        ("datasets.sourcefile", "draft"),
    ]
}
