"""Training over several processes, and its cost."""
