"""People on the site's own pages: signing in, with the company's provider or a password, and out."""
