"""Files that runs write: journals, source hashes, the machine."""
