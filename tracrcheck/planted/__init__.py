"""Planted circuits: a compiled program hidden in a larger transformer, whose true circuit is known by construction.

slots: where each component goes. distractors: what fills the rest. planting: the whole model. leak: what rounding
lets through, bounded and measured. file: the program file that makes the model again.
"""
