"""The tables of seeded faults, one per topic."""
