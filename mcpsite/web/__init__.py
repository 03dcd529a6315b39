"""The site's own pages (home, try-out, how to connect), and how pages are served."""
