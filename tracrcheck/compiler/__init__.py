"""Compiles RASP to torch by two routes, and detects Tracr's bugs."""
