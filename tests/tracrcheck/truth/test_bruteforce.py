"""The brute force is itself tried on what is known without it: Tracr's own forward pass, a plain loop
over one circuit and one input, and truths that others have published or that were measured by hand."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tracr.compiler.lib import shift_by
from tracr.rasp import rasp

from tracrcheck import Program

from . import bruteforce as brute
from . import plain_model
from .bruteforce import truth

PROGRAMS = {}
for path in sorted((Path(__file__).parents[3] / "programs").glob("*.py")):
    spec = importlib.util.spec_from_file_location(f"brute_program_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    PROGRAMS[path.stem] = module.program

REVERSE, XPROPORTION = PROGRAMS["reverse"], PROGRAMS["xproportion"]
SHIFT = Program(
    name="shift_by_2", build=lambda: shift_by(2, rasp.tokens), vocab={"a", "b", "c"}, max_seq_len=4
)


def circuit(lines: str) -> frozenset[str]:
    return frozenset(line.strip() for line in lines.strip().splitlines())


REVERSE_9 = circuit("""
    tok -> m0
    tok -> m1
    pos -> m1
    m0 -> m1
    m1 -> m2
    m2 -> a3.h0.q
    pos -> a3.h0.k
    tok -> a3.h0.v
    a3.h0 -> out
""")
REVERSE_11 = REVERSE_9 | {"tok -> a0.h0.v", "a0.h0 -> m0"}
XPROPORTION_3 = circuit("""
    tok -> m0
    m0 -> a1.h0.v
    a1.h0 -> out
