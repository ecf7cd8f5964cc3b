"""Shared by the trained methods: gates and their prices, training items, the gradient estimators, and checkpoints."""
