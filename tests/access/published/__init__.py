"""An app that publishes data, for the tests: it has a module `tools`."""
