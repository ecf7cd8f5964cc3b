"""A program rewritten for float32: the same components, and sums that keep their digits in a turned stream."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgeprune_core.engine import trace
from tests import zoo
from tracrcheck.compiler.compile import compile_program
from tracrcheck.planted import carried
from tracrcheck.planted.distractors import Draw
from tracrcheck.planted.float32 import for_float32, steps
from tracrcheck.planted.gpt2 import gpt2_of
from tracrcheck.planted.host import Host


@pytest.mark.parametrize("seed", [0, 1])
def test_a_program_with_gains_in_the_thousands_gives_its_outputs_in_float32(seed):
    """About 1e-4; 4e-3 where thresholds are weights of the stream, or the units of a step are far apart."""
    host = gpt2_of(compile_program(replace(zoo.program("running_max"), mlp_exactness=4000)), seed=seed)
    assert carried.outputs_within(host, carried.of_program(host)) < 1e-3


@pytest.mark.parametrize("name", ["running_max", "drop_duplicates", "segment_fraction"])
def test_each_component_computes_the_same_from_what_it_reads(name):
    """Of any stream that holds the constants, however far from the program's own."""
    mine = zoo.compiled(name)
    w, new = mine.model.weights, for_float32(mine).model.weights
    constant = (w.tok == w.tok[0]).all(0)
    stream = torch.where(constant, w.tok[0], Draw.of(0).normal(100, mine.model.spec.d_model))
    for port in "qkv":
        got, want = (
            stream @ getattr(u, f"w_{port}") + getattr(u, f"b_{port}")[..., None, :] for u in (new, w)
        )
        torch.testing.assert_close(got, want, atol=1e-9, rtol=0)
    got, want = ((stream @ u.w_in + u.b_in[:, None]).relu() @ u.w_out + u.b_out[:, None] for u in (new, w))
    torch.testing.assert_close(got, want, atol=1e-9, rtol=0)


def test_steps_are_read_from_the_side_where_their_units_are_smaller():
    mine = zoo.compiled("running_max")
    ids, valid = mine.encode(mine.domain.inputs)
    new = for_float32(mine).model
    found = steps(new.weights, 0)
    assert len(found) == 8, "two numbers, four steps each"
    assert not steps(mine.model.weights, 0), "as compiled, thresholds are weights"
    streams = trace(new, ids, valid=valid).writers[: 2 + new.spec.n_heads, valid].sum(0)
    units = streams @ new.weights.w_in[0] + new.weights.b_in[0]
    for pair in found.items():
        assert units[:, pair].clamp(min=0).norm() <= 1.01 * units[:, pair].clamp(max=0).norm()


def test_units_that_read_only_constants_still_read_them():
    """No zeros in a turned stream: `m0` of this program has such units."""
    assert gpt2_of(zoo.compiled("running_max")).model.weights.w_in[0][:-2].all()


def test_the_units_of_a_step_are_neighbours_in_the_host_and_all_units_are_used():
    mine = for_float32(zoo.compiled("running_max"))
    for d_mlp in (41, 42):
        host = Host(mine, replace(mine.model.spec, d_mlp=d_mlp), {"m0": "m0"}, Draw.of(1))
        host.put_program()
        assert (host.weights.w_out[0] != 0).any(1).all()
        found, steep = steps(host.weights, 0), host.weights.w_in[0].abs().amax(0) > 99
        assert {*found, *found.values()} == set(steep.nonzero()[:, 0].tolist())
