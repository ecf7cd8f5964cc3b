"""Reports for people, and JSON for programs. Nothing here decides anything."""
