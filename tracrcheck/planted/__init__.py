"""Planted circuits: a compiled program hidden in a larger transformer, whose true circuit is known by construction.

slots: where each component goes. distractors: what fills the rest. host: the model while it is made. planting: the
whole. leak: what rounding lets through, bounded and measured. truth: certified, and held against the program's.
file: the program file that makes the model again.
"""
