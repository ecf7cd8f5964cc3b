"""A file for each kind of run; the table is in `kinds.py`. The other files are what kinds share, or parts of `gate` and `fuzz`."""
