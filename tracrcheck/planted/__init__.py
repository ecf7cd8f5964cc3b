"""Planted circuits: a compiled program hidden in a larger transformer, whose true circuit is known by construction.

slots: where each component goes. distractors: what fills the other slots. host: the model under construction.
planting: the whole process. leak: what rounding lets through, bounded and measured. truth: the host's certificate,
compared with the program's. file: the program file that rebuilds the model.
"""
