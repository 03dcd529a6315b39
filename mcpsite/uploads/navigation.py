"""Where in the site there is something of uploads."""

GROUPS = {"Data": [("uploads.upload", "upload_file")]}
