"""Processes apart from this one: what runs in them cannot see or change what this one knows."""
