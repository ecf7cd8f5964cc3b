"""The source language: programs, their domain, the RASP interpreter. No torch."""
