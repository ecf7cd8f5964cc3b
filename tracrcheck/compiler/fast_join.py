"""Joins linear maps by adding up their matrices, while Tracr's passes run.

Tracr joins the MLPs of a layer by applying each to every basis vector and adding the outputs, which is slow. The sums here are
the same, in the same order, so the weights are equal bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from tracr.craft.bases import join_vector_spaces
from tracr.craft.vectorspace_fns import Linear


@contextmanager
def fast_join() -> Iterator[None]:
    before = Linear.__dict__["combine_in_parallel"]
    Linear.combine_in_parallel = classmethod(_joined)
    try:
        yield
    finally:
        Linear.combine_in_parallel = before


def _joined(cls: type[Linear], fns: Sequence[Linear]) -> Linear:
    inputs = join_vector_spaces(*(fn.input_space for fn in fns))
    outputs = join_vector_spaces(*(fn.output_space for fn in fns))
    matrix = np.zeros((inputs.num_dims, outputs.num_dims))
    for fn in fns:
        rows = [inputs.index_by_direction[direction] for direction in fn.input_space.basis]
        columns = [outputs.index_by_direction[direction] for direction in fn.output_space.basis]
        matrix[np.ix_(rows, columns)] += fn.matrix
    return cls(inputs, outputs, matrix)
