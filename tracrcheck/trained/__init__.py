"""Circuits of trained models: discover, compare, overlap."""
