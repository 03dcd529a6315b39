"""What the side bar of the admin shows of uploads."""

GROUPS = {"Data": [("uploads.upload", "upload_file")]}