""")
XPROPORTION_5 = XPROPORTION_3 | {"pos -> a1.h0.q", "pos -> a1.h0.k"}
XPROPORTION_7 = XPROPORTION_5 | {"tok -> a1.h0.q", "tok -> a1.h0.k"}


def reverse(ablation, criterion="value", **kwargs):
    return truth(REVERSE, ablation, criterion, max_permitted=15, **kwargs)


# ---------------------------------------------------------------- the forward pass


FEW = ("reverse", "pair_balance", "sort", "bracket_depth")


# Tracr has nothing to compile in a program that is one of its own inputs (TC321).
COMPILED_BY_TRACR = [name for name, program in PROGRAMS.items() if program.build().children]


@pytest.mark.parametrize(
    "name", [n if n in FEW else pytest.param(n, marks=pytest.mark.slow) for n in COMPILED_BY_TRACR]
)
def test_the_unpruned_forward_pass_decodes_as_tracr_does_on_the_whole_domain(name):
    program = PROGRAMS[name]
    net = plain_model.compiled(program)
    # Without optimisation: this compiles once per length, and each length runs once.
    forward = jax.jit(net.model.forward)
    quick = {"xla_backend_optimization_level": 0}
    compared = 0
    for length in range(1, program.max_seq_len + 1):
        lists = brute.domain(program, length)
        if not lists:
            continue
        ids = brute.encode(net, lists)
        _, out = plain_model.unpruned(net, ids)
        args = (net.model.params, jnp.asarray(ids))
        tracrs = np.asarray(forward.lower(*args).compile(quick)(*args).unembedded_output)
        if net.categorical:
            ranked = np.sort(out, axis=-1)
            clear = ranked[..., -1] - ranked[..., -2] > 1e-3  # at BOS, and where there is no value, all tie
            compared += int(clear[:, 1:].sum())
            assert (plain_model.decoded(net, out) == tracrs)[clear].all()
        else:
            compared += out[:, 1:].size
            np.testing.assert_allclose(out[..., 0], tracrs, atol=1e-5)  # Tracr's pass is in float32
    assert compared


def test_the_decoded_outputs_are_the_interpreters_tokens():
    net = plain_model.compiled(REVERSE)
    _, out = plain_model.unpruned(net, brute.encode(net, [["a", "b", "b", "c"]]))
    tokens = net.model.output_encoder.decode(plain_model.decoded(net, out)[0].tolist())
    assert tokens[1:] == ["c", "b", "b", "a"] == brute.interpret(REVERSE, net, ["a", "b", "b", "c"])
    assert net.model.apply([plain_model.BOS, "a", "b", "b", "c"]).decoded[1:] == tokens[1:]


def test_the_weights_tracr_draws_at_random_before_it_sets_them_leave_no_trace():
    ours = plain_model.compiled(XPROPORTION).model.params
    tracrs = plain_model.tracrs_model(XPROPORTION, XPROPORTION.build()).params
    assert ours.keys() == tracrs.keys()
    for module_name, arrays in tracrs.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(ours[module_name][name], array)


def random_net(rng: np.random.Generator, *, causal: bool) -> plain_model.Net:
    """Two layers of two heads with every weight and every bias drawn at random."""
    n_heads, d, k, hidden = 2, 5, 3, 4

    def layer():
        shapes = [(n_heads, d, k)] * 3 + [(n_heads, k)] * 3
        shapes += [(n_heads, k, d), (d,), (d, hidden), (hidden,), (hidden, d), (d,)]
        return plain_model.Layer(*(0.4 * rng.normal(size=shape) for shape in shapes))

    return plain_model.Net(
        model=None,
        sop=None,
        tok=rng.normal(size=(3, d)),
        pos=rng.normal(size=(4, d)),
        layers=(layer(), layer()),
        unembed=rng.normal(size=(d, 2)),
        causal=causal,
        categorical=True,
    )


def plain_run(net, ids, kept, ablated):
    """One input, one circuit, position by position, with nothing shared or stored."""
    n = len(ids)
    written = {"tok": [net.tok[t] for t in ids], "pos": [net.pos[p] for p in range(n)]}

    def stream(reader, p, bias):
        parts = [x[p] if (w, reader) in kept else ablated[w][p] for w, x in written.items()]
        return sum(parts) + bias

    bias = np.zeros(net.tok.shape[1])
    for i, layer in enumerate(net.layers):
        heads = {}
        for h in range(net.n_heads):
            at = f"a{i}.h{h}"
            heads[at] = []
            for p in range(n):
                query = stream(f"{at}.q", p, bias) @ layer.q[h] + layer.q_bias[h]
                seen = range(p + 1) if net.causal else range(n)
                keys = [stream(f"{at}.k", s, bias) @ layer.k[h] + layer.k_bias[h] for s in seen]
                values = [stream(f"{at}.v", s, bias) @ layer.v[h] + layer.v_bias[h] for s in seen]
                odds = [np.exp(query @ key / np.sqrt(len(key))) for key in keys]
                mixed = sum(o * value for o, value in zip(odds, values, strict=True)) / sum(odds)
                heads[at].append(mixed @ layer.o[h])
        written |= heads
        bias = bias + layer.o_bias
        hidden = [np.maximum(stream(f"m{i}", p, bias) @ layer.w1 + layer.b1, 0) for p in range(n)]
        written[f"m{i}"] = [x @ layer.w2 + layer.b2 for x in hidden]
    return np.array([stream("out", p, bias) @ net.unembed for p in range(n)])


@pytest.mark.parametrize("causal", [False, True])
def test_the_batched_forward_pass_equals_a_plain_loop_over_circuits_and_inputs(causal):
    rng = np.random.default_rng(0)
    net = random_net(rng, causal=causal)
    writers, edges = plain_model.writers_and_edges(net)
    ids = rng.integers(0, 3, size=(3, 4))
    masks = rng.random((12, len(edges))) < rng.random((12, 1))
    ablated = {w: rng.normal(size=(3, 4, 5)) for w in writers}
    keep = {edge: masks[:, e] for e, edge in enumerate(edges)}
    _, out = plain_model.run(net, ids, keep, ablated, len(masks))
    for m, mask in enumerate(masks):
        kept = {edge for edge, is_kept in zip(edges, mask, strict=True) if is_kept}
        for row in range(3):
            plain = plain_run(net, ids[row], kept, {w: x[row] for w, x in ablated.items()})
            np.testing.assert_allclose(out.values[out.index[m], row], plain, atol=1e-12)


@pytest.mark.parametrize(("program", "n_edges"), [(REVERSE, 94), (XPROPORTION, 32), (SHIFT, 13)])
def test_the_whole_graph_has_the_known_number_of_edges(program, n_edges):
    _, edges = plain_model.writers_and_edges(plain_model.compiled(program))
    assert len(edges) == len(set(edges)) == n_edges


@pytest.mark.parametrize("ablation", ["zero", "mean", "resample"])
def test_all_permitted_edges_together_are_faithful_and_so_are_all_edges(ablation):
    setting = brute.setting(XPROPORTION, ablation, "value", False, (1, 3))
    for edges in (brute.permitted_edges(XPROPORTION), plain_model.writers_and_edges(setting.net)[1]):
        assert setting.faithful(edges, np.ones((1, len(edges)), bool)).all()


# ---------------------------------------------------------------- reverse


def test_reverse_needs_eleven_edges_under_zero_ablation_below_the_full_length():
    found = reverse("zero", lengths=(2, 3))
    assert found.required == REVERSE_11
    assert (found.n_rows, found.n_edges, len(found.permitted)) == (9 + 27, 94, 15)


def test_reverse_needs_nine_edges_under_zero_ablation_at_the_full_length():
    assert reverse("zero", lengths=(4, 4)).required == REVERSE_9


def test_reverse_needs_eleven_edges_under_zero_ablation_on_its_whole_domain():
    assert reverse("zero").required == REVERSE_11


def test_reverse_needs_two_edges_under_resampling_at_the_full_length():
    found = reverse("resample", lengths=(4, 4))
    assert found.required == {"tok -> a3.h0.v", "a3.h0 -> out"}
    assert found.n_rows == 81 * 81


def test_reverse_needs_two_edges_under_mean_ablation_within_a_length():
    assert reverse("mean").required == {"tok -> a3.h0.v", "a3.h0 -> out"}


def test_reverse_of_one_token_needs_two_edges_by_its_decoded_output():
    assert reverse("zero", "decoded", lengths=(1, 1)).required == {"tok -> a3.h0.v", "a3.h0 -> out"}


def test_at_length_one_ten_edges_of_reverse_each_matter_alone_yet_six_together_are_faithful():
    setting = brute.setting(REVERSE, "zero", "value", False, (1, 1))
    edges = brute.permitted_edges(REVERSE)
    one_cut = ~np.eye(len(edges), dtype=bool)
    still = setting.faithful(edges, one_cut)
    breaks = {plain_model.text(edge) for edge, ok in zip(edges, still, strict=True) if not ok}
    assert breaks == REVERSE_11 - {"tok -> m1"}
    without = {"tok -> a0.h0.v", "a0.h0 -> m0", "tok -> m0", "tok -> m1", "m0 -> m1"}
    assert reverse("zero", lengths=(1, 1)).required == REVERSE_11 - without


# ---------------------------------------------------------------- xproportion


def test_xproportion_needs_five_edges_under_zero_ablation():
    found = truth(XPROPORTION, "zero")
    assert found.required == XPROPORTION_5
    assert set(found.permitted) == XPROPORTION_7
    assert found.unique
    assert not found.vacuous
    assert not found.constant
    assert found.n_faithful == 4  # either, both or neither of the two edges that only BOS needs
    assert found.tolerance == pytest.approx(0.01)
    assert found.n_rows == 4 + 16 + 64 + 256


def test_xproportion_needs_seven_edges_under_zero_ablation_when_bos_is_scored():
    assert truth(XPROPORTION, "zero", score_bos=True).required == XPROPORTION_7


def test_xproportion_needs_three_edges_under_resampling_at_the_full_length():
    assert truth(XPROPORTION, "resample", lengths=(4, 4)).required == XPROPORTION_3


def test_by_decoding_a_numerical_output_the_same_circuits_are_faithful():
    assert truth(XPROPORTION, "zero", "decoded") == truth(XPROPORTION, "zero", "value")


# ---------------------------------------------------------------- the search over the whole graph


@pytest.mark.parametrize(
    ("criterion", "score_bos", "n_required"),
    [("value", False, 4), ("decoded", False, 4), ("value", True, 6), ("decoded", True, 4)],
)
def test_shift_by_2_needs_two_edges_more_by_value_only_where_bos_is_scored(criterion, score_bos, n_required):
    found = truth(SHIFT, "zero", criterion, score_bos)
    assert found.n_edges == 13  # so that every subset of all edges was tried as well
    assert len(found.required) == n_required


def test_the_search_over_the_whole_graph_notices_a_permitted_list_that_lacks_a_required_edge():
    setting = brute.setting(SHIFT, "zero", "value", False, (1, 3))
    edges = plain_model.writers_and_edges(setting.net)[1]
    permitted = [edge for edge in brute.permitted_edges(SHIFT) if edge != ("tok", "a0.h0.v")]
    ok = setting.faithful(permitted, brute.all_subsets(len(permitted)))
    with pytest.raises(
        AssertionError, match="an edge outside permitted changed whether a circuit is faithful"
    ):
        brute.check_outside(setting, edges, permitted, ok)


def test_a_permitted_list_without_one_required_edge_gives_another_answer():
    found = truth(XPROPORTION, "zero", permitted=sorted(XPROPORTION_7 - {"tok -> m0"}))
    assert found.smallest == []
    assert found.required is None
    assert not found.unique
    assert found.n_faithful == 0


def test_a_permitted_list_without_an_edge_that_is_not_required_gives_the_same_answer():
    found = truth(XPROPORTION, "zero", permitted=sorted(XPROPORTION_7 - {"tok -> a1.h0.q"}))
    assert found.required == XPROPORTION_5
    assert found.n_faithful == 2


# ---------------------------------------------------------------- several smallest circuits, none, refusals


def winner_of_two_copies():
    """Rock, paper, scissors between two copies of the same token, each fetched by a head of its own."""
    beats = {("rock", "scissors"), ("paper", "rock"), ("scissors", "paper")}
    here = rasp.Select(rasp.indices, rasp.indices, rasp.Comparison.EQ)
    copies = [rasp.Aggregate(here, rasp.tokens).named(name) for name in ("left", "right")]
    return rasp.SequenceMap(lambda x, y: x if x == y or (x, y) in beats else y, *copies)


def test_two_smallest_circuits_are_both_reported_and_neither_is_required():
    # Either copy, against the mean of the other (a third of each token), still gives its own token most.
    program = Program(
        name="winner", build=winner_of_two_copies, vocab={"rock", "paper", "scissors"}, max_seq_len=2
    )
    found = truth(program, "mean", "decoded", lengths=(1, 1))
    by_one = [{f"tok -> a0.{head}.v", f"a0.{head} -> m0", "m0 -> out"} for head in ("h0", "h1")]
    assert len(found.smallest) == 2
    assert all(circuit in by_one for circuit in found.smallest)
    assert found.required is None
    assert not found.unique
    assert len(truth(program, "mean", "value", lengths=(1, 1)).required) == 5


def test_a_setting_in_which_the_empty_circuit_is_faithful_is_vacuous():
    def length():
        return rasp.SelectorWidth(rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE))

    program = replace(SHIFT, name="length", build=length)
    found = truth(program, "mean")
    assert found.vacuous
    assert found.smallest == [frozenset()]
    assert not found.constant
    assert truth(program, "mean", lengths=(2, 2)).constant
    assert not truth(program, "zero").vacuous


def test_more_permitted_edges_than_allowed_are_refused():
    with pytest.raises(
        ValueError, match=r"reverse has 15 permitted edges, 2\^15 circuits: wanted at most 14 edges"
    ):
        truth(REVERSE, "zero")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mean_of_all",), "unknown ablation 'mean_of_all': wanted one of zero, mean, resample"),
        (("zero", "kl"), "unknown criterion 'kl': wanted one of value, decoded"),
    ],
)
def test_an_unknown_setting_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        truth(XPROPORTION, *arguments)


def test_a_domain_without_inputs_is_refused():
    nothing = replace(XPROPORTION, domain=lambda tokens: False)
    with pytest.raises(ValueError, match="program xproportion has no legal input of length 1 to 4"):
        truth(nothing, "zero")
