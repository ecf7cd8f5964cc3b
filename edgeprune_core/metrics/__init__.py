"""Divergences between a pruned model's outputs and the model's own."""
