"""RASP to torch by two routes, and what Tracr gets wrong."""
