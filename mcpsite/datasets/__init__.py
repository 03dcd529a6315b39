"""Tables of data: files to rows, curation, queries and tools, for any data set."""
