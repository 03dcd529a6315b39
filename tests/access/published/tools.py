"""Where such an app would offer its tools."""
