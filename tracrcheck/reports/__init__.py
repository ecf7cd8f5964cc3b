"""What a person reads, and the JSON a program reads. Nothing here decides anything."""
