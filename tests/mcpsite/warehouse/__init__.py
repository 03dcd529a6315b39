"""A data source in a database of its own, whose table takes for ever to read."""
