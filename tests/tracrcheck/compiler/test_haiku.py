"""The oracle route is Tracr's own, made quicker: nothing of it changes, and nothing of Haiku stays changed."""

from __future__ import annotations

import haiku as hk
import numpy as np
import pytest
from tracr.compiler.compiling import compile_rasp_to_model

from tests import zoo
from tracrcheck.compiler.compile import build
from tracrcheck.compiler.haiku import _initialised_with_zeros, compile_by_haiku, in_float64
from tracrcheck.program import BOS, PAD


def test_the_parameters_are_those_of_tracr_alone_bit_for_bit():
    """Tracr overwrites every random weight that Haiku draws: zeros in their place change nothing."""
    program = zoo.program("hist")
    with in_float64():
        theirs = compile_rasp_to_model(
            build(program), set(program.vocab), program.max_seq_len, compiler_bos=BOS, compiler_pad=PAD
        ).params
    ours = compile_by_haiku(program).assembled.params
    assert ours.keys() == theirs.keys()
    for module, parameters in theirs.items():
        assert ours[module].keys() == parameters.keys()
        for name, value in parameters.items():
            assert ours[module][name].dtype == value.dtype
            assert np.array_equal(ours[module][name], value), (module, name)


def test_haiku_is_as_it_was_afterwards():
    before = hk.transform, hk.initializers.VarianceScaling
    with _initialised_with_zeros():
        assert hk.transform is not before[0]
    assert (hk.transform, hk.initializers.VarianceScaling) == before
    with pytest.raises(ZeroDivisionError), _initialised_with_zeros():
        raise ZeroDivisionError
    assert (hk.transform, hk.initializers.VarianceScaling) == before
