"""The site, and its version, which stands here alone (see CONTRIBUTING.md)."""

__version__ = "0.1.0"
