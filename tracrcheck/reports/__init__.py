"""A file for each kind of results, as text, pages and JSON; the table is in `kinds.py`. Nothing here decides a verdict."""
