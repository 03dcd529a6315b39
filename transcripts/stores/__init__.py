"""Where transcripts are searched: see `transcripts.stores.base`."""
