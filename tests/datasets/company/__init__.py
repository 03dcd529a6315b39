"""A company that publishes tables of its own database: as it would, in an app of its own."""
