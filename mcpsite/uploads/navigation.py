"""Where the site's menus link to uploads."""

GROUPS = {"Data": [("uploads.upload", "upload_file")]}
