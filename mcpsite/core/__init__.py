"""What every part of the site may need: settings, addresses, files, pages of the admin; no models."""
